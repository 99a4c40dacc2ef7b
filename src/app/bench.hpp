// Measurements with ratios, side by side in one run. Nothing here asserts a time.
#pragma once

#include <vector>

#include "comm/communicator.hpp"
#include "core/types.hpp"

namespace dmoe::app {

struct BenchOptions {
  std::vector<Index> batch_sizes{100, 128};
  Index repetitions = 7;  // of each measurement, in turn; medians are printed
  Index steps = 50;       // of one repetition
};

/// One training step of A (4x100 - 4x100, gates 50 - 50, 1296 inputs) against its matrix products alone on
/// one rank, and against itself on all ranks with the ceiling that the split of the work sets. Prints on the
/// coordinator. Collective.
void bench_step(const comm::Communicator& world, const BenchOptions& options);

/// The sum over the ranks in the fixed order of the tree against the library's own reduction (MPI_Reduce), of
/// (B, H) partial sums. Prints on the coordinator. Collective.
void bench_sum(const comm::Communicator& world, const BenchOptions& options);

}  // namespace dmoe::app
