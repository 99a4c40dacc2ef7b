// Information, in nats: how much the choice of an expert tells about a factor, and how open the choice is.
#pragma once

#include <span>

#include "core/types.hpp"

namespace dmoe::analysis {

/// An amount of information about the choice of an expert, twice.
struct Information {
  double nats = 0;
  double normalized = 0;  // divided by log N; 0 where N = 1
  bool operator==(const Information&) const = default;
};

/// I = sum_ef p(e, f) log(p(e, f) / (p(e) p(f))) of a joint distribution (N, F), given as nonnegative weights
/// that are divided by their sum; 0 where they are all 0. Never negative. Local.
Information mutual_information(std::span<const double> joint, Index experts);

/// H = -sum_e p(e) log p(e) of nonnegative weights that are divided by their sum: of `experts` experts, of
/// which those whose weight is 0 may be left out. Local.
Information entropy(std::span<const double> weights, Index experts);

}  // namespace dmoe::analysis
