// What a mixture is asked besides what every layer is: the gate's side of z = sum_i g_i(x) f_i(x).
#pragma once

#include <span>

#include "balance/totals.hpp"
#include "core/matrix.hpp"
#include "model/routing.hpp"

namespace dmoe::distribution {

/// A layer whose gate shares the rows out to its experts. Who asks does not own it.
class Mixture {
 public:
  Mixture(const Mixture&) = delete;
  Mixture& operator=(const Mixture&) = delete;

  /// Chooses experts by this from now on; until then all take part. The routing must outlive its use. The
  /// same on every rank. Local.
  virtual void route(const model::Routing& routing) = 0;
  /// (rows, N): the gate values in use in the last forward pass, 0 where masked or not chosen: of all B rows
  /// on every rank, or, where rows are chosen for at their homes, of those at home here. Local.
  virtual ConstMatrixView gates() = 0;
  /// Adds those of the own experts to totals (N). Local.
  virtual void add_assigned(std::span<balance::Total> totals) = 0;
  /// Of those rows, how many all experts of all ranks together worked on in the last forward pass. Local.
  virtual Index expert_rows() = 0;

 protected:
  Mixture() = default;
  ~Mixture() = default;
};

}  // namespace dmoe::distribution
