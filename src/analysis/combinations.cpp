#include "analysis/combinations.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>

#include "core/error.hpp"

namespace dmoe::analysis {

namespace {

/// Fills the inputs of the examples that were found.
void present_inputs(TopExamples& top, const data::Dataset& dataset, const training::Pass& pass) {
  const std::size_t width = size(dataset.input_width());
  top.input.assign(top.index.size() * width, 0.0F);
  data::Batch batch(1, dataset.input_width(), dataset.factors().size());
  for (std::size_t i = 0; i < top.index.size(); ++i) {
    if (top.index[i] < 0) continue;
    const std::array<Index, 1> example{top.index[i]};
    dataset.present(pass.split, example,
                    {pass.draw.purpose, pass.draw.first + static_cast<std::uint64_t>(example[0])}, batch);
    const auto input = std::as_const(batch).inputs().row(0);
    std::copy(input.begin(), input.end(), top.input.begin() + static_cast<std::ptrdiff_t>(i * width));
  }
}

constexpr Index most_numbers = Index{1} << 30;  // 4 GiB

/// The top examples of each combination m by gate_of(m, example).
TopExamples loudest(Index combinations, Index wanted, const data::Dataset& dataset,
                    const training::Pass& pass, Index examples,
                    const std::function<float(Index, Index)>& gate_of) {
  const Index numbers = combinations * wanted * dataset.input_width();
  if (numbers > most_numbers) {
    throw InputError(
        "the {} top examples of each of {} combinations of experts are {} numbers, more than {}; ask "
        "for fewer (--top)",
        wanted, combinations, numbers, most_numbers);
  }
  TopExamples top;
  top.wanted = wanted;
  top.index.assign(size(combinations * wanted), -1);
  top.gate.assign(size(combinations * wanted), 0.0F);
  std::vector<float> gates(size(examples));
  std::vector<Index> order(size(examples));
  const Index found = std::min(wanted, examples);
  for (Index m = 0; m < combinations; ++m) {
    for (Index x = 0; x < examples; ++x) gates[size(x)] = gate_of(m, x);
    std::iota(order.begin(), order.end(), Index{0});
    std::partial_sort(order.begin(), order.begin() + found, order.end(), [&](Index a, Index b) {
      return gates[size(a)] != gates[size(b)] ? gates[size(a)] > gates[size(b)] : a < b;
    });
    for (Index i = 0; i < found; ++i) {
      top.index[size(m * wanted + i)] = order[size(i)];
      top.gate[size(m * wanted + i)] = gates[size(order[size(i)])];
    }
  }
  present_inputs(top, dataset, pass);
  return top;
}

}  // namespace

Pair pair_of(const Matrix& gates, const Matrix& next_gates, const data::Dataset& dataset,
             const training::Pass& pass, Index top) {
  const ConstMatrixView lower = gates.view();
  const ConstMatrixView upper = next_gates.view();
  Pair pair{lower.columns, upper.columns, {}, {}, {}, 0};
  pair.joint.resize(size(pair.experts * pair.next_experts));
  for (Index x = 0; x < lower.rows; ++x) {
    double* sum = pair.joint.data();
    for (const float g : lower.row(x)) {
      for (const float h : upper.row(x)) *sum++ += static_cast<double>(g) * static_cast<double>(h);
    }
  }
  for (double& value : pair.joint) value /= static_cast<double>(lower.rows);
  for (Index i = 0; i < pair.experts; ++i) {
    const auto row = std::span(pair.joint).subspan(size(i * pair.next_experts), size(pair.next_experts));
    const double sum = std::accumulate(row.begin(), row.end(), 0.0);
    for (const double value : row) pair.joint_rows.push_back(value / sum);
  }
  const auto product = [&](Index m, Index x) {
    return lower(x, m / upper.columns) * upper(x, m % upper.columns);
  };
  pair.top = loudest(pair.experts * pair.next_experts, top, dataset, pass, lower.rows, product);
  return pair;
}

TopExamples top_examples(const Matrix& gates, const data::Dataset& dataset, const training::Pass& pass,
                         Index top) {
  const auto gate = [&](Index m, Index x) { return gates.view()(x, m); };
  return loudest(gates.columns(), top, dataset, pass, gates.rows(), gate);
}

}  // namespace dmoe::analysis
