#include "comm/watchdog.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <unistd.h>

namespace dmoe::comm {

namespace {

/// Without allocating or taking a lock: the thread that waits may hold any.
[[noreturn]] void give_up(int rank, const char* operation, const char* among, double seconds) {
  std::array<char, 512> text{};
  const int length = std::snprintf(
      text.data(), text.size(),
      "dmoe: rank %d has waited %.0f s in %s%s%s: another rank or the network does not "
      "answer (comm.timeout is the limit)\n",
      rank, seconds, operation, among == nullptr ? "" : " among ", among == nullptr ? "" : among);
  const auto bytes = static_cast<std::size_t>(std::clamp(length, 0, static_cast<int>(text.size()) - 1));
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), bytes);
  _exit(1);
}

}  // namespace

Watchdog::Watchdog(const Communicator& ranks, std::optional<double> limit_seconds) {
  if (ranks.size() == 1 || !limit_seconds) return;
  // The thread inherits the mask: signals are for the thread that asks for them between steps.
  sigset_t all{};
  sigset_t before{};
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this, rank = ranks.rank(), limit = *limit_seconds] { watch(rank, limit); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Watchdog::~Watchdog() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  ending_.notify_one();
  thread_.join();
}

void Watchdog::watch(int rank, double limit_seconds) {
  using Clock = std::chrono::steady_clock;
  const std::chrono::duration<double> interval(std::min(1.0, limit_seconds / 4));
  std::uint64_t seen = 0;
  Clock::time_point since = Clock::now();
  std::unique_lock lock(mutex_);
  while (!ending_.wait_for(lock, interval, [this] { return is_ending_; })) {
    const std::uint64_t count = WatchedOperation::count.load(std::memory_order_relaxed);
    const char* const operation = WatchedOperation::current.load(std::memory_order_relaxed);
    if (count != seen || operation == nullptr) {
      seen = count;
      since = Clock::now();
      continue;
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - since).count();
    if (seconds >= limit_seconds)
      give_up(rank, operation, WatchedOperation::current_among.load(std::memory_order_relaxed), seconds);
  }
}

}  // namespace dmoe::comm
