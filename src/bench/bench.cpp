#include "bench/bench.hpp"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace dmoe::bench {

namespace {

Index any_number(const Options& /*options*/) {
  return std::numeric_limits<Index>::max();
}

Index experts_of_network(const Options& options) {
  return options.network.spec.most_experts();
}

Index fewest_experts(const Options& options) {
  return *std::ranges::min_element(options.experts);
}

}  // namespace

const std::vector<Bench>& benches() {
  static const std::vector<Bench> table{
      {"step", "a training step over its matrix products, and these over the machine's peak", 1, any_number,
       step},
      {"evaluate", "an evaluation over its forward products, and these over the machine's peak", 1,
       any_number, evaluate},
      {"ranks", "a step and an evaluation on all ranks against one; each rank's time; bytes sent", 2,
       experts_of_network, ranks},
      {"replicas", "a step in slices, and on all ranks as replicas and as shards, against one rank", 1,
       any_number, replicas},
      {"size", "a step, an evaluation and memory for 4 to 1024 experts a layer, two for each row", 1,
       fewest_experts, size_of_layers},
      {"sum", "the sum over the ranks in fixed order against MPI's own reduction", 2, any_number, sum},
      {"shapes", "the first product of a new number of rows, which is compiled, against the next", 1,
       any_number, shapes},
  };
  return table;
}

std::string obstacle(const Bench& bench, Index ranks, const Options& options) {
  if (ranks < bench.least_ranks)
    return fmt::format("needs at least {0} ranks: mpirun -n {0}", bench.least_ranks);
  if (ranks > bench.most_ranks(options))
    return fmt::format("has work for at most {} ranks, got {}", bench.most_ranks(options), ranks);
  return "";
}

}  // namespace dmoe::bench
