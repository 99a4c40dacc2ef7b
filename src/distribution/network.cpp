#include "distribution/network.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "core/error.hpp"

namespace dmoe::distribution {

namespace {

/// Before anything is made: a rank without an expert anywhere has nothing to do.
const comm::Communicator& checked(const comm::Communicator& ranks, const model::NetworkSpec& spec,
                                  const numerics::Arithmetic& arithmetic) {
  numerics::require_products_of(arithmetic.precision);
  if (ranks.size() > 1 && spec.most_experts() == 0) {
    throw InputError("{} ranks, but no layer of this network is split over ranks; start one", ranks.size());
  }
  if (ranks.size() > std::max(spec.most_experts(), Index{1})) {
    throw InputError("{} ranks, but no layer has more than {} experts; start at most {} ranks", ranks.size(),
                     spec.most_experts(), spec.most_experts());
  }
  return ranks;
}

std::unique_ptr<model::Head> make_head(const model::NetworkSpec& spec, const comm::Communicator& ranks,
                                       std::uint64_t seed, Index capacity) {
  const auto presence = ranks.is_coordinator() ? model::Presence::here : model::Presence::elsewhere;
  if (!spec.has_head()) return std::make_unique<model::DistributionHead>(spec.classes, presence, capacity);
  const Index top = spec.layer_count();
  return std::make_unique<model::LinearHead>(spec.input_width(top), spec.classes, top + 1, presence, seed,
                                             capacity);
}

}  // namespace

Network::Network(const model::NetworkSpec& spec, const comm::Communicator& ranks, std::uint64_t seed,
                 Index capacity, const numerics::Arithmetic& arithmetic)
    : spec_(spec),
      ranks_(&checked(ranks, spec, arithmetic)),
      arithmetic_(arithmetic),
      head_(make_head(spec, ranks, seed, capacity)),
      nobody_masked_(size(spec.most_experts())) {
  for (Index l = 0; l < spec.layer_count(); ++l) {
    layers_.push_back(make_layer(spec, l, ranks, seed, capacity));
  }
}

ConstMatrixView Network::input(Index layer, ConstMatrixView x) {
  return layer == 0 ? x : layers_[size(layer - 1)]->output().arrived(rows_);
}

void Network::forward(ConstMatrixView x, const Masks& masks,
                      const std::optional<model::Presentation>& presentation) {
  assert(masks.size() == layers_.size() && x.columns == spec_.inputs);
  const numerics::ArithmeticScope own(arithmetic_);
  rows_ = x.rows;
  for (Index l = 0; l < spec_.layer_count(); ++l) {
    if (l > 0 && layers_[size(l)]->reads_everywhere()) layers_[size(l - 1)]->output().share(rows_);
    layers_[size(l)]->forward(input(l, x), {masks[size(l)], presentation});
    if (l > 0) layers_[size(l - 1)]->output().finish();
  }
  if (ranks_->is_coordinator()) head_->forward(layers_.back()->output().matrix(rows_));
}

numerics::Loss Network::backward(ConstMatrixView x, std::span<const std::int32_t> labels) {
  const numerics::ArithmeticScope own(arithmetic_);
  numerics::Loss loss;
  Layer& top = *layers_.back();
  if (ranks_->is_coordinator()) {
    loss = head_->backward(top.output().matrix(rows_), labels, top.d_output());
  }
  top.ship_d_output();
  for (Index l = spec_.layer_count() - 1; l > 0; --l) {
    Layer& below = *layers_[size(l - 1)];
    layers_[size(l)]->backward(input(l, x), below.d_output(), [&] { below.ship_d_output(); });
  }
  layers_.front()->backward(x, {}, [] {});
  return loss;
}

numerics::Loss Network::loss(std::span<const std::int32_t> labels) const {
  return ranks_->is_coordinator() ? head_->loss(labels) : numerics::Loss{};
}

Index Network::first_layer_not_finite() {
  const auto is_finite = [&](const std::unique_ptr<Layer>& layer) {
    const ConstMatrixView z = layer->output().matrix(rows_);
    return std::all_of(z.data, z.data + z.count(), [](float value) { return std::isfinite(value); });
  };
  return std::find_if_not(layers_.begin(), layers_.end(), is_finite) - layers_.begin();
}

ConstMatrixView Network::gates(Index layer) {
  if (Mixture* const gated = mixture(layer)) return gated->gates();
  return {nullptr, rows_, 0};
}

Index Network::expert_rows(Index layer) {
  if (Mixture* const gated = mixture(layer)) return gated->expert_rows();
  return rows_ * spec_.layers[size(layer)].experts;
}

void Network::for_each_parameter(const model::ParameterVisitor& visit) {
  Index number = 0;
  for (const auto& layer : layers_) layer->for_each_parameter(fmt::format("layers/{}", ++number), visit);
  head_->for_each_parameter("head", visit);
}

Masks Network::no_masks() const {
  Masks masks;
  for (const model::LayerSpec& layer : spec_.layers)
    masks.emplace_back(nobody_masked_.data(), size(layer.choices()));
  return masks;
}

}  // namespace dmoe::distribution
