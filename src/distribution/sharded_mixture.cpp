#include "distribution/sharded_mixture.hpp"

#include "distribution/dense_mixing.hpp"
#include "distribution/routed_mixing.hpp"
#include "model/classifier_expert.hpp"

namespace dmoe::distribution {

namespace {

/// The experts of a layer that this rank owns.
std::unique_ptr<model::ExpertGroup> make_experts(const model::NetworkSpec& spec, Index layer,
                                                 const Making& making) {
  const exchange::ExpertRange own = topology_of(spec, layer, making.ranks).range(making.ranks.rank());
  const model::LayerSpec& of = spec.layers[size(layer)];
  const Index inputs = spec.input_width(layer);
  if (of.kind == model::LayerKind::classifier_mixture) {
    return std::make_unique<model::ClassifierExperts>(of, inputs, spec.classes, layer + 1, own.first,
                                                      own.count, making.seed, making.gradient_blocks);
  }
  return std::make_unique<model::Experts>(of, inputs, layer + 1, own.first, own.count, making.seed,
                                          making.gradient_blocks, model::Arrangement::side_by_side);
}

}  // namespace

ShardedMixture::ShardedMixture(const model::NetworkSpec& spec, Index layer, const Making& making)
    : Layer(making, spec.output_width(layer)),
      experts_(make_experts(spec, layer, making)),
      gate_(spec.layers[size(layer)], spec.input_width(layer), layer + 1, making.presence(), making.seed,
            making.home_capacity, making.gate_gradient_blocks),
      parts_{making.ranks,
             topology_of(spec, layer, making.ranks),
             input_gradient_of(layer),
             spec.input_width(layer),
             spec.output_width(layer),
             *experts_,
             gate_} {
  static const model::AllExperts all;
  routing_ = &all;
}

void ShardedMixture::route(const model::Routing& routing) {
  routing_ = &routing;
  mixing_.reset();
}

Mixing& ShardedMixture::mixing() {
  if (!mixing_ && routing_->is_dense(parts_.topology.experts())) {
    mixing_ = std::make_unique<DenseMixing>(parts_);
  } else if (!mixing_) {
    mixing_ = std::make_unique<RoutedMixing>(parts_, *routing_);
  }
  return *mixing_;
}

void ShardedMixture::for_each_parameter(const std::string& prefix, const model::ParameterVisitor& visit) {
  experts_->for_each_parameter(prefix + "/experts", visit);
  gate_.for_each_parameter(prefix + "/gate", visit);
}

}  // namespace dmoe::distribution
