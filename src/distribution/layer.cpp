#include "distribution/layer.hpp"

#include "distribution/concatenated_layer.hpp"
#include "distribution/local_layer.hpp"
#include "distribution/sharded_mixture.hpp"

namespace dmoe::distribution {

void Layer::forward(const exchange::BatchRows& x, const BatchStep& step) {
  homes_ = &step.homes;
  output_.begin(step.homes, step.reach);
  d_output_.begin(step.homes, shares_d_output() ? exchange::Reach::everywhere : exchange::Reach::home);
  compute(x, step);
}

std::unique_ptr<Layer> make_layer(const model::NetworkSpec& spec, Index layer, const Making& making) {
  switch (spec.layers[size(layer)].kind) {
    case model::LayerKind::mixture:
    case model::LayerKind::classifier_mixture:
      return std::make_unique<ShardedMixture>(spec, layer, making);
    case model::LayerKind::concatenated:
      return std::make_unique<ConcatenatedLayer>(spec, layer, making);
    case model::LayerKind::single:
    case model::LayerKind::dense:
      break;
  }
  return std::make_unique<LocalLayer>(spec, layer, making);
}

}  // namespace dmoe::distribution
