// A Deep Mixture of Experts and its baselines as the paper writes them, in double and plain loops: what the
// fast one is held against.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/matrix.hpp"
#include "distribution/network.hpp"
#include "model/network_spec.hpp"

namespace dmoe::test {

/// What a routing does, as its definition reads.
struct ReferenceRouting {
  Index k = 0;           // experts a row chooses; 0: any number
  double threshold = 0;  // least p of a chosen expert, but for the first
  bool renormalises = true;
};

class ReferenceNetwork {
 public:
  using Vector = std::vector<double>;

  /// Of layer l from now on; all experts until then.
  void route(std::size_t l, const ReferenceRouting& routing) { routings_[l] = routing; }

  /// The weights of a network that one rank holds whole.
  ReferenceNetwork(const model::NetworkSpec& spec, distribution::Network& whole) : spec_(spec) {
    whole.for_each_parameter([&](const model::Parameter& parameter) {
      tensors_[parameter.name] = Vector(parameter.values.begin(), parameter.values.end());
    });
  }

  /// Of a parameter by its name; may be changed.
  Vector& tensor(const std::string& name) { return tensors_.at(name); }

  /// Mean cross-entropy of a batch x (B, D) with labels (B); masks one per layer.
  double loss(ConstMatrixView x, std::span<const std::int32_t> labels, const distribution::Masks& masks) {
    nearest_kink_ = std::numeric_limits<double>::infinity();
    gates_.assign(masks.size(), {});
    double sum = 0;
    for (Index b = 0; b < x.rows; ++b) {
      Vector z(x.row(b).begin(), x.row(b).end());
      for (std::size_t l = 0; l < masks.size(); ++l) {
        z = spec_.layers[l].is_gated() ? mixture(l, z, masks[l]) : side_by_side(l, z);
      }
      const Vector p = spec_.has_head() ? softmax(affine("head/weight", "head/bias", 0, z)) : z;
      sum -= std::log(p[static_cast<std::size_t>(labels[size(b)])]);
    }
    return sum / static_cast<double>(x.rows);
  }
  /// (B, N) of layer = 0 .. L-1 in the last call of loss, row by row.
  const Vector& gates(Index layer) const { return gates_[size(layer)]; }
  /// The smallest |input| of any max(0, .) in the last call of loss, and the smallest step of p that would
  /// make a row choose other experts.
  double nearest_kink() const { return nearest_kink_; }

  /// dLoss/dvalue of `count` values of a tensor from `first` on, by central differences; needs kinks much
  /// farther away than the step.
  Vector gradient(const std::string& name, std::size_t first, std::size_t count, ConstMatrixView x,
                  std::span<const std::int32_t> labels, const distribution::Masks& masks) {
    constexpr double step = 1e-5;
    Vector found;
    for (double& value : std::span(tensor(name)).subspan(first, count)) {
      const double here = value;
      value = here + step;
      const double above = loss(x, labels, masks);
      value = here - step;
      const double below = loss(x, labels, masks);
      value = here;
      found.push_back((above - below) / (2 * step));
    }
    return found;
  }

 private:
  static Vector softmax(Vector values) {
    double sum = 0;
    for (double& value : values) sum += value = std::exp(value);
    for (double& value : values) value /= sum;
    return values;
  }

  /// Block `block` of a weight tensor (blocks, H, D) and of its bias (blocks, H): W x + b.
  Vector affine(const std::string& weight_name, const std::string& bias_name, std::size_t block,
                const Vector& x, std::size_t blocks = 1) const {
    const Vector& weight = tensors_.at(weight_name);
    const Vector& bias = tensors_.at(bias_name);
    const std::size_t hidden = bias.size() / blocks;
    Vector y;
    y.reserve(hidden);
    for (std::size_t h = block * hidden; h < (block + 1) * hidden; ++h) {
      double sum = bias[h];
      for (std::size_t d = 0; d < x.size(); ++d) sum += weight[h * x.size() + d] * x[d];
      y.push_back(sum);
    }
    return y;
  }

  Vector rectified(Vector y) {
    for (double& value : y) {
      nearest_kink_ = std::min(nearest_kink_, std::abs(value));
      value = std::max(value, 0.0);
    }
    return y;
  }

  /// f_i(x) of expert i of layer l.
  Vector expert(std::size_t l, std::size_t i, const Vector& x) {
    const std::string experts = fmt::format("layers/{}/experts", l + 1);
    const auto count = size(spec_.layers[l].experts);
    if (spec_.layers[l].kind != model::LayerKind::classifier_mixture)
      return rectified(affine(experts + "/weight", experts + "/bias", i, x, count));
    const Vector hidden =
        rectified(affine(experts + "/hidden_weight", experts + "/hidden_bias", i, x, count));
    return softmax(affine(experts + "/output_weight", experts + "/output_bias", i, hidden, count));
  }

  /// z = (f_1(x), .., f_N(x)); of one expert, f(x).
  Vector side_by_side(std::size_t l, const Vector& x) {
    Vector z;
    for (std::size_t i = 0; i < size(spec_.layers[l].experts); ++i) {
      const Vector f = expert(l, i, x);
      z.insert(z.end(), f.begin(), f.end());
    }
    return z;
  }

  /// Sets to 0 what is not chosen of p, the softmax over the experts that are not masked.
  void choose(const ReferenceRouting& routing, Vector& p) {
    Vector sorted = p;
    std::ranges::sort(sorted, std::greater<>());
    const double largest = sorted.front();
    double least = std::min(routing.threshold, largest);
    if (routing.threshold > 0) {
      for (const double value : p)
        nearest_kink_ = std::min(nearest_kink_, std::abs(value - routing.threshold));
    }
    if (const auto k = size(routing.k); k > 0 && k < p.size()) {
      least = sorted[k - 1];
      if (least > 0) nearest_kink_ = std::min(nearest_kink_, sorted[k - 1] - sorted[k]);
    }
    double sum = 0;
    for (double& value : p) sum += value = value >= least ? value : 0.0;
    if (!routing.renormalises) return;
    for (double& value : p) value /= sum;
  }

  /// z = sum_i g_i f_i(x): the softmax of all gate logits, masked ones set to 0, the rest divided by their
  /// sum; of these the chosen.
  Vector mixture(std::size_t l, const Vector& x, std::span<const std::uint8_t> masked) {
    const std::string layer = fmt::format("layers/{}", l + 1);
    const Vector hidden = rectified(affine(layer + "/gate/hidden_weight", layer + "/gate/hidden_bias", 0, x));
    Vector gate = softmax(affine(layer + "/gate/output_weight", layer + "/gate/output_bias", 0, hidden));
    double kept = 0;
    for (std::size_t i = 0; i < gate.size(); ++i) {
      if (masked[i] != 0) gate[i] = 0;
      kept += gate[i];
    }
    for (double& value : gate) value /= kept;
    if (routings_.contains(l)) choose(routings_[l], gate);
    Vector z(size(spec_.output_width(static_cast<Index>(l))));
    for (std::size_t i = 0; i < gate.size(); ++i) {
      gates_[l].push_back(gate[i]);
      const Vector f = expert(l, i, x);
      for (std::size_t h = 0; h < z.size(); ++h) z[h] += gate[i] * f[h];
    }
    return z;
  }

  model::NetworkSpec spec_;
  std::map<std::string, Vector> tensors_;
  std::map<std::size_t, ReferenceRouting> routings_;
  std::vector<Vector> gates_;
  double nearest_kink_ = 0;
};

}  // namespace dmoe::test
