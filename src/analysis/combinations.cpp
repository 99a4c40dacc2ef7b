#include "analysis/combinations.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <span>
#include <utility>

#include "analysis/dealt.hpp"
#include "comm/together.hpp"
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

void check_size(Index combinations, Index wanted, Index input_width) {
  const Index numbers = combinations * wanted * input_width;
  if (numbers <= most_numbers) return;
  throw InputError(
      "the {} top examples of each of {} combinations of experts are {} numbers, more than {}; ask "
      "for fewer (--top)",
      wanted, combinations, numbers, most_numbers);
}

/// A top example, as fill_in() shares it: -1 where there are fewer.
struct Found {
  std::int32_t example = 0;
  float gate = 0;
};

/// The examples with the largest values (X), ties to the lower index, into `top`.
void write_loudest(std::span<const float> values, std::vector<Index>& order, std::span<Found> top) {
  const std::size_t found = std::min(top.size(), values.size());
  order.resize(values.size());
  std::iota(order.begin(), order.end(), Index{0});
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(found), order.end(),
                    [&](Index a, Index b) {
                      return values[size(a)] != values[size(b)] ? values[size(a)] > values[size(b)] : a < b;
                    });
  for (std::size_t i = 0; i < top.size(); ++i)
    top[i] = i < found ? Found{static_cast<std::int32_t>(order[i]), values[size(order[i])]} : Found{-1, 0};
}

/// Of combinations of which every rank has its own in `found` (M, wanted). Collective.
TopExamples shared(std::vector<Found> found, Index wanted, const data::Dataset& dataset,
                   const training::Pass& pass, const comm::Communicator& ranks) {
  fill_in(ranks, std::span(found));
  TopExamples top;
  comm::together(ranks, [&] {
    top.wanted = wanted;
    for (const Found& one : found) {
      top.index.push_back(one.example);
      top.gate.push_back(one.gate);
    }
    if (ranks.is_coordinator()) present_inputs(top, dataset, pass);
  });
  return top;
}

/// Joint assignment of the experts [own.first, own.end) of the lower layer, in their rows of the pair.
void add_joint(Pair& pair, const Gates& gates, const Gates& next_gates, Share own) {
  for (Index x = 0; x < gates.examples(); ++x) {
    for (const Gates::Entry& g : gates.of(x)) {
      if (g.expert < own.first || g.expert >= own.end) continue;
      double* const row = pair.joint.data() + g.expert * pair.next_experts;
      for (const Gates::Entry& h : next_gates.of(x))
        row[h.expert] += static_cast<double>(g.value) * static_cast<double>(h.value);
    }
  }
  for (Index i = own.first; i < own.end; ++i) {
    const auto row = std::span(pair.joint).subspan(size(i * pair.next_experts), size(pair.next_experts));
    for (double& value : row) value /= static_cast<double>(gates.examples());
    const double sum = std::accumulate(row.begin(), row.end(), 0.0);
    for (std::size_t j = 0; j < row.size(); ++j)
      pair.joint_rows[size(i * pair.next_experts) + j] = row[j] / sum;
  }
}

/// (N N', wanted), those of the experts [own.first, own.end) of the lower layer.
std::vector<Found> loudest_of_pairs(const Gates& gates, const Gates& next_gates, Index wanted, Share own) {
  const std::size_t examples = size(gates.examples());
  const Index next_experts = next_gates.experts();
  std::vector<Found> found(size(gates.experts() * next_experts * wanted));
  const GateColumns lower(gates, own.first, own.end);
  const GateColumns upper(next_gates, 0, next_experts);
  std::vector<float> of_lower(examples);
  std::vector<float> products(examples);
  std::vector<Index> order;
  for (Index i = own.first; i < own.end; ++i) {
    lower.write(i, of_lower);
    for (Index j = 0; j < next_experts; ++j) {
      upper.write(j, products);
      for (std::size_t x = 0; x < examples; ++x) products[x] *= of_lower[x];
      write_loudest(products, order,
                    std::span(found).subspan(size((i * next_experts + j) * wanted), size(wanted)));
    }
  }
  return found;
}

}  // namespace

Pair pair_of(const Gates& gates, const Gates& next_gates, const data::Dataset& dataset,
             const training::Pass& pass, Index top, const comm::Communicator& ranks) {
  Pair pair{gates.experts(), next_gates.experts(), {}, {}, {}, 0};
  std::vector<Found> found;
  comm::together(ranks, [&] {
    check_size(pair.experts * pair.next_experts, top, dataset.input_width());
    const Share own = share_of(ranks, pair.experts);
    pair.joint.resize(size(pair.experts * pair.next_experts));
    pair.joint_rows.resize(pair.joint.size());
    add_joint(pair, gates, next_gates, own);
    found = loudest_of_pairs(gates, next_gates, top, own);
  });
  fill_in(ranks, std::span(pair.joint));
  fill_in(ranks, std::span(pair.joint_rows));
  pair.top = shared(std::move(found), top, dataset, pass, ranks);
  return pair;
}

TopExamples top_examples(const Gates& gates, const data::Dataset& dataset, const training::Pass& pass,
                         Index top, const comm::Communicator& ranks) {
  std::vector<Found> found;
  comm::together(ranks, [&] {
    check_size(gates.experts(), top, dataset.input_width());
    found.resize(size(gates.experts() * top));
    const Share own = share_of(ranks, gates.experts());
    const GateColumns columns(gates, own.first, own.end);
    std::vector<float> values(size(gates.examples()));
    std::vector<Index> order;
    for (Index e = own.first; e < own.end; ++e) {
      columns.write(e, values);
      write_loudest(values, order, std::span(found).subspan(size(e * top), size(top)));
    }
  });
  return shared(std::move(found), top, dataset, pass, ranks);
}

}  // namespace dmoe::analysis
