// A communication under way.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "core/timing.hpp"

namespace dmoe::comm {

class CallCheck;

/// Of a collective operation whose ranks have parts of different lengths: MPI reads them until it is done.
using Counts = std::vector<int>;

/// A started communication. Invariant: holds an active MPI request or none. The buffer it was started with
/// must live and stay untouched until wait() has returned; the layers keep theirs for as long as they live.
/// A request that is dropped while active (only when an exception unwinds) is left to MPI_Abort.
class Request {
 public:
  Request() noexcept;
  Request(Request&& other) noexcept;
  Request& operator=(Request&& other) noexcept;
  ~Request();

  /// Returns when the buffer may be used again; at once where nothing is under way. Throws RunError, also
  /// where ranks that check their calls (call_check.hpp) have called different ones. Local.
  void wait();
  bool is_active() const { return timing_ != nullptr; }

 private:
  friend class Communicator;
  Request(Timing& timing, const char* operation, const char* among, std::uintptr_t native,
          std::unique_ptr<CallCheck> check);

  Timing* timing_ = nullptr;  // none: nothing is under way
  const char* operation_ = "";
  const char* among_ = nullptr;       // the ranks of a part of all (communicator.hpp)
  std::uintptr_t native_ = 0;         // the MPI_Request (native.hpp)
  std::unique_ptr<CallCheck> check_;  // of what was called, where calls are checked
  std::unique_ptr<Counts> counts_;
};

/// Waits for all of them, of which none is left. Local.
void wait_for_all(std::vector<Request>& requests);

}  // namespace dmoe::comm
