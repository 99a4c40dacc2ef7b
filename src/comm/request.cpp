#include "comm/request.hpp"

#include "comm/call_check.hpp"
#include "comm/check.hpp"
#include "comm/mpi_library.hpp"
#include "comm/native.hpp"
#include "comm/watchdog.hpp"

namespace dmoe::comm {

Request::Request() noexcept = default;
Request::~Request() = default;

Request::Request(Timing& timing, const char* operation, const char* among, std::uintptr_t native,
                 std::unique_ptr<CallCheck> check)
    : timing_(&timing), operation_(operation), among_(among), native_(native), check_(std::move(check)) {}

Request::Request(Request&& other) noexcept {
  *this = std::move(other);
}

Request& Request::operator=(Request&& other) noexcept {
  timing_ = std::exchange(other.timing_, nullptr);
  operation_ = other.operation_;
  among_ = other.among_;
  native_ = other.native_;
  check_ = std::move(other.check_);
  counts_ = std::move(other.counts_);
  return *this;
}

void Request::wait() {
  if (!is_active()) return;
  const Blocking waiting(*timing_, operation_, among_);
  if (check_) check_->verify();
  check_.reset();
  MPI_Request request = request_of(native_);
  check(wait_for(request), operation_);
  counts_.reset();
  timing_ = nullptr;
}

void wait_for_all(std::vector<Request>& requests) {
  for (Request& request : requests) request.wait();
  requests.clear();
}

}  // namespace dmoe::comm
