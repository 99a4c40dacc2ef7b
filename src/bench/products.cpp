#include "bench/products.hpp"

#include <ranges>

#include "core/random.hpp"

namespace dmoe::bench {

using distribution::InputGradient;
using numerics::Activation;

namespace {

/// The gate of layer l = 0 .. L-1 on x (B, D).
void add_gate(Products& products, const model::NetworkSpec& spec, Index layer, ConstMatrixView x) {
  const model::LayerSpec& of = spec.layers[size(layer)];
  const ConstMatrixView hidden =
      products.add(x, of.gate_hidden, Activation::relu, distribution::input_gradient_of(layer));
  products.add(hidden, of.experts, Activation::identity, InputGradient::wanted);
}

}  // namespace

Matrix random_matrix(Index rows, Index columns) {
  Matrix matrix(rows, columns);
  RandomStream stream(0, Purpose::bench, 1);
  for (float& value : matrix.values()) value = stream.uniform(-0.1F, 0.1F);
  return matrix;
}

ConstMatrixView Products::input(Index rows, Index columns) {
  return inputs_.emplace_back(random_matrix(rows, columns)).view();
}

ConstMatrixView Products::add(ConstMatrixView x, Index outputs, Activation activation,
                              InputGradient input_gradient) {
  const Index d_x_rows = input_gradient == InputGradient::wanted ? x.rows : 0;
  parts_.push_back({x, random_matrix(outputs, x.columns), Matrix(1, outputs), Matrix(x.rows, outputs),
                    Matrix(outputs, x.columns), Matrix(d_x_rows, x.columns), activation});
  return parts_.back().y.view();
}

void Products::forward() {
  for (Part& part : parts_)
    numerics::linear(part.x, part.weight.view(), part.bias.values(), part.activation, part.y.view());
}

void Products::backward() {
  for (Part& part : std::views::reverse(parts_)) {  // with y in the place of dy
    if (part.d_x.rows() > 0)
      numerics::linear_input_gradient(part.y.view(), part.weight.view(), part.d_x.view());
    numerics::linear_weight_gradient(part.y.view(), part.x, part.d_weight.view());
  }
}

void Products::forwards(Index count) {
  for (Index i = 0; i < count; ++i) forward();
}

void Products::steps(Index count) {
  for (Index i = 0; i < count; ++i) {
    forward();
    backward();
  }
}

Index Products::multiply_accumulates(Pass pass) const {
  Index sum = 0;
  for (const Part& part : parts_) {
    const Index of_a_step = part.d_x.rows() > 0 ? 3 : 2;
    sum += (pass == Pass::step ? of_a_step : 1) * part.y.rows() * part.weight.view().count();
  }
  return sum;
}

Products network_products(const model::NetworkSpec& spec, Index rows) {
  Products products;
  ConstMatrixView x = products.input(rows, spec.inputs);
  for (Index l = 0; l < spec.layer_count(); ++l) {
    const model::LayerSpec& layer = spec.layers[size(l)];
    add_gate(products, spec, l, x);
    ConstMatrixView y;
    for (Index i = 0; i < layer.experts; ++i)
      y = products.add(x, layer.hidden, Activation::relu, distribution::input_gradient_of(l));
    x = y;
  }
  products.add(x, spec.classes, Activation::identity, InputGradient::wanted);
  return products;
}

Products gate_products(const model::NetworkSpec& spec, Index rows) {
  Products products;
  for (Index l = 0; l < spec.layer_count(); ++l)
    add_gate(products, spec, l, products.input(rows, spec.input_width(l)));
  return products;
}

}  // namespace dmoe::bench
