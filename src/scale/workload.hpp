// What a training step has to do, whoever does it.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"
#include "model/network_spec.hpp"

namespace dmoe::scale {

/// A count as what times and bytes are reckoned in. Local.
constexpr double real(Index count) {
  return static_cast<double>(count);
}

/// A step of B rows.
struct Workload {
  model::NetworkSpec network;
  Index rows = 0;             // B
  Index slices = 1;           // S
  std::vector<Index> chosen;  // (L): experts that a row chooses, k; 0: all of them, the dense mixture
  bool has_momentum = false;  // a velocity of each value
  bool clips = false;         // gradients are shared for their norm
  Index gate_slices = 0;      // S T, of gates, heads and layers that are not split; 0: S

  bool is_routed(Index layer) const { return chosen[dmoe::size(layer)] > 0; }
  Index parts() const { return gate_slices == 0 ? 1 : gate_slices / slices; }  // T
  /// The same in one slice: what a layout is compared with. Local.
  Workload in_one_slice() const;
};

/// The phase of a config with the most epochs, the first of equals. Local.
const training::PhaseSpec& longest_phase(const config::Config& config);

/// What a step of a phase has to do. Where a routing lets the number of experts of a row vary, it is taken as
/// the most that may be. Throws InputError for routings that do not fit the network. Local.
Workload workload_of(const config::Config& config, const training::PhaseSpec& phase,
                     const model::NetworkSpec& network);

/// Rows in slices of so many each, but the last. Local.
std::vector<Index> cut_into(Index rows, Index length);

/// The rows of one replica that has more of them than any other.
struct ReplicaRows {
  Index rows = 0;                // b
  std::vector<Index> of_slices;  // those of each of its slices that has any
};
/// Of R replicas. Local.
ReplicaRows most_rows(const Workload& work, Index replicas);

}  // namespace dmoe::scale
