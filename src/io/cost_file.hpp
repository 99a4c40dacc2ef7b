// Accuracy against cost of one model under many routings, in its run file.
//
//   /cost                             attributes: split, examples, ranks, repetitions, step (of the model),
//                                     instruction_set; data_differences, where the data are not the run's
//   /cost/config                      the effective TOML it was made with
//   /cost/routing                     (R): "all", "top_k" or "threshold", in every layer with a gate
//   /cost/setting                     (R): k or the threshold; NaN of "all"
//   /cost/error, /cost/loss           (R): fraction; nats
//   /cost/multiply_accumulates        (R): of an example, in the mean; counted
//   /cost/seconds                     (R): of the forward passes over all examples on the first rank, median
#pragma once

#include <string>
#include <vector>

#include "core/types.hpp"
#include "training/observer.hpp"

namespace dmoe::io {

struct CostPoint {
  std::string routing;
  double setting = 0;
  training::Score score;
  double multiply_accumulates = 0;  // an example
  double seconds = 0;
};

struct CostCurve {
  std::string split;
  Index examples = 0;
  Index ranks = 0;
  Index repetitions = 0;
  std::string config_toml;
  Index step = 0;
  std::string instruction_set;
  std::vector<std::string> data_differences;  // from those the model was trained on
  std::vector<CostPoint> points;
};

/// Puts a curve into a run file, in place of an older one; the file changes at once or not at all. Not while
/// the run goes on. Throws InputError where the file is no run file, RunError where it cannot be written.
/// Local.
void write_cost(const std::string& run_path, const CostCurve& curve);

}  // namespace dmoe::io
