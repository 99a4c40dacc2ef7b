#include "numerics/kernels.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>
#include <vector>

#include "core/simulation.hpp"

namespace dmoe::numerics {

using simulation::Unit;
using simulation::work_on_numbers;

namespace {

Index bytes_of(ConstMatrixView matrix) {
  return matrix.count() * static_cast<Index>(sizeof(float));
}

/// The dot product, multiplied and summed as T.
template <class T>
T dot_as(std::span<const float> a, std::span<const float> b) {
  assert(a.size() == b.size());
  constexpr std::size_t lanes = 16;
  std::array<T, lanes> sums{};
  std::size_t i = 0;
  for (; i + lanes <= a.size(); i += lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane) sums[lane] += T{a[i + lane]} * T{b[i + lane]};
  }
  for (std::size_t lane = 0; i < a.size(); ++i, ++lane) sums[lane] += T{a[i]} * T{b[i]};
  for (std::size_t width = lanes / 2; width > 0; width /= 2) {
    for (std::size_t lane = 0; lane < width; ++lane) sums[lane] += sums[lane + width];
  }
  return sums[0];
}

}  // namespace

float dot(std::span<const float> a, std::span<const float> b) {
  return dot_as<float>(a, b);
}

double squared_norm(std::span<const float> a) {
  return dot_as<double>(a, a);
}

void column_sums(ConstMatrixView matrix, std::span<float> sums) {
  assert(sums.size() == size(matrix.columns));
  work_on_numbers(Unit::byte, bytes_of(matrix), [&] {
    std::fill(sums.begin(), sums.end(), 0.0F);
    float* const total = sums.data();
    for (Index b = 0; b < matrix.rows; ++b) {
      const float* const row = matrix.data + b * matrix.columns;
      for (Index h = 0; h < matrix.columns; ++h) total[h] += row[h];
    }
  });
}

void relu_gradient(ConstMatrixView y, MatrixView d) {
  assert(y.rows == d.rows && y.columns == d.columns);
  work_on_numbers(Unit::byte, 3 * bytes_of(y), [&] {
    for (Index i = 0; i < y.count(); ++i) d.data[i] = y.data[i] > 0 ? d.data[i] : 0.0F;
  });
}

void masked_softmax(ConstMatrixView logits, std::span<const std::uint8_t> masked, MatrixView p) {
  assert(masked.size() == size(logits.columns) && p.rows == logits.rows && p.columns == logits.columns);
  work_on_numbers(Unit::exponential, logits.count(), [&] {
    for (Index b = 0; b < logits.rows; ++b) {
      const auto z = logits.row(b);
      const auto out = p.row(b);
      float largest = -std::numeric_limits<float>::infinity();
      for (std::size_t n = 0; n < z.size(); ++n) {
        if (masked[n] == 0) largest = std::max(largest, z[n]);
      }
      float sum = 0;
      for (std::size_t n = 0; n < z.size(); ++n) {
        out[n] = masked[n] == 0 ? std::exp(z[n] - largest) : 0.0F;
        sum += out[n];
      }
      for (float& value : out) value /= sum;
    }
  });
}

void softmax_gradient(ConstMatrixView p, ConstMatrixView d_p, MatrixView d_logits) {
  work_on_numbers(Unit::byte, 3 * bytes_of(p), [&] {
    for (Index b = 0; b < p.rows; ++b) {
      const auto g = p.row(b);
      const auto d_g = d_p.row(b);
      const auto out = d_logits.row(b);
      float mean = 0;
      for (std::size_t n = 0; n < g.size(); ++n) mean += g[n] * d_g[n];
      for (std::size_t n = 0; n < g.size(); ++n) out[n] = g[n] * (d_g[n] - mean);
    }
  });
}

namespace {

struct RowLoss {
  double loss;
  double sum;  // of exps
  bool is_wrong;
};

/// exps (C) = exp(logit - the largest).
RowLoss row_loss(std::span<const float> logits, std::size_t label, std::span<double> exps) {
  assert(label < logits.size());
  const auto largest = std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (std::size_t c = 0; c < logits.size(); ++c)
    sum += exps[c] = std::exp(static_cast<double>(logits[c] - *largest));
  return {std::log(sum) - static_cast<double>(logits[label] - *largest), sum,
          static_cast<std::size_t>(largest - logits.begin()) != label};
}

/// Cross-entropy; for_each_row(row, label, exps, their sum) on the way.
template <class Visit>
Loss cross_entropy_of(ConstMatrixView logits, std::span<const std::int32_t> labels, Visit for_each_row) {
  assert(labels.size() == size(logits.rows));
  if constexpr (simulation::is_on) {
    simulation::charge(Unit::exponential, logits.count());
    return {};
  }
  thread_local std::vector<double> exps;  // so that a steady step allocates nothing
  exps.resize(size(logits.columns));
  Loss total;
  for (Index b = 0; b < logits.rows; ++b) {
    const auto label = static_cast<std::size_t>(labels[size(b)]);
    const RowLoss row = row_loss(logits.row(b), label, exps);
    total.sum += row.loss;
    total.errors += row.is_wrong ? 1 : 0;
    for_each_row(b, label, std::span<const double>(exps), row.sum);
  }
  return total;
}

}  // namespace

Loss cross_entropy(ConstMatrixView logits, std::span<const std::int32_t> labels) {
  return cross_entropy_of(logits, labels, [](auto&&...) {});
}

Loss cross_entropy(ConstMatrixView logits, std::span<const std::int32_t> labels, MatrixView d_logits,
                   Index batch_rows) {
  assert(d_logits.rows == logits.rows);
  const auto rows = static_cast<double>(batch_rows);
  return cross_entropy_of(
      logits, labels, [&](Index b, std::size_t label, std::span<const double> exps, double sum) {
        const auto d_row = d_logits.row(b);
        for (std::size_t c = 0; c < exps.size(); ++c)
          d_row[c] = static_cast<float>((exps[c] / sum - (c == label ? 1.0 : 0.0)) / rows);
      });
}

namespace {

/// The label's probability, away from 0, where the logarithm ends.
float label_probability(std::span<const float> p, std::size_t label) {
  assert(label < p.size());
  return std::max(p[label], std::numeric_limits<float>::min());
}

}  // namespace

Loss negative_log_likelihood(ConstMatrixView p, std::span<const std::int32_t> labels) {
  assert(labels.size() == size(p.rows));
  Loss total;
  for (Index b = 0; b < p.rows; ++b) {
    const auto row = p.row(b);
    const auto label = static_cast<std::size_t>(labels[size(b)]);
    total.sum -= std::log(static_cast<double>(label_probability(row, label)));
    total.errors += std::max_element(row.begin(), row.end()) - row.begin() != labels[size(b)] ? 1 : 0;
  }
  return total;
}

Loss negative_log_likelihood(ConstMatrixView p, std::span<const std::int32_t> labels, MatrixView d_p,
                             Index batch_rows) {
  assert(d_p.rows == p.rows && d_p.columns == p.columns);
  std::ranges::fill(d_p.values(), 0.0F);
  for (Index b = 0; b < p.rows; ++b) {
    const auto label = static_cast<std::size_t>(labels[size(b)]);
    d_p.row(b)[label] = -1.0F / (label_probability(p.row(b), label) * static_cast<float>(batch_rows));
  }
  return negative_log_likelihood(p, labels);
}

}  // namespace dmoe::numerics
