#include "distribution/assignment.hpp"

#include <algorithm>

namespace dmoe::distribution {

AssignmentReduction::AssignmentReduction(Network& network) : network_(&network) {
  Index experts = 0;
  for (const model::LayerSpec& layer : network.spec().layers) {
    starts_.push_back(experts);
    experts += layer.choices();
  }
  starts_.push_back(experts);
  values_.resize(size(experts + 1));
}

void AssignmentReduction::start(Stop stop) {
  std::fill(values_.begin(), values_.end(), balance::Total{0});
  for (Index l = 0; l < network_->spec().layer_count(); ++l) {
    const ConstMatrixView gates = network_->gates(l);
    const ExpertRange own = network_->range(l);
    for (Index b = 0; b < gates.rows; ++b) {
      for (Index i = own.first; i < own.end(); ++i) {
        values_[size(starts_[size(l)] + i)] += balance::to_total(gates(b, i));
      }
    }
  }
  values_.back() = stop == Stop::requested ? 1 : 0;
  request_ = network_->ranks().start_all_reduce(values_);
}

std::span<const balance::Total> AssignmentReduction::assigned(Index layer) const {
  const Index first = starts_[size(layer)];
  return std::span(values_).subspan(size(first), size(starts_[size(layer) + 1] - first));
}

}  // namespace dmoe::distribution
