// A routing that gives all experts about as many rows each, whatever the gate: what training with a
// balancing rule comes to, and an untrained gate does not.
#pragma once

#include <span>
#include <vector>

#include "model/routing.hpp"

namespace dmoe::bench {

/// Looks for the k largest as top_k does, for that is part of the work; then chooses as many others, drawn
/// evenly with the bits of p as their seed: or with those of the logits, which gives others.
class EvenTopK final : public model::Routing {
 public:
  explicit EvenTopK(Index k) : top_(k) {}
  Index most_chosen(Index experts) const override { return top_.most_chosen(experts); }
  void choose(std::span<const float> p, std::span<const std::uint8_t> masked,
              std::vector<Index>& chosen) const override;
  bool choose_by_logits(std::span<const float> logits, std::span<const std::uint8_t> masked,
                        std::vector<Index>& chosen) const override;

 private:
  model::TopK top_;
};

}  // namespace dmoe::bench
