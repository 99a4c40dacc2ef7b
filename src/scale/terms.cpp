#include "scale/terms.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "numerics/linear.hpp"

namespace dmoe::scale {

namespace {

double sum(const std::vector<Index>& slices) {
  return static_cast<double>(std::reduce(slices.begin(), slices.end()));
}

}  // namespace

Terms::Linear& Terms::Linear::operator+=(const Linear& other) {
  forward += other.forward;
  input_gradient += other.input_gradient;
  weight_gradient += other.weight_gradient;
  return *this;
}

Terms::Linear Terms::Linear::times(double count) const {
  return {count * forward, count * input_gradient, count * weight_gradient};
}

Terms::Linear Terms::one_by_one(const std::vector<Index>& slices, Index outputs, Index inputs) const {
  Linear all;
  for (const Index rows : slices)
    all += {machine_.forward(rows, outputs, inputs), machine_.input_gradient(rows, outputs, inputs),
            machine_.weight_gradient(rows, outputs, inputs)};
  const std::size_t whole_pairs = (slices.size() + 1) / 2;
  const auto pairs = static_cast<double>(whole_pairs);
  all.weight_gradient +=
      traffic(3 * std::max(0.0, pairs - 1) * static_cast<double>(outputs) * static_cast<double>(inputs));
  return all;
}

Terms::Linear Terms::linear(const std::vector<Index>& slices, Index outputs, Index inputs) const {
  Linear all = one_by_one(slices, outputs, inputs);
  if (!machine_.at_once) return all;
  const Index rows = std::reduce(slices.begin(), slices.end());
  all.forward = machine_.forward(rows, outputs, inputs);
  all.input_gradient = machine_.input_gradient(rows, outputs, inputs);
  return all;
}

double Terms::presenting(double rows) const {
  return machine_.presenting * rows * static_cast<double>(work_.network.inputs);
}

Terms::Gate Terms::gate(Index layer, const std::vector<Index>& slices) const {
  const model::LayerSpec& of = layer_of(layer);
  if (!of.is_gated()) return {};
  const Linear hidden = linear(slices, of.gate_hidden, work_.network.input_width(layer));
  const Linear logits = linear(slices, of.experts, of.gate_hidden);
  const double values = sum(slices) * static_cast<double>(of.experts);
  return {hidden.forward + logits.forward +
              (work_.is_routed(layer) ? machine_.choosing : machine_.softmax) * values,
          traffic(3 * values) + logits.input_gradient + (layer > 0 ? hidden.input_gradient : 0),
          hidden.weight_gradient + logits.weight_gradient};
}

double Terms::head(const std::vector<Index>& slices) const {
  if (!work_.network.has_head()) return 0;
  const Linear part =
      linear(slices, work_.network.classes, work_.network.input_width(work_.network.layer_count()));
  return part.forward + part.input_gradient + part.weight_gradient;
}

Terms::Linear Terms::hidden_of(Index layer, Index own, const std::vector<Index>& slices) const {
  const model::LayerSpec& of = layer_of(layer);
  const Index inputs = work_.network.input_width(layer);
  Linear hidden = linear(slices, of.hidden, inputs).times(real(own));
  if (!machine_.at_once || of.kind != model::LayerKind::mixture || own < 2) return hidden;
  const Linear beside = linear(slices, own * of.hidden, inputs);
  hidden.forward = beside.forward;
  if (layer == 0 && slices.size() == 1) hidden.weight_gradient = beside.weight_gradient;
  return hidden;
}

void Terms::add_products(Index layer, const Linear& hidden, const Linear& classes, Experts& experts) const {
  experts.forward += hidden.forward;
  experts.input_gradient += layer > 0 ? hidden.input_gradient : 0;
  experts.weight_gradient += hidden.weight_gradient;
  if (layer_of(layer).kind != model::LayerKind::classifier_mixture) return;
  experts.forward += classes.forward;
  experts.output_gradient += classes.input_gradient;
  experts.weight_gradient += classes.weight_gradient;
}

Terms::Experts Terms::dense_experts(Index layer, Index own, Index blocks,
                                    const std::vector<Index>& slices) const {
  Experts experts;
  const auto count = static_cast<double>(own);
  const model::LayerSpec& of = layer_of(layer);
  add_products(layer, hidden_of(layer, own, slices),
               linear(slices, work_.network.classes, of.hidden).times(count), experts);
  const double rows = sum(slices);
  const auto inputs = static_cast<double>(work_.network.input_width(layer));
  const auto outputs = static_cast<double>(
      of.kind == model::LayerKind::classifier_mixture ? work_.network.classes : of.hidden);
  if (of.is_gated()) experts.weighing = traffic(rows * outputs * static_cast<double>(own + blocks));
  experts.output_gradient += traffic(3 * rows * outputs * count);
  if (layer > 0 && of.is_sharded())
    experts.sharing = traffic(rows * inputs * static_cast<double>(own + blocks));
  return experts;
}

Terms::Experts Terms::routed_experts(Index layer, Index own, double entries, double block_rows,
                                     Index slices) const {
  Experts experts;
  if (own == 0) return experts;
  const auto products = static_cast<double>(own * slices);
  const auto rows = static_cast<Index>(std::ceil(std::max(1.0, entries / products)));
  // Fewer choices than products: as many of one row.
  const double count = std::min(products, entries) / static_cast<double>(slices);
  const std::vector<Index> padded(size(slices), numerics::padded_rows(rows));
  const Index hidden = layer_of(layer).hidden;
  add_products(layer, one_by_one(padded, hidden, work_.network.input_width(layer)).times(count),
               one_by_one(padded, work_.network.classes, hidden).times(count), experts);
  const auto inputs = static_cast<double>(work_.network.input_width(layer));
  const auto outputs = static_cast<double>(work_.network.output_width(layer));
  experts.forward += traffic(2 * entries * inputs);
  experts.weighing = traffic(outputs * (entries + block_rows));
  experts.output_gradient += traffic(3 * entries * outputs);
  if (layer > 0) experts.sharing = traffic(inputs * (entries + block_rows));
  return experts;
}

}  // namespace dmoe::scale
