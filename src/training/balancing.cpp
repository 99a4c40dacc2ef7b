#include "training/balancing.hpp"

#include <utility>

namespace dmoe::training {

Balancing::Balancing(const std::vector<PhaseSpec>& phases, distribution::Network& network)
    : network_(network), reduction_(network) {
  for (const model::LayerSpec& layer : network.spec().layers) balancers_.emplace_back(layer.choices());
  for (const balance::Balancer& balancer : balancers_) masks_.push_back(balancer.masked());
  for (const PhaseSpec& phase : phases) {
    rules_.push_back(balance::rules().find(phase.rule.name).make(phase.rule.settings));
    routings_.emplace_back(phase.routings, network.spec().layer_count());
  }
}

void Balancing::begin_phase(Index phase) {
  for (balance::Balancer& balancer : balancers_) balancer.begin_phase(*rules_[size(phase)]);
  routings_[size(phase)].put_in_force(network_);
}

void Balancing::finish() {
  reduction_.finish();
  for (std::size_t l = 0; l < balancers_.size(); ++l)
    balancers_[l].add(reduction_.assigned(static_cast<Index>(l)));
}

Balancing::MaskedSteps Balancing::masked_steps() const {
  MaskedSteps steps;
  for (const balance::Balancer& balancer : balancers_)
    steps.emplace_back(balancer.masked_steps().begin(), balancer.masked_steps().end());
  return steps;
}

std::vector<AssignmentRow> Balancing::rows(const MaskedSteps& before, Index steps) const {
  std::vector<AssignmentRow> rows;
  for (std::size_t l = 0; l < balancers_.size(); ++l) {
    AssignmentRow& row = rows.emplace_back();
    for (std::size_t i = 0; i < balancers_[l].totals().size(); ++i) {
      const Index masked = balancers_[l].masked_steps()[i] - before[l][i];
      row.totals.push_back(balance::to_examples(balancers_[l].totals()[i]));
      row.masked_fraction.push_back(static_cast<double>(masked) / static_cast<double>(steps));
    }
  }
  return rows;
}

std::vector<balance::Balancer::State> Balancing::state() const {
  std::vector<balance::Balancer::State> state;
  for (const balance::Balancer& balancer : balancers_) state.push_back(balancer.state());
  return state;
}

void Balancing::restore(std::vector<balance::Balancer::State> state, Index phase) {
  for (std::size_t l = 0; l < balancers_.size(); ++l)
    balancers_[l].restore(std::move(state[l]), *rules_[size(phase)]);
  routings_[size(phase)].put_in_force(network_);
}

}  // namespace dmoe::training
