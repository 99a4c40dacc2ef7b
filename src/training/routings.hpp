// The routings of a network's layers, as a phase names them.
#pragma once

#include <memory>
#include <vector>

#include "distribution/network.hpp"
#include "model/routing.hpp"
#include "training/spec.hpp"

namespace dmoe::training {

/// Owns the routings that it puts in force, so it must outlive their use.
class Routings {
 public:
  /// One for each of `layers` layers, or one for all of them, or none: all experts. Throws InputError for
  /// another number.
  Routings(const std::vector<PartSpec>& parts, Index layers);

  /// InputError where a layer that was given a routing of its own has fewer experts than that chooses, or,
  /// with one routing for all, every layer with a gate has: they would silently be dense. Local.
  void check(const model::NetworkSpec& network) const;
  /// Of layer = 0 .. L-1.
  const model::Routing& of(Index layer) const { return *routings_[size(layer)]; }
  /// Local.
  void put_in_force(distribution::Network& network) const;

 private:
  std::vector<std::unique_ptr<model::Routing>> routings_;  // one a layer
  bool is_one_for_all_;
};

}  // namespace dmoe::training
