// Multiply-accumulates of a network of mixtures on each of E ranks, and so what E ranks can gain at most.
#pragma once

#include "core/types.hpp"
#include "model/network_spec.hpp"

namespace dmoe::bench {

enum class Pass { step, evaluation };

/// Multiply-accumulates of one example on one of the ranks, where all experts work on it: of a training step
/// (forward, dW and, above the first layer, dx) or of a forward pass. Local.
double work(const model::NetworkSpec& spec, Pass pass, Index ranks, Index rank);

/// All work over that of the busiest rank. Local.
double speedup_ceiling(const model::NetworkSpec& spec, Pass pass, Index ranks);

}  // namespace dmoe::bench
