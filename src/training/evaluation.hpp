// One pass over a split without training: loss, error, and whatever a visitor wants to see.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "data/dataset.hpp"
#include "distribution/network.hpp"
#include "training/observer.hpp"

namespace dmoe::training {

/// Asked often, on every rank: has this process been told to stop? Local.
using StopRequested = std::function<bool()>;

/// Which examples, how presented, in batches of what size.
struct Pass {
  data::Split split = data::Split::test;
  data::Draw draw{};  // of the first example; matters for the training split alone
  Index batch_size = 500;
};

/// Runs the network over a split in the order of the examples, no expert masked, and calls visit(batch) on
/// every rank after each forward pass. Batch b is that of replica b mod R. Returns false where it was stopped
/// half way, on all ranks alike. Collective over all replicas.
bool for_each_batch(distribution::Network& network, const data::Dataset& dataset, const Pass& pass,
                    const StopRequested& stop_requested,
                    const std::function<void(const data::Batch&)>& visit);

/// What a pass took.
struct Work {
  std::vector<Index> expert_rows;  // of each layer: rows that its experts together worked on
  double seconds = 0;              // of forward passes, on this rank, waiting included
};

/// The score over a split, wherever rows are at home (zeros elsewhere); nothing where it was stopped
/// half way, on all ranks alike. What it took of this replica goes to `work` where that is asked for.
/// Collective over all replicas.
std::optional<Score> evaluate(distribution::Network& network, const data::Dataset& dataset, const Pass& pass,
                              const StopRequested& stop_requested, Work* work = nullptr);

}  // namespace dmoe::training
