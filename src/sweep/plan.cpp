#include "sweep/plan.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string_view>

#include "comm/mpi_library.hpp"
#include "config/section.hpp"
#include "core/error.hpp"
#include "core/text_file.hpp"
#include "run/layout.hpp"

namespace dmoe::sweep {

namespace {

const SettingSpec ranks_key{
    .name = "ranks", .help = "of each run", .initial = Index{1}, .minimum = 1, .maximum = 65'536};
const SettingSpec top_key{.name = "top",
                          .help = "of dmoe analyze --top",
                          .initial = Index{9},
                          .minimum = 1,
                          .maximum = 10'000,
                          .has_default = false};
constexpr Index most_runs = 100'000;
constexpr std::size_t longest_name = 250;  // bytes: a file system takes 255, NAME.log among them
constexpr const char* seed_key = "train.seed";
constexpr std::string_view ranks_mark = "{ranks}";

/// A key of a grid with the values it takes, as --set takes them.
struct Axis {
  std::string key;  // "train.seed"
  std::vector<std::string> values;
};

/// "3", "0.5", "single": what stands behind the = of an override.
std::string value_text(const toml::node& value, const std::string& place, const std::string& key) {
  if (const auto* text = value.as_string()) return text->get();
  if (const auto* integer = value.as_integer()) return fmt::format("{}", integer->get());
  if (const auto* real = value.as_floating_point()) return config::toml_text(real->get());
  throw InputError("{}: {} must be a number or a string, or an array of them", place, key);
}

/// The axes below a table, "train.seed" for the table train with a key seed, in order of key.
void collect_axes(const config::Document& document, const toml::table& table, const std::string& prefix,
                  std::vector<Axis>& axes) {
  for (const auto& [name, node] : table) {
    const std::string key = prefix + std::string(name.str());
    const std::string place = document.place("", node.source());
    if (const toml::table* inner = node.as_table()) {
      collect_axes(document, *inner, key + ".", axes);
      continue;
    }
    Axis& axis = axes.emplace_back(Axis{key, {}});
    if (const toml::array* list = node.as_array()) {
      for (const toml::node& value : *list) axis.values.push_back(value_text(value, place, key));
      if (list->empty()) throw InputError("{}: {} needs at least one value", place, key);
    } else {
      axis.values.push_back(value_text(node, place, key));
    }
  }
}

/// Names a folder: what would lead out of it is replaced.
std::string folder_name(std::string text) {
  const auto leads_out = [](char c) { return c == '/' || c == '*' || c == ' ' || c == '\\'; };
  std::ranges::replace_if(text, leads_out, '_');
  return text;
}

/// Every combination of the axes' values, the last axis changing fastest.
std::vector<std::vector<std::pair<std::string, std::string>>> combinations_of(const config::Section& grid,
                                                                              const std::vector<Axis>& axes) {
  std::vector<std::vector<std::pair<std::string, std::string>>> all{{}};
  for (const Axis& axis : axes) {
    std::vector<std::vector<std::pair<std::string, std::string>>> longer;
    for (const auto& settings : all) {
      for (const std::string& value : axis.values) {
        longer.push_back(settings);
        longer.back().emplace_back(axis.key, value);
      }
    }
    if (static_cast<Index>(longer.size()) > most_runs)
      throw InputError("{}: {} has more than {} runs", grid.place(), grid.path(), most_runs);
    all = std::move(longer);
  }
  return all;
}

/// "/a/small.toml with data.path=x": a run as the sweep file states it.
std::string described(const PlannedRun& run) {
  return fmt::format("{}{}{}", run.config_path, run.settings.empty() ? "" : " with ",
                     fmt::join(run.overrides(), ", "));
}

/// Of any layer of the network of a config.
Index most_experts(const config::Config& config) {
  const bool is_dense = config.baseline == model::Baseline::dense_wide_first ||
                        config.baseline == model::Baseline::dense_equal_widths;
  if (is_dense) return 1;
  const model::NetworkSpec any_width{1, 1, config.layers};
  return std::max(Index{1}, model::baseline_of(any_width, config.baseline).most_experts());
}

/// Where a run's seed stands among those of its grid.
Index repetition_of(const PlannedRun& run, const std::vector<Axis>& axes) {
  const auto seeds = std::ranges::find(axes, seed_key, &Axis::key);
  if (seeds == axes.end()) return 0;
  const auto own = std::ranges::find(run.settings, seed_key, &std::pair<std::string, std::string>::first);
  return std::ranges::find(seeds->values, own->second) - seeds->values.begin();
}

class Reader {
 public:
  Reader(const std::string& path, SweepPlan& plan)
      : folder_(std::filesystem::path(path).parent_path()),
        document_(read_text_file(path, "the sweep"), path, {}),
        plan_(plan) {}

  void read() {
    config::Section root(document_);
    plan_.ranks = std::get<Index>(root.value(ranks_key));
    read_analyze(root);
    plan_.launcher = std::get<std::string>(root.value(
        {.name = "launcher", .help = "of runs on more than one rank", .initial = comm::default_launcher()}));
    if (plan_.launcher.find(ranks_mark) == std::string::npos)
      root.refuse("launcher", "must say where the number of ranks goes, as {ranks}");
    const std::vector<config::Section> grids = root.tables("grids");
    root.finish();
    for (const config::Section& grid : grids) read_grid(grid);
    for (const PlannedRun& run : plan_.runs) {
      for (const auto& [key, value] : run.settings) keys_.insert(key);
    }
    plan_.keys.assign(keys_.begin(), keys_.end());
  }

 private:
  void read_analyze(config::Section& root) {
    const auto node = document_.root()["analyze"];
    if (node.is_table()) {
      config::Section analysis = root.table("analyze");
      plan_.top = std::get<Index>(analysis.value(top_key));
      analysis.finish();
    } else if (!node || node.is_boolean()) {
      plan_.analyzes = std::get<bool>(root.value({.name = "analyze", .help = "each run", .initial = true}));
    } else {
      root.refuse("analyze", "must be true, false or a table such as { top = 16 }");
    }
  }

  void read_grid(const config::Section& grid) {
    std::vector<Axis> axes;
    collect_axes(document_, grid.values(), "", axes);
    std::ranges::sort(axes, {}, &Axis::key);  // "train.seed" = 0 stands elsewhere than train.seed = 0
    const auto twice = std::ranges::adjacent_find(axes, {}, &Axis::key);
    if (twice != axes.end())
      throw InputError("{}: {}: {} is there twice", grid.place(), grid.path(), twice->key);
    const auto config = std::ranges::find(axes, "config", &Axis::key);
    if (config == axes.end())
      throw InputError("{}: {}.config is missing; it must be a config file, or an array of them",
                       grid.place(), grid.path());
    const std::vector<std::string> files = std::move(config->values);
    axes.erase(config);
    for (const std::string& file : files) {
      for (auto& settings : combinations_of(grid, axes)) add_run(grid, axes, file, std::move(settings));
    }
  }

  void add_run(const config::Section& grid, const std::vector<Axis>& axes, const std::string& file,
               std::vector<std::pair<std::string, std::string>> settings) {
    PlannedRun run;
    run.config_path = (folder_ / file).lexically_normal().string();
    run.settings = std::move(settings);
    run.name = run.group = std::filesystem::path(file).stem().string();
    const auto [file_of_name, is_new_file] = files_.emplace(run.name, run.config_path);
    if (file_of_name->second != run.config_path) {
      throw InputError("{}: {} and {} would both be called {}; give one of the files another name",
                       grid.place(), file_of_name->second, run.config_path, run.name);
    }
    for (const auto& [key, value] : run.settings) {
      run.name += folder_name(fmt::format(",{}={}", key, value));
      if (key != seed_key) run.group += fmt::format(",{}={}", key, value);
    }
    const auto [known, is_new] = runs_.emplace(run.name, plan_.runs.size());
    if (!is_new) {
      const PlannedRun& other = plan_.runs[known->second];
      if (other.config_path == run.config_path && other.settings == run.settings) return;  // of another grid
      throw InputError("{}: {} and {} would both be the run {}; move the settings of one to its own config",
                       grid.place(), described(other), described(run), run.name);
    }
    if (run.name.size() > longest_name) {
      throw InputError("{}: {}: the name of the run {} is longer than {} bytes; move settings to the config",
                       grid.place(), grid.path(), run.name, longest_name);
    }
    try {
      run.config = config::parse_config(text_of(run.config_path), run.config_path, run.overrides());
      run.ranks = run::usable_ranks(run.config, most_experts(run.config), plan_.ranks);
    } catch (const InputError& error) {
      throw InputError("{}: {}: {}", grid.place(), grid.path(), error.what());
    }
    const auto [equal, is_only] = effective_.emplace(run.config.text, plan_.runs.size());
    if (!is_only) {
      throw InputError("{}: {} and {} are one run, as their effective configs are equal; leave one out",
                       grid.place(), described(plan_.runs[equal->second]), described(run));
    }
    run.repetition = repetition_of(run, axes);
    plan_.runs.push_back(std::move(run));
  }

  const std::string& text_of(const std::string& path) {
    const auto known = texts_.find(path);
    return known != texts_.end() ? known->second
                                 : texts_.emplace(path, read_text_file(path, "the config")).first->second;
  }

  std::filesystem::path folder_;
  config::Document document_;
  SweepPlan& plan_;
  std::map<std::string, std::size_t> runs_;       // place in the plan, by name
  std::map<std::string, std::size_t> effective_;  // the same, by effective config
  std::map<std::string, std::string> files_;      // of configs, by what they are called in names
  std::map<std::string, std::string> texts_;      // by config file
  std::set<std::string> keys_;
};

}  // namespace

std::vector<std::string> PlannedRun::overrides() const {
  std::vector<std::string> texts;
  for (const auto& [key, value] : settings) texts.push_back(fmt::format("{}={}", key, value));
  return texts;
}

SweepPlan read_sweep(const std::string& path) {
  SweepPlan plan;
  Reader(path, plan).read();
  return plan;
}

std::vector<std::string> launcher_words(std::string launcher, Index ranks) {
  const std::string number = fmt::format("{}", ranks);
  for (std::size_t at = launcher.find(ranks_mark); at != std::string::npos; at = launcher.find(ranks_mark))
    launcher.replace(at, ranks_mark.size(), number);
  std::istringstream words(launcher);
  return {std::istream_iterator<std::string>(words), {}};
}

}  // namespace dmoe::sweep
