// bench shapes: products are compiled for each shape, so the first one of a new row count takes longer. What
// a routed expert has to do changes from batch to batch.
#include <fmt/format.h>

#include "bench/bench.hpp"
#include "bench/products.hpp"
#include "bench/repetition.hpp"

namespace dmoe::bench {

void shapes(const comm::Communicator& world, const Options& options, const Record& record) {
  if (!world.is_coordinator()) return;  // the others wait for what comes next
  constexpr Index products = 3;         // y, dx and dW
  constexpr Index least = 65;           // odd: no padded number of rows, hence compiled by nobody before
  const Index repetitions = options.repetitions.value_or(7);
  Samples first;
  Samples later;
  for (Index i = 0; i <= repetitions; ++i) {
    Products part;
    part.add(part.input(least + 2 * i, options.inputs()), options.hidden, numerics::Activation::relu,
             distribution::InputGradient::wanted);
    const double compiled = milliseconds_of([&] { part.steps(1); });
    const double again = milliseconds_of([&] { part.steps(1); });
    if (i == 0) continue;  // warms up
    first.push_back(compiled / products);
    later.push_back(again / products);
  }
  const Index middle = least + repetitions + 1;  // of least + 2, least + 4, .., least + 2 repetitions
  const Subject subject{fmt::format("1x{}", options.hidden), middle, 1, 1};
  record("first_call", subject, time_ms, first);
  record("later_call", subject, time_ms, later);
}

}  // namespace dmoe::bench
