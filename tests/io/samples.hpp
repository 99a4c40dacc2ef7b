// A run and an analysis with a value of its own in every place.
#pragma once

#include <string>
#include <vector>

#include "analysis/analysis.hpp"
#include "io/run_summary.hpp"

namespace dmoe::test {

inline io::Launch sample_launch() {
  return {
      "dmoe train a.toml", {"node1", "node1", "node2"}, "Open MPI 4.1.4", 3, 1, "rows", 2, "A CPU", "avx512"};
}

/// Two layers of 2 and 3 experts; x makes rows differ.
inline training::LogRow sample_row(Index step, double x) {
  return {
      step,    1,    0,          0.3 + x,
      0.1 + x, 0.25, 1234.5 + x, {{{10 + x, 30 + x}, {0.5, 0}}, {{10 + x, 10 + x, 20 + x}, {0, 0.25, x}}}};
}

inline training::EvaluationRow sample_evaluation(Index epoch, double x) {
  return {epoch, {0.1 + x, 0.026 + x}, {0.2 + x, 0.02 + x}, true, {0.3 + x, 0.03 + x}};
}

inline io::RunSummary sample_run() {
  io::RunSummary run;
  run.config_toml = "[train]\nseed = 3\n";
  run.provenance = {
      "0.1.0", "abc123", 3, "2026-01-02T03:04:05Z", "2026-01-02T03:11:22Z", io::RunStatus::finished};
  run.network = {"2x5 - 3x4", {{{2, 5, 3}, 6, 5}, {{3, 4, 2}, 5, 4}}, 6, 4, 123, 456};
  run.data = {1000, 0, 200, "/home/her", {}};
  run.data.contents.example_shape = {28, 28};
  run.data.contents.classes = 3;
  run.data.contents.names = {{"class", {"a", "b", "c"}}, {"speaker", {"ann"}}};
  run.data.contents.of(data::Split::train) = {1000, {500, 500, 0}, "0123456789abcdef", "00000000000000ff"};
  run.data.contents.of(data::Split::test) = {200, {50, 100, 50}, "fedcba9876543210", "ff00000000000000"};
  run.launches = {{sample_launch(),
                   "GNU 12.2.0",
                   {{8, 1, 1, 0, 0}, {4, 2, 3, 1, 0}, {1, 2, 3, 4, 5}},
                   "2026-01-02T03:04:05Z",
                   100,
                   {"train.log_every_steps: 100 -> 10"}}};
  run.phases = {"constrained", "fine_tune"};
  run.rows = {sample_row(100, 0), sample_row(200, 0.125)};
  run.evaluations = {sample_evaluation(1, 0), sample_evaluation(2, 0.001), sample_evaluation(3, 0.002)};
  return run;
}

/// Two layers of 2 experts, 2 permutations, a pair with 1 top example on inputs of 3.
inline analysis::Analysis sample_analysis(const std::string& split) {
  const analysis::FactorMap by_class{"class",
                                     {3},
                                     {"class"},
                                     {"zero", "one", "two"},
                                     {1, 2, 3, 4, 5, 6},
                                     {{0.5, 0.625}, {{0.01, 0.02}, {0.03, 0.04}}},
                                     {{0.25, 0.375}, {{0.3, 0.06}, {0.07, 0.08}}}};
  const analysis::FactorMap by_place{"place",
                                     {1, 2},
                                     {"row", "column"},
                                     {},
                                     {7, 8, 9, 10},
                                     {{0.125, 0.2}, {{0.11, 0.12}, {0.13, 0.14}}},
                                     {{0.3, 0.4}, {{0.15, 0.16}, {0.17, 0.18}}}};
  const analysis::Pair pair{2,
                            2,
                            {0.1, 0.2, 0.3, 0.4},
                            {0.33, 0.67, 0.43, 0.57},
                            {1, {4, 5, 6, -1}, {0.9F, 0.8F, 0.7F, 0}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0}}};
  return {split,
          50,
          12,
          {2, 9},
          {"2 classes, were 3"},
          {{{0.25, 0.75}, {0.56, 0.81}, {0.1, 0.15}, {by_class, by_place}},
           {{0.999, 0.001}, {0.6, 0.9}, {0.2, 0.3}, {by_class, by_place}}},
          {pair},
          {}};
}

}  // namespace dmoe::test
