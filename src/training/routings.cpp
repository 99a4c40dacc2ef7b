#include "training/routings.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/error.hpp"

namespace dmoe::training {

Routings::Routings(const std::vector<PartSpec>& parts, Index layers) : is_one_for_all_(parts.size() < 2) {
  const auto count = static_cast<Index>(parts.size());
  if (count > 1 && count != layers)
    throw InputError("has {} routings, but there are {} layers: one for each, or one for all", count, layers);
  for (Index l = 0; l < layers; ++l) {
    if (parts.empty()) {
      routings_.push_back(std::make_unique<model::AllExperts>());
      continue;
    }
    const PartSpec& part = parts[count == 1 ? 0 : size(l)];
    routings_.push_back(model::routings().find(part.name).make(part.settings));
  }
}

void Routings::check(const model::NetworkSpec& network) const {
  Index most = 0;
  for (const model::LayerSpec& layer : network.layers) most = std::max(most, layer.choices());
  for (std::size_t l = 0; l < routings_.size(); ++l) {
    const model::LayerSpec& layer = network.layers[l];
    const Index wanted = routings_[l]->least_experts();
    if (!layer.is_gated() || wanted <= (is_one_for_all_ ? most : layer.experts)) continue;
    throw InputError("{} experts are to be chosen, but {} has {}", wanted,
                     is_one_for_all_ ? "the largest layer" : fmt::format("layer {}", l + 1),
                     is_one_for_all_ ? most : layer.experts);
  }
}

void Routings::put_in_force(distribution::Network& network) const {
  for (std::size_t l = 0; l < routings_.size(); ++l) {
    if (auto* const mixture = network.mixture(static_cast<Index>(l))) mixture->route(*routings_[l]);
  }
}

}  // namespace dmoe::training
