// Conditional computation: which experts of a layer an example goes to, the step that the paper names as next
// (its conclusion). An expert that was not chosen is neither computed nor sent anything.
//
// The order, per row: mask (balance), p = softmax over the experts that are not masked, choose some of them,
// the gate values in use of those. Assignment totals count the values in use.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/registry.hpp"
#include "core/types.hpp"

namespace dmoe::model {

/// The gate value in use of a chosen expert i, and what the gate learns from.
enum class GateValue {
  renormalised,     // p_i over the sum of the chosen (Shazeer et al. 2017): of one alone 1, and no gradient
  probability,      // p_i itself (Fedus et al. 2021, Switch Transformer): learns for one alone too
  straight_through  // p_i over the sum of the chosen, with the gradient of p_i itself
};

/// "renormalised", .. Local.
std::string to_text(GateValue value);
/// Throws InputError for a name that is none. Local.
GateValue gate_value_named(const std::string& name);

/// Chooses the experts of each row of one layer.
class Routing {
 public:
  /// noise: deviation of what is added to each logit in training (noisy top-k, Shazeer et al. 2017).
  explicit Routing(GateValue value = GateValue::renormalised, double noise = 0)
      : value_(value), noise_(static_cast<float>(noise)) {}
  virtual ~Routing() = default;
  Routing(const Routing&) = delete;
  Routing& operator=(const Routing&) = delete;

  /// Whether all experts of N that are not masked are chosen, with p as it is: the paper's dense mixture.
  virtual bool is_dense(Index /*experts*/) const { return false; }
  /// Experts of N that a row chooses, at most.
  virtual Index most_chosen(Index experts) const = 0;
  /// Experts that a layer must have for rows to choose as the routing says.
  virtual Index least_experts() const { return 1; }
  /// Whether the values of the chosen depend on the gate, which else learns nothing: one that is renormalised
  /// is 1, whatever its logit.
  bool teaches_gate(Index experts) const {
    return value_ != GateValue::renormalised || most_chosen(experts) > 1 || experts == 1;
  }
  /// chosen: at least one of the experts that are not masked, ascending, from p (N); masked (N), nonzero:
  /// masked. A pure function of these; what is none of this ends the training. Local.
  virtual void choose(std::span<const float> p, std::span<const std::uint8_t> masked,
                      std::vector<Index>& chosen) const = 0;
  /// The same from the logits (N), for values that need no p: with many experts most of the softmax is never
  /// looked at. False where the routing, or this row, cannot be told without p. Local.
  virtual bool choose_by_logits(std::span<const float> /*logits*/, std::span<const std::uint8_t> /*masked*/,
                                std::vector<Index>& /*chosen*/) const {
    return false;
  }

  GateValue value() const { return value_; }
  float noise() const { return noise_; }

 private:
  GateValue value_;
  float noise_;
};

/// Everybody: the dense mixture of the paper.
class AllExperts final : public Routing {
 public:
  bool is_dense(Index /*experts*/) const override { return true; }
  Index most_chosen(Index experts) const override { return experts; }
  void choose(std::span<const float> p, std::span<const std::uint8_t> masked,
              std::vector<Index>& chosen) const override;
};

/// The min(k, unmasked) largest p; of equals the lower index.
class TopK final : public Routing {
 public:
  explicit TopK(Index k, GateValue value = GateValue::renormalised, double noise = 0)
      : Routing(value, noise), k_(k) {}
  bool is_dense(Index experts) const override {
    return k_ >= experts && value() != GateValue::straight_through && noise() == 0;
  }
  Index most_chosen(Index experts) const override { return k_ < experts ? k_ : experts; }
  Index least_experts() const override { return k_; }
  void choose(std::span<const float> p, std::span<const std::uint8_t> masked,
              std::vector<Index>& chosen) const override;
  bool choose_by_logits(std::span<const float> logits, std::span<const std::uint8_t> masked,
                        std::vector<Index>& chosen) const override;

 private:
  Index k_;
};

/// All with p of at least the threshold, and always the largest.
class Threshold final : public Routing {
 public:
  explicit Threshold(double threshold, GateValue value = GateValue::renormalised, double noise = 0)
      : Routing(value, noise), threshold_(static_cast<float>(threshold)) {}
  Index most_chosen(Index experts) const override { return experts; }
  void choose(std::span<const float> p, std::span<const std::uint8_t> masked,
              std::vector<Index>& chosen) const override;

 private:
  float threshold_;
};

using RoutingRegistry = Registry<Routing>;

/// Every rule that routing.rule can select, "all" first. A program of your own adds to it before app::run.
/// Local.
RoutingRegistry& routings();

/// Which rows are presented, for noise: row b of a batch is presentation first + b of the run with that seed.
struct Presentation {
  std::uint64_t seed = 0;
  std::uint64_t first = 0;
};

}  // namespace dmoe::model
