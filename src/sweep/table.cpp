#include "sweep/table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "console/wording.hpp"
#include "core/error.hpp"
#include "core/paths.hpp"
#include "data/contents.hpp"
#include "io/analysis_file.hpp"
#include "io/run_summary.hpp"
#include "run/folder.hpp"
#include "run/guarded_file.hpp"

namespace dmoe::sweep {

namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

/// What a run's file says.
struct Outcome {
  io::RunSummary run;
  std::optional<analysis::Analysis> analysis;
};

std::string file_of(const std::string& folder, const PlannedRun& run) {
  return run::run_file(sweep_run_folder(folder, run));
}

/// Nothing where the file is missing or cannot be read: the others' rows do not depend on it.
std::optional<Outcome> outcome_of(const std::string& file) {
  try {
    if (path_exists(file)) return Outcome{io::read_run(file), io::read_analysis(file)};
  } catch (const std::exception&) {
  }
  return std::nullopt;
}

std::string status_text(const std::optional<Outcome>& outcome, const std::string& file) {
  if (outcome) return io::to_text(outcome->run.provenance.status);
  return path_exists(file) ? "unreadable" : "missing";
}

/// Columns that appear when a run first has them; rows before it are filled up.
class Columns {
 public:
  void text(const std::string& name, const std::string& value) {
    std::get<std::vector<std::string>>(column<std::string>(name, "text", "").values).push_back(value);
  }
  void number(const std::string& name, const std::string& units, double value) {
    std::get<std::vector<double>>(column<double>(name, units, none).values).push_back(value);
  }
  void end_row() {
    ++rows_;
    for (io::TableColumn& column : columns_)
      std::visit([&](auto& values) { values.resize(rows_, filling(values)); }, column.values);
  }
  std::vector<io::TableColumn> columns() && { return std::move(columns_); }

 private:
  static std::string filling(const std::vector<std::string>& /*of*/) { return ""; }
  static double filling(const std::vector<double>& /*of*/) { return none; }

  template <class T>
  io::TableColumn& column(const std::string& name, const std::string& units, const T& missing) {
    const auto known = std::ranges::find(columns_, name, &io::TableColumn::name);
    if (known != columns_.end()) return *known;
    return columns_.emplace_back(io::TableColumn{name, units, std::vector<T>(rows_, missing)});
  }

  std::vector<io::TableColumn> columns_;
  std::size_t rows_ = 0;
};

/// Seconds between two times such as "2026-11-23T21:17:43Z"; NaN where one is missing.
double seconds_between(const std::string& from, const std::string& to) {
  const auto parsed = [](const std::string& text) -> std::optional<std::time_t> {
    std::tm parts{};
    if (::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts) == nullptr) return std::nullopt;
    return ::timegm(&parts);
  };
  const auto began = parsed(from);
  const auto ended = parsed(to);
  return began && ended ? std::difftime(*ended, *began) : none;
}

/// Of all launches together, without the time between them; of the first files from the first start to the
/// end.
double seconds_of(const io::RunSummary& run) {
  double sum = 0;
  for (const io::LaunchRecord& launch : run.launches) {
    if (!launch.wall_seconds) return seconds_between(run.provenance.start_time, run.provenance.end_time);
    sum += *launch.wall_seconds;
  }
  return sum;
}

void add_scores(Columns& columns, const io::RunSummary& run) {
  if (run.evaluations.empty()) return;
  const training::EvaluationRow& last = run.evaluations.back();
  columns.number("epochs", "epochs", static_cast<double>(last.epoch));
  const auto add = [&](const std::string& split, const training::Score& score) {
    columns.number(split + "_error", "1", score.error);
    columns.number(split + "_loss", "nats", score.loss);
  };
  add("test", last.test);
  add("train", last.train);
  if (last.has_validation) add("validation", last.validation);
}

/// Of the run's own data.
void add_analysis(Columns& columns, const analysis::Analysis& result) {
  if (!result.data_differences.empty()) return;
  for (std::size_t l = 0; l < result.layers.size(); ++l) {
    const analysis::LayerSpecialisation& layer = result.layers[l];
    if (layer.is_empty()) continue;
    const std::string prefix = fmt::format("layer{}_", l + 1);
    columns.number(prefix + "smallest_mean_gate", "1", *std::ranges::min_element(layer.mean_gate));
    columns.number(prefix + "largest_mean_gate", "1", *std::ranges::max_element(layer.mean_gate));
    for (const analysis::FactorMap& map : layer.factors) {
      columns.number(prefix + map.factor + "_information", "1", map.soft.observed.normalized);
      columns.number(prefix + map.factor + "_p_value", "1", map.soft.p_value());
    }
  }
}

