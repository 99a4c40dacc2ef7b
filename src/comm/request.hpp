// A communication under way.
#pragma once

#include <utility>

#include <mpi.h>

#include "core/timing.hpp"

namespace dmoe::comm {

/// A started communication. Invariant: holds an active MPI request or none. The buffer it was started with
/// must live and stay untouched until wait() has returned; the layers keep theirs for as long as they live.
/// A request that is dropped while active (only when an exception unwinds) is left to MPI_Abort.
class Request {
 public:
  Request() = default;
  Request(Timing& timing, MPI_Request native, const char* operation)
      : timing_(&timing), native_(native), operation_(operation) {}
  Request(Request&& other) noexcept { *this = std::move(other); }
  Request& operator=(Request&& other) noexcept {
    timing_ = other.timing_;
    native_ = std::exchange(other.native_, MPI_REQUEST_NULL);
    operation_ = other.operation_;
    return *this;
  }
  ~Request() = default;

  /// Returns when the buffer may be used again; at once where nothing is under way. Throws RunError. Local.
  void wait();
  bool is_active() const { return native_ != MPI_REQUEST_NULL; }

 private:
  Timing* timing_ = nullptr;
  MPI_Request native_ = MPI_REQUEST_NULL;
  const char* operation_ = "";
};

}  // namespace dmoe::comm
