#include "io/describe.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <numeric>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/paths.hpp"
#include "core/timing.hpp"
#include "io/analysis_file.hpp"
#include "io/format.hpp"
#include "io/run_summary.hpp"

namespace dmoe::io {

namespace {

/// Text that grows line by line: a name in the first column, what is to be said about it behind.
class Page {
 public:
  template <class... Values>
  void line(fmt::format_string<Values...> text, Values&&... values) {
    fmt::format_to(std::back_inserter(text_), text, std::forward<Values>(values)...);
    text_ += '\n';
  }
  template <class... Values>
  void item(const std::string& name, fmt::format_string<Values...> text, Values&&... values) {
    line("{:<13}{}", name, fmt::format(text, std::forward<Values>(values)...));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// Seconds since 1970 of "2026-11-23T21:17:43Z"; nothing where the text is none.
std::optional<std::time_t> parse_time(const std::string& text) {
  std::tm parts{};
  if (::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts) == nullptr) return std::nullopt;
  return ::timegm(&parts);
}

/// "1 step", "7200 steps"
std::string counted(Index count, const char* noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

/// "7 min 17 s"
std::string duration_text(std::int64_t seconds) {
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
  return fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60);
}

/// "node1 (2 ranks), node2"
std::string hosts_text(const std::vector<std::string>& hosts) {
  std::vector<std::pair<std::string, int>> counts;
  for (const std::string& host : hosts) {
    const auto known =
        std::find_if(counts.begin(), counts.end(), [&](const auto& c) { return c.first == host; });
    if (known == counts.end()) {
      counts.emplace_back(host, 1);
    } else {
      ++known->second;
    }
  }
  std::string text;
  for (const auto& [host, count] : counts) {
    text += (text.empty() ? "" : ", ") + host;
    if (counts.size() > 1 && count > 1) text += fmt::format(" ({} ranks)", count);
  }
  return text;
}

/// " 24.9 25.3 ..": percent of each expert; of many only the range.
std::string percent_text(const std::vector<double>& fractions) {
  constexpr std::size_t most_listed = 16;
  if (fractions.size() > most_listed) {
    const auto [low, high] = std::minmax_element(fractions.begin(), fractions.end());
    if (fractions.size() > 100)  // an even share of less than a percent
      return fmt::format("{:.2g} to {:.2g} over {} experts", 100 * *low, 100 * *high, fractions.size());
    return fmt::format("{:5.1f} to {:.1f} over {} experts", 100 * *low, 100 * *high, fractions.size());
  }
  std::string text;
  for (const double fraction : fractions) text += fmt::format("{:5.1f} ", 100 * fraction);
  text.pop_back();
  return text;
}

void describe_when(Page& page, const Provenance& provenance) {
  const std::string& end = provenance.end_time;
  page.item("status", "{}", to_text(provenance.status));
  const auto began = parse_time(provenance.start_time);
  const auto ended = parse_time(end.empty() ? utc_now() : end);
  const std::string lasted = began && ended ? duration_text(*ended - *began) : "unknown duration";
  if (end.empty()) {
    page.item("when", "since {} ({} ago); a run that was killed stays like this", provenance.start_time,
              lasted);
  } else {
    page.item("when", "{} to {} ({})", provenance.start_time, end, lasted);
  }
  page.item("seed", "{}", provenance.seed);
}

void describe_network(Page& page, const NetworkRecord& network) {
  if (network.text.empty()) return;
  page.item("network", "{} of {} inputs, {} classes: {} parameters, {} multiply-accumulates per example",
            network.text, network.inputs, network.classes, network.parameters, network.multiply_accumulates);
}

/// Numbered from 1, as in /launches.
void describe_launch(Page& page, std::size_t number, const Launch& launch) {
  page.item(fmt::format("launch {}", number), "{}", launch.command_line);
  const std::string replicas = launch.replicas == 1 ? ""
                                                    : fmt::format(" ({} replicas of {})", launch.replicas,
                                                                  launch.ranks / launch.replicas);
  page.item("ran on", "{} rank{}{} on {}, {} thread{} each; {}", launch.ranks, launch.ranks == 1 ? "" : "s",
            replicas, hosts_text(launch.hosts), launch.threads, launch.threads == 1 ? "" : "s",
            launch.mpi_library);
  page.item("processor", "{} ({})", launch.cpu, launch.instruction_set);
}

void describe_training(Page& page, const RunSummary& run) {
  if (run.rows.empty()) {
    page.item("trained", "nothing logged yet");
    return;
  }
  const training::LogRow& row = run.rows.back();
  const auto phase = size(row.phase);
  page.item("trained", "{}, epoch {} (phase {})", counted(row.step, "step"), row.epoch + 1,
            phase < run.phases.size() ? run.phases[phase] : fmt::format("{}", row.phase + 1));
  page.item("last row", "loss {:.4f} nats, error {:.2f} %, learning rate {:.4g}, {:.0f} examples/s", row.loss,
            100 * row.error, row.learning_rate, row.examples_per_second);
}

void describe_score(Page& page, const char* name, const training::EvaluationRow& row) {
  const auto score_text = [](const training::Score& score) {
    return fmt::format("{:8.2f} {:8.4f}", 100 * score.error, score.loss);
  };
  page.line("  {:<9}{:>6}  {}{}  {}", name, row.epoch, score_text(row.test),
            row.has_validation ? "  " + score_text(row.validation) : "", score_text(row.train));
}

void describe_evaluations(Page& page, const std::vector<training::EvaluationRow>& rows) {
  if (rows.empty()) return;
  const bool has_validation = rows.front().has_validation;
  page.line("\nevaluation     epoch  {:>17}{}  {:>17}", "test",
            has_validation ? fmt::format("  {:>17}", "validation") : "", "train");
  page.line("                      {0}{1}  {0}", " error %     loss",
            has_validation ? "   error %     loss" : "");
  if (has_validation) {  // never chosen on the test set
    const auto best = std::min_element(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
      return a.validation.error < b.validation.error;
    });
    describe_score(page, "best (v.)", *best);
  }
  describe_score(page, "last", rows.back());
}

void describe_assignment(Page& page, const std::vector<training::LogRow>& rows) {
  const auto is_gated = [](const training::AssignmentRow& layer) { return !layer.totals.empty(); };
  if (rows.empty() || std::none_of(rows.back().layers.begin(), rows.back().layers.end(), is_gated)) return;
  page.line("\nassignment over {}, % of each expert", counted(rows.back().step, "step"));
  for (std::size_t l = 0; l < rows.back().layers.size(); ++l) {
    if (!is_gated(rows.back().layers[l])) continue;
    std::vector<double> share = rows.back().layers[l].totals;
    const double sum = std::accumulate(share.begin(), share.end(), 0.0);
    for (double& value : share) value /= sum;
    std::vector<double> masked(share.size(), 0.0);  // fraction of all steps
    Index done = 0;
    for (const training::LogRow& row : rows) {
      const double weight = static_cast<double>(row.step - done) / static_cast<double>(rows.back().step);
      for (std::size_t i = 0; i < masked.size(); ++i) masked[i] += weight * row.layers[l].masked_fraction[i];
      done = row.step;
    }
    page.line("  layer {:<3}share  {}", l + 1, percent_text(share));
    page.line("           masked {}", percent_text(masked));
  }
}

void describe_analysis(Page& page, const std::optional<analysis::Analysis>& result) {
  const auto is_gated = [](const analysis::LayerSpecialisation& layer) { return !layer.is_empty(); };
  if (!result || std::none_of(result->layers.begin(), result->layers.end(), is_gated)) return;
  page.line("\nmutual information of expert and factor, divided by log N, in brackets by the largest gate");
  page.line("({} {} example{})", result->examples, result->split, result->examples == 1 ? "" : "s");
  if (!result->data_differences.empty())
    page.line("(not the data of the run: {})", fmt::join(result->data_differences, "; "));
  std::string header = "  layer ";
  for (const analysis::FactorMap& map :
       std::find_if(result->layers.begin(), result->layers.end(), is_gated)->factors)
    header += fmt::format("{:>18}", map.factor);
  page.line("{}", header);
  for (std::size_t l = 0; l < result->layers.size(); ++l) {
    if (!is_gated(result->layers[l])) continue;
    std::string row = fmt::format("  {:<6}", l + 1);
    for (const analysis::FactorMap& map : result->layers[l].factors) {
      row += fmt::format("{:>18}", fmt::format("{:.3f} ({:.2f})", map.soft.observed.normalized,
                                               map.hard.observed.normalized));
    }
    page.line("{}", row);
  }
}

/// Of each rank the seconds from `first` on, one for each name, in percent of all.
template <std::size_t count>
void describe_seconds(Page& page, const std::string& what, const std::array<std::string_view, count>& names,
                      const training::RankSeconds& seconds, std::size_t first) {
  std::string header = fmt::format("\n{:<10}", what);
  for (const std::string_view name : names) header += fmt::format("{:>15}", name);
  page.line("{}        total s", header);
  for (std::size_t rank = 0; rank < seconds.size(); ++rank) {
    const double all = total(seconds[rank]);
    std::string row = fmt::format("  rank {:<3}", rank);
    for (const double part : std::span(seconds[rank]).subspan(first, count))
      row += fmt::format("{:>15.1f}", all > 0 ? 100 * part / all : 0.0);
    page.line("{}{:>15.1f}", row, all);
  }
}

void describe_timing(Page& page, const training::RankSeconds& seconds) {
  if (seconds.empty()) return;
  describe_seconds(page, "time, %", activity_names, seconds, 0);
  const auto has_parts = [](const ActivitySeconds& rank) {
    return std::ranges::any_of(std::span(rank).subspan(activity_names.size()),
                               [](double part) { return part > 0; });
  };
  if (std::ranges::any_of(seconds, has_parts))
    describe_seconds(page, "of it", part_names, seconds, activity_names.size());
}

std::string describe_run(const std::string& path) {
  const RunSummary run = read_run(path);
  Page page;
  page.line("{}: a run of dmoe {} ({})\n", path, run.provenance.version, run.provenance.git_commit);
  describe_when(page, run.provenance);
  describe_network(page, run.network);
  for (std::size_t s = 0; s < run.launches.size(); ++s) describe_launch(page, s + 1, run.launches[s].launch);
  describe_training(page, run);
  describe_evaluations(page, run.evaluations);
  describe_assignment(page, run.rows);
  for (const char* split : {"test", "train", "validation"})
    describe_analysis(page, read_analysis(path, split));
  if (!run.launches.empty()) describe_timing(page, run.launches.back().seconds);
  return page.text();
}

/// Names and shapes of all tensors of a group, and how many values they hold.
Index describe_tensors(Page& page, const hdf5::File& file, const std::string& group,
                       const std::string& prefix) {
  Index count = 0;
  for (const std::string& name : file.children(group)) {
    const std::string path = group + "/" + name;
    if (file.kind(path) == hdf5::File::Kind::group) {
      count += describe_tensors(page, file, path, prefix + name + "/");
      continue;
    }
    const hdf5::Shape shape = file.shape(path);
    page.line("  {:<22}{}", prefix + name, hdf5::to_text(shape));
    count += hdf5::element_count(shape);
  }
  return count;
}

/// "mixture, 4 experts of 100 units, gate of 50 units"
std::string layer_text(const hdf5::File& file, const std::string& layer) {
  std::string text = file.read_attribute<std::string>(layer, "kind");
  const std::string usual = layer + "/experts/bias";
  const std::string experts = file.exists(usual) ? usual : layer + "/experts/hidden_bias";
  const std::string gate = layer + "/gate/hidden_bias";
  if (file.exists(experts)) {
    const hdf5::Shape shape = file.shape(experts);
    text +=
        fmt::format(", {} expert{} of {} units", shape.front(), shape.front() == 1 ? "" : "s", shape.back());
  }
  if (file.exists(gate)) text += fmt::format(", gate of {} units", file.shape(gate).front());
  return text;
}

/// Of a model file or a checkpoint.
std::string describe_model(const std::string& path, const std::string& format) {
  const hdf5::File file = hdf5::File::open_read(path);
  Page page;
  page.line("{}: a {} of dmoe {} ({}), format version {}\n", path, format.substr(format.find('-') + 1),
            file.read_attribute<std::string>("/", "dmoe_version"),
            file.read_attribute<std::string>("/provenance", "git_commit"),
            file.read_attribute<std::int64_t>("/", "format_version"));
  page.item("trained", "{}, {}", counted(file.read_attribute<std::int64_t>("/model", "step"), "step"),
            counted(file.read_attribute<std::int64_t>("/model", "epoch"), "epoch"));
  Index count = 0;
  for (const std::string& name : file.children("/model/layers")) {
    const std::string layer = "/model/layers/" + name;
    page.line("\n{:<13}{}", "layer " + name, layer_text(file, layer));
    count += describe_tensors(page, file, layer, "");
  }
  if (file.exists("/model/head")) {
    page.line("\nhead");
    count += describe_tensors(page, file, "/model/head", "");
  }
  page.line("\n{:<13}{}", "parameters", count);
  return page.text();
}

}  // namespace

std::string describe(const std::string& path) {
  if (is_folder(path)) {
    throw InputError("{}: it is a folder; name a file in it, for example {}/run.h5", path, path);
  }
  const std::string format =
      check_format(hdf5::File::open_read(path), {run_format, model_format, checkpoint_format});
  return format == run_format ? describe_run(path) : describe_model(path, format);
}

}  // namespace dmoe::io
