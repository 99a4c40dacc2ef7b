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

  // Of size: two layers of N experts of H units each, on 2 H inputs, with gates of H / 4 units.
  std::vector<Index> experts{4, 16, 64, 256, 1024};  // N
  Index hidden = 128;                                // H
  Index chosen = 2;                                  // of N by each row
  std::vector<Index> rows{32'768, 100};              // of a step

  Index inputs() const { return 2 * hidden; }
  std::vector<Index> batch_sizes_or(const std::vector<Index>& usual) const {
    return batch_sizes.empty() ? usual : batch_sizes;
  }
};

struct Bench {
  std::string name;
  std::string help;  // one line
  Index least_ranks;
  /// The experts of the smallest network that it measures on all ranks: more ranks would have nothing to do.
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

/// Steps and evaluations on all ranks against one: "step" and "evaluate" (time, speed-up, the ceiling that
/// the split of the work sets, the share of it that is reached; of each rank the time by activity), and the
/// bytes of a step, counted ("step_sent", ..) and by the closed form ("closed_form_sent", ..). Collective
/// over `world`.
void ranks(const comm::Communicator& world, const Options& options, const Record& record);

/// A step in 2, 4 and 8 slices of the batch on one rank over one of the whole ("step_in_2_slices", ..), and
/// on all ranks, as shards and as replicas ("step_of_shards", "step_of_replicas": time, speed-up over one
/// rank with the whole batch), where there are more. Collective over `world`.
void replicas(const comm::Communicator& world, const Options& options, const Record& record);

/// A step and an evaluation for each number of experts, two of which each row chooses, for each number of
/// rows: "step", "evaluate", the gates alone ("gate", and their products, "gate_products"), what is left for
/// the experts; ratios to the first number of experts; memory of each rank; rows of an expert and shapes of
/// products; and what the weights of the chosen experts, moved once each time they are needed, take at least
/// ("weights_moved"). Collective over `world`.
void size_of_layers(const comm::Communicator& world, const Options& options, const Record& record);

/// The sum over the ranks in the fixed order of the tree ("sum_fixed_order") against MPI_Reduce
/// ("sum_any_order"), of (B, 100) partial sums onto the coordinator. Collective over `world`.
void sum(const comm::Communicator& world, const Options& options, const Record& record);

/// One product of an expert, of a new number of rows ("first_call") and of one known ("later_call").
/// Collective over `world`; the coordinator measures.
void shapes(const comm::Communicator& world, const Options& options, const Record& record);

}  // namespace dmoe::bench
