// Ends a rank that waits too long: a link that went down, a rank that hangs, are otherwise waited for for
// ever.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>

#include "comm/communicator.hpp"
#include "core/timing.hpp"

namespace dmoe::comm {

/// The operation that this process is in, for the watchdog to see; the innermost counts. For the thread that
/// communicates. A few nanoseconds.
class WatchedOperation {
 public:
  /// `name` must live as long as the program, `among`, the ranks that take part where these are not all, as
  /// long as the operation. Local.
  explicit WatchedOperation(const char* name, const char* among = nullptr)
      : outer_(current.load(std::memory_order_relaxed)),
        outer_among_(current_among.load(std::memory_order_relaxed)) {
    enter(name, among);
  }
  ~WatchedOperation() { enter(outer_, outer_among_); }
  WatchedOperation(const WatchedOperation&) = delete;
  WatchedOperation& operator=(const WatchedOperation&) = delete;

 private:
  friend class Watchdog;
  static void enter(const char* name, const char* among) {
    current.store(name, std::memory_order_relaxed);
    current_among.store(among, std::memory_order_relaxed);
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  static inline std::atomic<const char*> current{nullptr};
  static inline std::atomic<const char*> current_among{nullptr};
  static inline std::atomic<std::uint64_t> count{0};  // of changes
  const char* outer_;
  const char* outer_among_;
};

/// An operation that ends when other ranks have done their part.
class Blocking {
 public:
  Blocking(Timing& timing, const char* name, const char* among = nullptr)
      : operation_(name, among), waiting_(timing, Activity::waiting) {}

 private:
  WatchedOperation operation_;
  TimedActivity waiting_;
};

/// While it lives, and there are several ranks: a rank that stays longer than `limit` in one operation prints
/// its rank, the operation and the seconds, and ends with exit status 1, upon which the launcher ends the
/// others. Makes no MPI call, in a thread of its own that takes no signals. Local.
class Watchdog {
 public:
  /// No limit: does nothing.
  Watchdog(const Communicator& ranks, std::optional<double> limit_seconds);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  void watch(int rank, double limit_seconds);
  std::mutex mutex_;
  std::condition_variable ending_;
  bool is_ending_ = false;
  std::thread thread_;
};

}  // namespace dmoe::comm
