#include "bench/bench.hpp"

#include <limits>

#include <fmt/format.h>

namespace dmoe::bench {

namespace {

Index any_number(const Options& /*options*/) {
  return std::numeric_limits<Index>::max();
}

}  // namespace

const std::vector<Bench>& benches() {
  static const std::vector<Bench> table{
      {"step", "a training step over its matrix products, and these over the machine's peak", 1, any_number,
       step},
      {"evaluate", "an evaluation over its forward products, and these over the machine's peak", 1,
       any_number, evaluate},
  };
  return table;
}

std::string obstacle(const Bench& bench, Index ranks, const Options& options) {
  if (ranks < bench.least_ranks) return fmt::format("needs at least {} ranks: mpirun -n", bench.least_ranks);
  if (ranks > bench.most_ranks(options))
    return fmt::format("has work for at most {} ranks, got {}", bench.most_ranks(options), ranks);
  return "";
}

}  // namespace dmoe::bench
