// Losses and gradients that are not finite: where it began, told by all ranks alike.
#pragma once

#include <optional>
#include <string>

#include "comm/together.hpp"
#include "core/error.hpp"
#include "distribution/network.hpp"

namespace dmoe::training {

/// Numbers have gone wrong on some rank. Thrown on all ranks alike.
class NumericalError : public comm::OnAllRanks<RunError> {
 public:
  using OnAllRanks::OnAllRanks;
};

/// What went wrong with the numbers of this rank first.
class Trouble {
 public:
  explicit Trouble(distribution::Network& network) : network_(network) {}

  bool is_there() const { return first_.step > 0; }
  /// After a step, the number `step`, at a learning rate: the loss of this replica's rows, and the first
  /// tensor whose gradient was not finite. Local.
  void note(Index step, const numerics::Loss& loss, const std::optional<std::string>& tensor, double rate);
  /// Throws NumericalError on all ranks where any is in trouble. Collective over all replicas.
  void check() const;

 private:
  struct Event {
    Index step = 0;  // 0: none
    std::string message;
    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
      (archive & step) & message;
    }
  };

  distribution::Network& network_;
  Event first_;
};

}  // namespace dmoe::training
