#include "bench/gates.hpp"

#include "bench/products.hpp"

namespace dmoe::bench {

Gates::Gates(const model::NetworkSpec& spec, const model::Routing& routing, Index rows) : routing_(routing) {
  for (Index l = 0; l < spec.layer_count(); ++l) {
    const model::LayerSpec& layer = spec.layers[size(l)];
    const Index inputs = spec.input_width(l);
    const Index most = routing.most_chosen(layer.experts);
    layers_.push_back({model::Gate(layer, inputs, l + 1, model::Presence::here, 0, rows),
                       std::vector<std::uint8_t>(size(layer.experts)), random_matrix(rows, inputs),
                       Matrix(rows, model::Choices::columns(most)), random_matrix(rows, most),
                       Matrix(l == 0 ? 0 : rows, inputs)});
  }
}

void Gates::steps(Index count) {
  for (Index i = 0; i < count; ++i) {
    for (Layer& layer : layers_)
      layer.gate.forward(layer.x.view(), layer.masked, routing_, {}, model::Choices(layer.choices.view()));
    for (Layer& layer : layers_) {
      const Matrix& choices = layer.choices;
      layer.gate.backward_input(model::ConstChoices(choices.view()), routing_, layer.d_values.view(),
                                layer.d_x.view());
      layer.gate.backward_weights(layer.x.view());
    }
  }
}

}  // namespace dmoe::bench
