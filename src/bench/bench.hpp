// The measurements of speed that there are, each with what can be set. Nothing here asserts a time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/measurement.hpp"
#include "bench/networks.hpp"
#include "comm/communicator.hpp"

namespace dmoe::bench {

/// What is not given has a default of each bench.
struct Options {
  NamedNetwork network = network_named("A");
  std::vector<Index> batch_sizes;    // of step, evaluate, ranks and sum
  std::optional<Index> repetitions;  // of each measurement, in turn
  std::optional<Index> steps;        // of one repetition
};

struct Bench {
  std::string name;
  std::string help;  // one line
  Index least_ranks;
  /// The experts that the smallest network it measures on all ranks has: more ranks would have nothing to do.
  Index (*most_ranks)(const Options& options);
  /// Collective over `world`.
  void (*run)(const comm::Communicator& world, const Options& options, const Record& record);
};

/// All of them, in the order in which they are run. Local.
const std::vector<Bench>& benches();

/// Why a bench cannot run on so many ranks; "" where it can. Local.
std::string obstacle(const Bench& bench, Index ranks, const Options& options);

/// One training step on one rank over its matrix products alone, and the products over the machine's peak:
/// "step", "products" (time, rate, share of the peak), "peak". Collective over `world`; the coordinator
/// measures.
void step(const comm::Communicator& world, const Options& options, const Record& record);

/// The same of evaluation, a batch at a time: "evaluate", "forward_products", "peak". Collective over
/// `world`; the coordinator measures.
void evaluate(const comm::Communicator& world, const Options& options, const Record& record);

}  // namespace dmoe::bench
