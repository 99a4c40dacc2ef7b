// Failures that every rank knows of, and so all ranks leave together.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>

#include "comm/communicator.hpp"

namespace dmoe::run {

/// Exit status of the program; stopped: on request, with a checkpoint to resume from.
enum class Status : int { done = 0, failed = 1, refused = 2, stopped = 75 };

/// Thrown on all ranks alike: the coordinator prints it, everybody ends in order.
class AgreedError : public std::runtime_error {
 public:
  AgreedError(Status status, const std::string& message) : std::runtime_error(message), status_(status) {}
  Status status() const { return status_; }

 private:
  Status status_;
};

/// comm::together with an AgreedError for what went wrong: InputError means refused, anything else failed.
/// Any other exception that leaves a command is a lone rank's and ends the job at once. Collective over
/// `world`.
void agreed(const comm::Communicator& world, const std::function<void()>& body);

}  // namespace dmoe::run
