// bench sum: what the fixed order of a sum over the ranks costs against the MPI library's own reduction.
#include <fmt/format.h>

#include "bench/bench.hpp"
#include "bench/repetition.hpp"
#include "exchange/dense_exchange.hpp"

namespace dmoe::bench {

namespace {

constexpr Index width = 100;

void measure(const comm::Communicator& world, const Options& options, const Record& record, Index rows,
             Index experts) {
  const exchange::Topology topology(experts, world.size());
  exchange::TreeReduction tree(world, topology, width, comm::Tag::partial_sums);
  const exchange::Homes homes(world, rows);
  Matrix sum(rows, width);
  const Index count = options.steps.value_or(50);
  const std::vector<Samples> samples = in_turn(world, options.repetitions.value_or(7),
                                               {{Where::everywhere, count,
                                                 [&] {
                                                   for (Index i = 0; i < count; ++i) {
                                                     tree.begin(homes);
                                                     tree.send();
                                                     tree.combine(sum.view());
                                                   }
                                                 }},
                                                {Where::everywhere, count, [&] {
                                                   for (Index i = 0; i < count; ++i)
                                                     world.reduce_any_order(sum.values());
                                                 }}});
  if (!world.is_coordinator()) return;
  const Subject subject{fmt::format("{}x{}", experts, width), rows, experts, experts, world.size()};
  record("sum_fixed_order", subject, time_ms, samples[0]);
  record("sum_any_order", subject, time_ms, samples[1]);
  record("sum_fixed_order", subject, ratio, ratios(samples[0], samples[1]));
}

}  // namespace

void sum(const comm::Communicator& world, const Options& options, const Record& record) {
  const Index ranks = world.size();
  for (const Index rows : options.batch_sizes_or({100, 128})) {
    for (const Index experts : {ranks, 2 * ranks + 1, 8 * ranks})
      measure(world, options, record, rows, experts);
  }
}

}  // namespace dmoe::bench
