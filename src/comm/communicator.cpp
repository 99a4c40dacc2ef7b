#include "comm/communicator.hpp"

#include <exception>

#include "comm/check.hpp"
#include "comm/mpi_library.hpp"
#include "comm/watchdog.hpp"
#include "core/error.hpp"

namespace dmoe::comm {

namespace {

template <class T>
constexpr std::int64_t bytes(std::span<T> values) {
  return static_cast<std::int64_t>(values.size_bytes());
}

int count(std::size_t values) {
  return narrow<int>(values);
}

}  // namespace

void check(int code, const char* operation, std::source_location place) {
  if (code == MPI_SUCCESS) return;
  std::string text(MPI_MAX_ERROR_STRING, '\0');
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  text.resize(size(length));
  throw RunError("{} failed: {} ({}:{})", operation, text, place.file_name(), place.line());
}

void Request::wait() {
  if (!is_active()) return;
  const Blocking waiting(*timing_, operation_);
  check(wait_for(native_), operation_);
}

Communicator::Handle::~Handle() {
  // While an exception unwinds the other ranks may not come along: the job is about to end anyway.
  if (native != MPI_COMM_NULL && std::uncaught_exceptions() == 0) MPI_Comm_free(&native);
}

Communicator Communicator::duplicate_of(MPI_Comm native) {
  Communicator result;
  check(MPI_Comm_dup(native, &result.handle_.native), "MPI_Comm_dup");
  check(MPI_Comm_set_errhandler(result.native(), MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check(MPI_Comm_rank(result.native(), &result.rank_), "MPI_Comm_rank");
  check(MPI_Comm_size(result.native(), &result.size_), "MPI_Comm_size");
  return result;
}

Request Communicator::start_broadcast(std::span<float> values) const {
  if (is_local()) return {};
  const TimedActivity communicating(*timing_, Activity::communication);
  (is_coordinator() ? traffic_->bytes_sent : traffic_->bytes_received) +=
      bytes(values) * (is_coordinator() ? size_ - 1 : 1);
  MPI_Request request = MPI_REQUEST_NULL;
  check(MPI_Ibcast(values.data(), count(values.size()), MPI_FLOAT, 0, native(), &request), "MPI_Ibcast");
  return {*timing_, request, "MPI_Wait of a broadcast"};
}

void Communicator::broadcast(std::span<float> values) const {
  start_broadcast(values).wait();
}

void Communicator::broadcast(std::span<std::int64_t> values) const {
  if (is_local()) return;
  const Blocking waiting(*timing_, "MPI_Bcast");
  check(MPI_Bcast(values.data(), count(values.size()), MPI_INT64_T, 0, native()), "MPI_Bcast");
}

void Communicator::broadcast(std::string& text) const {
  if (is_local()) return;
  const Blocking waiting(*timing_, "MPI_Bcast");
  std::int64_t length = narrow<std::int64_t>(text.size());
  check(MPI_Bcast(&length, 1, MPI_INT64_T, 0, native()), "MPI_Bcast");
  text.resize(dmoe::size(length));
  check(MPI_Bcast(text.data(), count(text.size()), MPI_CHAR, 0, native()), "MPI_Bcast");
}

Request Communicator::start_send(std::span<const float> values, int to, Tag tag) const {
  const TimedActivity communicating(*timing_, Activity::communication);
  traffic_->bytes_sent += bytes(values);
  MPI_Request request = MPI_REQUEST_NULL;
  check(MPI_Isend(values.data(), count(values.size()), MPI_FLOAT, to, static_cast<int>(tag), native(),
                  &request),
        "MPI_Isend");
  return {*timing_, request, "MPI_Wait of a send"};
}

Request Communicator::start_receive(std::span<float> values, int from, Tag tag) const {
  const TimedActivity communicating(*timing_, Activity::communication);
  traffic_->bytes_received += bytes(values);
  MPI_Request request = MPI_REQUEST_NULL;
  check(MPI_Irecv(values.data(), count(values.size()), MPI_FLOAT, from, static_cast<int>(tag), native(),
                  &request),
        "MPI_Irecv");
  return {*timing_, request, "MPI_Wait of a receive"};
}

Request Communicator::start_all_reduce(std::span<std::int64_t> values) const {
  if (is_local()) return {};
  const TimedActivity communicating(*timing_, Activity::communication);
  traffic_->bytes_reduced += bytes(values);
  MPI_Request request = MPI_REQUEST_NULL;
  check(MPI_Iallreduce(MPI_IN_PLACE, values.data(), count(values.size()), MPI_INT64_T, MPI_SUM, native(),
                       &request),
        "MPI_Iallreduce");
  return {*timing_, request, "MPI_Wait of an all-reduce"};
}

void Communicator::all_reduce(std::span<std::int64_t> values) const {
  start_all_reduce(values).wait();
}

void Communicator::reduce_any_order(std::span<float> values) const {
  if (is_local()) return;
  const Blocking waiting(*timing_, "MPI_Reduce");
  const void* send = is_coordinator() ? MPI_IN_PLACE : values.data();
  check(MPI_Reduce(send, values.data(), count(values.size()), MPI_FLOAT, MPI_SUM, 0, native()), "MPI_Reduce");
}

std::int64_t Communicator::all_reduce_max(std::int64_t value) const {
  if (is_local()) return value;
  const Blocking waiting(*timing_, "MPI_Allreduce");
  check(MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_INT64_T, MPI_MAX, native()), "MPI_Allreduce");
  return value;
}

std::vector<double> Communicator::gather(std::span<const double> row) const {
  if (is_local()) return {row.begin(), row.end()};
  const Blocking waiting(*timing_, "MPI_Gather");
  std::vector<double> rows(is_coordinator() ? row.size() * dmoe::size(size_) : 0);
  check(MPI_Gather(row.data(), count(row.size()), MPI_DOUBLE, rows.data(), count(row.size()), MPI_DOUBLE, 0,
                   native()),
        "MPI_Gather");
  return rows;
}

std::vector<std::string> Communicator::gather(const std::string& text) const {
  if (is_local()) return {text};
  const Blocking waiting(*timing_, "MPI_Gather");
  const auto ranks = dmoe::size(size_);
  const int length = count(text.size());
  std::vector<int> lengths(ranks);
  check(MPI_Gather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, 0, native()), "MPI_Gather");
  std::vector<int> starts(ranks + 1, 0);
  for (std::size_t r = 0; r < ranks; ++r) starts[r + 1] = starts[r] + lengths[r];
  std::string all(is_coordinator() ? dmoe::size(starts[ranks]) : 0, '\0');
  check(MPI_Gatherv(text.data(), length, MPI_CHAR, all.data(), lengths.data(), starts.data(), MPI_CHAR, 0,
                    native()),
        "MPI_Gatherv");
  std::vector<std::string> texts;
  for (std::size_t r = 0; is_coordinator() && r < ranks; ++r) {
    texts.push_back(all.substr(dmoe::size(starts[r]), dmoe::size(lengths[r])));
  }
  return texts;
}

void Communicator::barrier() const {
  if (is_local()) return;
  const Blocking waiting(*timing_, "MPI_Barrier");
  check(MPI_Barrier(native()), "MPI_Barrier");
}

}  // namespace dmoe::comm
