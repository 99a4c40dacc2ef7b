#include "commands/show_config.hpp"

#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "comm/together.hpp"
#include "config/reference.hpp"
#include "config/schema.hpp"
#include "console/wording.hpp"
#include "core/error.hpp"
#include "core/exit_status.hpp"
#include "core/paths.hpp"
#include "core/suggestion.hpp"
#include "core/text_file.hpp"
#include "io/format.hpp"
#include "run/folder.hpp"
#include "run/guarded_file.hpp"

namespace dmoe::commands {

namespace {

enum class Form { reference, fresh, markdown, json_schema };

struct ConfigOptions {
  std::string what;  // a key, a config or a run; empty: all keys
  std::vector<std::string> overrides;
  Form form = Form::reference;
};

std::string text_of_run(const std::string& path, const std::vector<std::string>& overrides) {
  run::check_in_child(path);
  return config::with_defaults(
      config::parse_config(io::read_config(path), path + ", /config", overrides, config::Unknown::kept));
}

std::string text_of(const std::string& path, const std::vector<std::string>& overrides) {
  if (is_folder(path)) return text_of_run(run::file_with_config(path), overrides);
  if (run::is_hdf5(path)) return text_of_run(path, overrides);
  return config::with_places(config::parse_config(read_text_file(path, "the config"), path, overrides));
}

std::string answer(const ConfigOptions& options) {
  if (options.form == Form::fresh) return config::new_config_toml();
  if (options.form == Form::markdown) return config::reference_markdown();
  if (options.form == Form::json_schema) return config::json_schema();
  if (options.what.empty()) return config::all_keys_toml();
  if (const auto key = config::describe_key(options.what)) {
    if (!options.overrides.empty()) throw InputError("{}: is a key, --set is for a config", options.what);
    return *key;
  }
  if (path_exists(options.what)) return text_of(options.what, options.overrides);
  throw InputError("{}: is no key{}, and there is no such file or folder", options.what,
                   suggestion(config::without_entries(options.what), config::key_names()));
}

}  // namespace

Action declare_config(CLI::App& parser) {
  const auto options = std::make_shared<ConfigOptions>();
  CLI::Option* const what = parser.add_option("what", options->what, "a key or table, a config, or a run")
                                ->option_text("KEY|CONFIG.toml|RUN");
  CLI::Option* const overrides =
      parser
          .add_option("--set", options->overrides,
                      "override a key of the config: train.seed=3 (may be repeated)")
          ->allow_extra_args(false)
          ->needs(what)
          ->option_text("KEY=VALUE");
  std::vector<CLI::Option*> forms;
  const auto add_form = [&](const char* name, Form form, const char* help) {
    const auto choose = [options, form] { options->form = form; };
    CLI::Option* const option = parser.add_flag_callback(name, choose, help);
    option->excludes(what)->excludes(overrides);
    for (CLI::Option* const other : forms) option->excludes(other);
    forms.push_back(option);
  };
  add_form("--new", Form::fresh, "the least that trains, to begin a config of one's own with");
  add_form("--json-schema", Form::json_schema, "a JSON Schema, by which editors check a config");
  add_form("--markdown", Form::markdown, "all keys as a page of the manual");
  parser.footer(
      "Without an argument: every key with its default. Of a key or a table: all that is known of it. Of a "
      "config: what "
      "it comes\nto, and where each value is from. Of a run (a folder or one of its files): its config, with "
      "defaults "
      "that it left.\nWhat is printed is TOML that trains, explained in comments; `dmoe config RUN > "
      "again.toml`. A key wins "
      "over a path of the\nsame name; ./train is the folder.");
  return [options](const Job& job) {
    comm::together(job.world(), [&] {
      if (job.world().is_coordinator()) fmt::print("{}", console::printable(answer(*options)));
    });
    return ExitStatus::done;
  };
}

}  // namespace dmoe::commands
