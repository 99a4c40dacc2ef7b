#include "training/trouble.hpp"

#include <cmath>

#include <fmt/format.h>

#include "comm/archive.hpp"

namespace dmoe::training {

void Trouble::note(Index step, const numerics::Loss& loss, const std::optional<std::string>& tensor,
                   double rate) {
  if (is_there() || (std::isfinite(loss.sum) && !tensor)) return;
  const Index layers = network_.spec().layer_count();
  std::string place = fmt::format("the gradient of {}", tensor.value_or(""));
  if (!std::isfinite(loss.sum)) {
    const Index layer = network_.first_layer_not_finite();
    place = layer < layers ? fmt::format("the loss, from the output of layer {} on,", layer + 1) : "the loss";
  }
  first_ = {step, fmt::format("step {}, rank {}: {} is not finite; a learning rate below {}, or "
                              "train.max_gradient_norm, may help",
                              step, network_.grid().world().rank(), place, rate)};
}

void Trouble::check() const {
  const comm::Communicator& ranks = network_.grid().world();
  if (ranks.all_reduce_max(first_.step) == 0) return;
  Event first;  // on the lowest rank of those that met it at the earliest step
  for (const Event& event : comm::gather_objects(ranks, first_)) {
    if (event.step > 0 && (first.step == 0 || event.step < first.step)) first = event;
  }
  comm::broadcast_object(ranks, first);
  throw NumericalError(ranks, first.message);
}

}  // namespace dmoe::training
