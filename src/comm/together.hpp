// Failures that all ranks learn of, so that nobody leaves a collective path alone.
#pragma once

#include <exception>
#include <functional>
#include <string>

#include "comm/communicator.hpp"

namespace dmoe::comm {

/// Of what communicator all ranks throw an error. Any other error is a lone rank's, for which others may
/// wait.
class ThrownByAll {
 public:
  explicit ThrownByAll(const Communicator& communicator) : thrower_(communicator.identity()) {}
  bool is_of(const Communicator& communicator) const { return thrower_ == communicator.identity(); }

 private:
  const void* thrower_;  // never looked into
};

/// Whether it is thrown on all ranks of this communicator alike. Local.
inline bool is_thrown_by_all(const Communicator& communicator, const std::exception& error) {
  const auto* const alike = dynamic_cast<const ThrownByAll*>(&error);
  return alike != nullptr && alike->is_of(communicator);
}

/// An InputError or a RunError on all ranks of a communicator.
template <class Error>
class OnAllRanks : public Error, public ThrownByAll {
 public:
  OnAllRanks(const Communicator& communicator, const std::string& message)
      : Error(message), ThrownByAll(communicator) {}
};

/// Runs `body` on every rank, and where it throws on any, throws the lowest failing rank's error on all:
/// OnAllRanks<InputError> for an InputError, OnAllRanks<RunError> for anything else. `body` itself holds no
/// collective that another rank's failure would leave hanging. Collective.
void together(const Communicator& communicator, const std::function<void()>& body,
              Communicator::Place place = Communicator::Place::current());

}  // namespace dmoe::comm
