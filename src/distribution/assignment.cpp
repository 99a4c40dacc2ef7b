#include "distribution/assignment.hpp"

#include <algorithm>

namespace dmoe::distribution {

namespace {

constexpr Index request_kinds = 3;

}  // namespace

AssignmentReduction::AssignmentReduction(Network& network) : network_(&network) {
  Index experts = 0;
  for (const model::LayerSpec& layer : network.spec().layers) {
    starts_.push_back(experts);
    experts += layer.choices();
  }
  starts_.push_back(experts);
  values_.resize(size(experts + request_kinds));
}

void AssignmentReduction::start(const StepRequests& mine) {
  std::fill(values_.begin(), values_.end(), balance::Total{0});
  for (Index l = 0; l < network_->spec().layer_count(); ++l) {
    const Index first = starts_[size(l)];
    const auto totals = std::span(values_).subspan(size(first), size(starts_[size(l) + 1] - first));
    if (Mixture* const mixture = network_->mixture(l)) mixture->add_assigned(totals);
  }
  const auto asks = std::span(values_).last<request_kinds>();
  asks[0] = mine.stop ? 1 : 0;
  asks[1] = mine.checkpoint ? 1 : 0;
  asks[2] = mine.help ? 1 : 0;
  request_ = network_->grid().world().start_all_reduce(values_);
}

StepRequests AssignmentReduction::requests() const {
  const auto asks = std::span(values_).last<request_kinds>();
  return {asks[0] != 0, asks[1] != 0, asks[2] != 0};
}

std::span<const balance::Total> AssignmentReduction::assigned(Index layer) const {
  const Index first = starts_[size(layer)];
  return std::span(values_).subspan(size(first), size(starts_[size(layer) + 1] - first));
}

}  // namespace dmoe::distribution