/// "3" of key "train.seed"; "" where the run does not set it.
std::string setting_of(const PlannedRun& run, const std::string& key) {
  for (const auto& [name, value] : run.settings) {
    if (name == key) return value;
  }
  return "";
}

/// "1.62 +- 0.05 %": mean and sample standard deviation of fractions.
std::string spread_text(const std::vector<double>& fractions) {
  const auto count = static_cast<double>(fractions.size());
  double mean = 0;
  for (const double value : fractions) mean += value / count;
  double squares = 0;
  for (const double value : fractions) squares += (value - mean) * (value - mean);
  if (fractions.size() < 2) return fmt::format("{:.2f} %", 100 * mean);
  return fmt::format("{:.2f} +- {:.2f} %", 100 * mean, 100 * std::sqrt(squares / (count - 1)));
}

}  // namespace

std::string sweep_run_folder(const std::string& folder, const PlannedRun& run) {
  return (std::filesystem::path(folder) / "runs" / run.name).string();
}

RunState state_of(const std::string& folder, const PlannedRun& run) {
  const std::string file = file_of(folder, run);
  if (!path_exists(file)) return RunState::missing;
  run::check_in_child(file);
  const io::RunSummary found = io::read_run(file);
  const bool is_finished = found.provenance.status == io::RunStatus::finished;
  if (config::parse_config(found.config_toml, file + ", /config", {}, config::Unknown::kept).text !=
      run.config.text) {
    throw InputError("{}: {} run of another config than the sweep's; name another --output, or remove it",
                     file, is_finished ? "a finished" : "an unfinished");
  }
  if (!is_finished) return RunState::unfinished;
  return io::read_analysis(file) ? RunState::analyzed : RunState::finished;
}

std::vector<io::TableColumn> sweep_table(const std::string& folder, const SweepPlan& plan) {
  Columns columns;
  for (const PlannedRun& run : plan.runs) {
    columns.text("run", run.name);
    columns.text("group", run.group);
    columns.text("config", run.config_path);
    for (const std::string& key : plan.keys) columns.text(key, setting_of(run, key));
    const std::string file = file_of(folder, run);
    const std::optional<Outcome> outcome = outcome_of(file);
    columns.text("status", status_text(outcome, file));
    if (outcome) {
      const io::NetworkRecord& network = outcome->run.network;
      columns.text("layers", network.text);
      columns.number("parameters", "1", static_cast<double>(network.parameters));
      columns.number("multiply_accumulates", "1", static_cast<double>(network.multiply_accumulates));
      columns.number("seconds", "s", seconds_of(outcome->run));
      add_scores(columns, outcome->run);
      if (outcome->analysis) add_analysis(columns, *outcome->analysis);
    }
    columns.end_row();
  }
  return std::move(columns).columns();
}

std::string sweep_summary(const std::string& folder, const SweepPlan& plan) {
  std::vector<std::string> order;
  std::map<std::string, std::array<std::vector<double>, 2>> errors;     // test, train
  std::map<std::string, std::pair<std::string, data::Contents>> first;  // of each group: its name, its data
  std::string warnings;
  for (const PlannedRun& run : plan.runs) {
    const std::optional<Outcome> outcome = outcome_of(file_of(folder, run));
    if (!outcome || outcome->run.provenance.status != io::RunStatus::finished) continue;
    if (outcome->run.evaluations.empty()) continue;
    if (!errors.contains(run.group)) order.push_back(run.group);
    const auto& [name, contents] =
        first.try_emplace(run.group, run.name, outcome->run.data.contents).first->second;
    const std::vector<std::string> others = data::differences(contents, outcome->run.data.contents);
    if (!others.empty())
      warnings += fmt::format("warning: {} was trained on other data than {}: {}\n", run.name, name,
                              fmt::join(others, "; "));
    errors[run.group][0].push_back(outcome->run.evaluations.back().test.error);
    errors[run.group][1].push_back(outcome->run.evaluations.back().train.error);
  }
  std::size_t width = 0;
  for (const std::string& group : order) width = std::max(width, group.size());
  std::string text;
  for (const std::string& group : order) {
    const auto& [test, train] = errors[group];
    text += fmt::format("{:<{}}  test {}, train {} ({})\n", group, width, spread_text(test),
                        spread_text(train), console::counted(static_cast<Index>(test.size()), "run"));
  }
  return text + warnings;
}

}  // namespace dmoe::sweep
