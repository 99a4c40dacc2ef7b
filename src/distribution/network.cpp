#include "distribution/network.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <string>
#include <utility>

#include "core/error.hpp"

namespace dmoe::distribution {

namespace {

/// Before anything is made: a rank without an expert anywhere has nothing to do.
const exchange::Grid& checked(const exchange::Grid& grid, const model::NetworkSpec& spec,
                              const numerics::Arithmetic& arithmetic) {
  numerics::require_products_of(arithmetic.precision);
  const int ranks = grid.group().size();
  const std::string of_each =
      grid.replicas() > 1 ? " in each of " + std::to_string(grid.replicas()) + " replicas" : "";
  const Index most = std::max(spec.most_experts(), Index{1});
  if (ranks > 1 && spec.most_experts() == 0)
    throw InputError("{} ranks{}, but no layer of this network is split over ranks; start {}", ranks, of_each,
                     grid.replicas() > 1 ? std::to_string(grid.replicas()) : "one");
  if (ranks > most)
    throw InputError("{} ranks{}, but no layer has more than {} experts; start at most {} ranks", ranks,
                     of_each, most, most * grid.replicas());
  return grid;
}

std::unique_ptr<model::Head> make_head(const model::NetworkSpec& spec, const Making& making) {
  if (!spec.has_head())
    return std::make_unique<model::DistributionHead>(spec.classes, making.presence(), making.capacity);
  const Index top = spec.layer_count();
  return std::make_unique<model::LinearHead>(spec.input_width(top), spec.classes, top + 1, making.presence(),
                                             making.seed, making.capacity, making.gradient_blocks);
}

}  // namespace

Network::Network(const model::NetworkSpec& spec, const exchange::Grid& grid, std::uint64_t seed,
                 Index capacity, const numerics::Arithmetic& arithmetic)
    : spec_(spec),
      grid_(checked(grid, spec, arithmetic)),
      arithmetic_(arithmetic),
      nobody_masked_(size(spec.most_experts())) {
  const Making making{ranks(), seed, capacity, static_cast<Index>(grid_.slices().blocks().size())};
  for (Index l = 0; l < spec.layer_count(); ++l) layers_.push_back(make_layer(spec, l, making));
  head_ = make_head(spec, making);
  std::vector<model::Parameter> parameters;
  for_each_parameter([&](const model::Parameter& parameter) {
    gradients_.push_back(parameter.gradient);
    parameters.push_back(parameter);
  });
  if (grid_.replicas() > 1)
    replicas_ = std::make_unique<exchange::ReplicaExchange>(grid_, std::move(parameters));
}

ConstMatrixView Network::input(Index layer, ConstMatrixView x) {
  return layer == 0 ? x : layers_[size(layer - 1)]->output().arrived(rows_);
}

void Network::forward(ConstMatrixView x, const Masks& masks,
                      const std::optional<model::Presentation>& presentation) {
  assert(masks.size() == layers_.size() && x.columns == spec_.inputs);
  const numerics::ArithmeticScope own(arithmetic_);
  rows_ = x.rows;
  const model::Slices& slices = presentation ? grid_.slices() : model::Slices::whole();
  for (Index l = 0; l < spec_.layer_count(); ++l) {
    if (l > 0 && layers_[size(l)]->reads_everywhere()) layers_[size(l - 1)]->output().share(rows_);
    layers_[size(l)]->forward(input(l, x), {masks[size(l)], presentation, slices});
    if (l > 0) layers_[size(l - 1)]->output().finish();
  }
  if (ranks().is_coordinator()) head_->forward(layers_.back()->output().matrix(rows_), slices);
}

numerics::Loss Network::backward(ConstMatrixView x, std::span<const std::int32_t> labels, Index batch_rows) {
  const numerics::ArithmeticScope own(arithmetic_);
  Layer& top = *layers_.back();
  if (ranks().is_coordinator())
    head_->backward(top.output().matrix(rows_), labels, top.d_output(), batch_rows);
  top.ship_d_output();
  for (Index l = spec_.layer_count() - 1; l > 0; --l) {
    Layer& below = *layers_[size(l - 1)];
    layers_[size(l)]->backward(input(l, x), below.d_output(), [&] { below.ship_d_output(); });
  }
  layers_.front()->backward(x, {}, [] {});
  if (replicas_) replicas_->sum_gradients();
  numerics::Loss loss;
  for (const numerics::Loss& of_slice : slice_losses()) loss += of_slice;
  return loss;
}

std::span<const numerics::Loss> Network::slice_losses() const {
  return head_->slice_losses();
}

exchange::OwnedPart Network::owned(std::size_t p) const {
  return replicas_ ? replicas_->owned(p) : exchange::OwnedPart{0, gradients_[p]};
}

void Network::share_gradients() {
  if (replicas_) replicas_->share_gradients();
}

void Network::share_weights() {
  if (replicas_) replicas_->share_weights();
}

numerics::Loss Network::loss(std::span<const std::int32_t> labels) const {
  return ranks().is_coordinator() ? head_->loss(labels) : numerics::Loss{};
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
