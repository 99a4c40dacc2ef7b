// A routing that needs no numbers: of which experts a row chooses, as a balanced gate would have it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/routing.hpp"

namespace dmoe::simulation {

/// Each row chooses k different experts, drawn evenly; which ones follows from the number of the gate and of
/// the row, rows of a gate counting from 0 through all layers and steps. Charges what it takes to find the k
/// largest.
class DrawnTopK final : public model::Routing {
 public:
  /// `gate`: another number for each place where gates are computed.
  DrawnTopK(Index k, Index gate) : k_(k), gate_(static_cast<std::uint64_t>(gate)) {}

  Index most_chosen(Index experts) const override { return k_ < experts ? k_ : experts; }
  Index least_experts() const override { return k_; }
  void choose(std::span<const float> p, std::span<const std::uint8_t> masked,
              std::vector<Index>& chosen) const override;
  bool choose_by_logits(std::span<const float> logits, std::span<const std::uint8_t> masked,
                        std::vector<Index>& chosen) const override;

 private:
  Index k_;
  std::uint64_t gate_;
  mutable std::uint64_t row_ = 0;
};

}  // namespace dmoe::simulation
