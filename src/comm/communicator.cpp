#include "comm/communicator.hpp"

#include <exception>

#include <fmt/format.h>

#include "comm/call_check.hpp"
#include "comm/check.hpp"
#include "comm/mpi_library.hpp"
#include "comm/native.hpp"
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

/// Whether any rank asks for it: a launcher may not have told the others. Throws InputError on all ranks
/// where one asks in a way that is none. Collective.
bool any_asks_for_call_checks(MPI_Comm ranks) {
  std::string wrong = "the environment variable DMOE_CHECK_COLLECTIVES of another rank is neither 0 nor 1";
  int asked = 0;
  try {
    asked = asks_for_call_checks() ? 1 : 0;
  } catch (const InputError& error) {
    wrong = error.what();
    asked = 2;
  }
  check(MPI_Allreduce(MPI_IN_PLACE, &asked, 1, MPI_INT, MPI_MAX, ranks), "MPI_Allreduce");
  if (asked == 2) throw InputError(wrong);
  return asked == 1;
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

Communicator duplicate_of(MPI_Comm native) {
  auto owner = std::make_unique<Communicator::Native>();
  check(MPI_Comm_dup(native, &owner->handle), "MPI_Comm_dup");
  check(MPI_Comm_set_errhandler(owner->handle, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  if (any_asks_for_call_checks(owner->handle))
    check(MPI_Comm_dup(owner->handle, &owner->checks), "MPI_Comm_dup");
  return Communicator(std::move(owner));
}

Communicator Communicator::split(int color, int key, const std::string& among) const {
  Communicator part = local();
  if (native_) {
    auto owner = std::make_unique<Native>();
    check(MPI_Comm_split(native_->handle, color, key, &owner->handle), "MPI_Comm_split");
    check(MPI_Comm_set_errhandler(owner->handle, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    if (checks_calls()) check(MPI_Comm_dup(owner->handle, &owner->checks), "MPI_Comm_dup");
    part = Communicator(std::move(owner));
    if (part.size() == 1) part = local();  // the same, without MPI
  }
  part.among_ = std::make_unique<const std::string>(among);
  part.traffic_ = traffic_;
  part.timing_ = timing_;
  return part;
}

MPI_Comm native_of(const Communicator& communicator) {
  return communicator.is_local() ? MPI_COMM_NULL : communicator.native()->handle;
}

Communicator::Native::~Native() {
  // While an exception unwinds the other ranks may not come along: the job is about to end anyway.
  if (std::uncaught_exceptions() > 0) return;
  for (MPI_Comm* communicator : {&checks, &handle})
    if (*communicator != MPI_COMM_NULL) MPI_Comm_free(communicator);
}

Communicator Communicator::local() {
  return Communicator(nullptr);
}

Communicator::Communicator(std::unique_ptr<const Native> native) : native_(std::move(native)) {
  if (!native_) return;
  check(MPI_Comm_rank(native_->handle, &rank_), "MPI_Comm_rank");
  check(MPI_Comm_size(native_->handle, &size_), "MPI_Comm_size");
}

Communicator::Communicator(Communicator&& other) noexcept = default;
Communicator& Communicator::operator=(Communicator&& other) noexcept = default;
Communicator::~Communicator() = default;

bool Communicator::checks_calls() const {
  return native_ && native_->checks != MPI_COMM_NULL;
}

std::unique_ptr<CallCheck> Communicator::start_check(std::string_view operation, std::size_t count,
                                                     std::string_view of, Place place) const {
  if (!checks_calls()) return nullptr;
  return std::make_unique<CallCheck>(native_->checks, fmt::format("{} of {} {}", operation, count, of),
                                     place);
}

void Communicator::compare(std::string_view operation, std::size_t count, std::string_view of,
                           Place place) const {
  if (const auto call = start_check(operation, count, of, place)) call->verify();
}

void Communicator::compare(std::string_view operation, std::string_view of, Place place) const {
  if (checks_calls()) CallCheck(native_->checks, fmt::format("{} {}", operation, of), place).verify();
}

void Communicator::compare_place(std::string_view operation, Place place) const {
  if (checks_calls())
    CallCheck(native_->checks, fmt::format("{} in line {}", operation, place.line()), place).verify();
}

Request Communicator::start_broadcast(std::span<float> values, Place place) const {
  if (is_local()) return {};
  auto call = start_check("broadcast", values.size(), "floats", place);
  const TimedActivity communicating(*timing_, Activity::communication);
  if (is_coordinator()) {
    traffic_->bytes_sent += bytes(values) * (size_ - 1);
    traffic_->messages_sent += size_ - 1;
  } else {
    traffic_->bytes_received += bytes(values);
    ++traffic_->messages_received;
  }
  MPI_Request request = MPI_REQUEST_NULL;
  check(MPI_Ibcast(values.data(), count(values.size()), MPI_FLOAT, 0, native_->handle, &request),
        "MPI_Ibcast");
  return {*timing_, "MPI_Wait of a broadcast", among(), bits_of(request), std::move(call)};
}

Request Communicator::start_all_gather(std::span<float> all, std::span<const Index> starts, Index width,
                                       Place place) const {
  if (is_local()) return {};
  auto call = start_check("all-gather", all.size(), "floats", place);
  const TimedActivity communicating(*timing_, Activity::communication);
  auto counts = std::make_unique<Counts>(dmoe::size(Index{2} * size_));  // then places
  for (int r = 0; r < size_; ++r) {
    const Index first = starts[dmoe::size(r)];
    (*counts)[dmoe::size(r)] = narrow<int>((starts[dmoe::size(r + 1)] - first) * width);
    (*counts)[dmoe::size(size_ + r)] = narrow<int>(first * width);
  }
  const std::int64_t own = (*counts)[dmoe::size(rank_)] * static_cast<std::int64_t>(sizeof(float));
  traffic_->bytes_sent += own * (size_ - 1);
  traffic_->bytes_received += bytes(all) - own;
  traffic_->messages_sent += size_ - 1;
  traffic_->messages_received += size_ - 1;
  MPI_Request request = MPI_REQUEST_NULL;
  check(MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all.data(), counts->data(),
                        counts->data() + size_, MPI_FLOAT, native_->handle, &request),
        "MPI_Iallgatherv");
  Request started(*timing_, "MPI_Wait of an all-gather", among(), bits_of(request), std::move(call));
  started.counts_ = std::move(counts);
  return started;
}

void Communicator::all_to_all(std::span<const std::int64_t> sent, std::span<std::int64_t> received,
                              Place place) const {
  if (is_local()) {
    received[0] = sent[0];
    return;
  }
  const Blocking waiting(*timing_, "MPI_Alltoall", among());
  compare("all-to-all", sent.size(), "integers", place);
  check(MPI_Alltoall(sent.data(), 1, MPI_INT64_T, received.data(), 1, MPI_INT64_T, native_->handle),
        "MPI_Alltoall");
}

void Communicator::broadcast(std::span<float> values, Place place) const {
  start_broadcast(values, place).wait();
}

void Communicator::broadcast(std::span<std::int64_t> values, Place place) const {
  if (is_local()) return;
  const Blocking waiting(*timing_, "MPI_Bcast", among());
  compare("broadcast", values.size(), "integers", place);
  check(MPI_Bcast(values.data(), count(values.size()), MPI_INT64_T, 0, native_->handle), "MPI_Bcast");
}

void Communicator::broadcast(std::string& text, Place place) const {
  if (is_local()) return;
  const Blocking waiting(*timing_, "MPI_Bcast", among());
  compare("broadcast of", "a text", place);
  std::int64_t length = narrow<std::int64_t>(text.size());
  check(MPI_Bcast(&length, 1, MPI_INT64_T, 0, native_->handle), "MPI_Bcast");
  text.resize(dmoe::size(length));
  check(MPI_Bcast(text.data(), count(text.size()), MPI_CHAR, 0, native_->handle), "MPI_Bcast");
}

Request Communicator::start_send(std::span<const float> values, int to, Tag tag) const {
  const TimedActivity communicating(*timing_, Activity::communication);
  traffic_->bytes_sent += bytes(values);
  ++traffic_->messages_sent;
  MPI_Request request = MPI_REQUEST_NULL;
  check(MPI_Isend(values.data(), count(values.size()), MPI_FLOAT, to, static_cast<int>(tag), native_->handle,
                  &request),
        "MPI_Isend");
  return {*timing_, "MPI_Wait of a send", among(), bits_of(request), nullptr};
}

Request Communicator::start_receive(std::span<float> values, int from, Tag tag) const {
  const TimedActivity communicating(*timing_, Activity::communication);
  traffic_->bytes_received += bytes(values);
  ++traffic_->messages_received;
  MPI_Request request = MPI_REQUEST_NULL;
  check(MPI_Irecv(values.data(), count(values.size()), MPI_FLOAT, from, static_cast<int>(tag),
                  native_->handle, &request),
        "MPI_Irecv");
  return {*timing_, "MPI_Wait of a receive", among(), bits_of(request), nullptr};
}

Request Communicator::start_all_reduce(std::span<std::int64_t> values, Place place) const {
  if (is_local()) return {};
  auto call = start_check("all-reduce", values.size(), "integers", place);
  const TimedActivity communicating(*timing_, Activity::communication);
  traffic_->bytes_reduced += bytes(values);
  MPI_Request request = MPI_REQUEST_NULL;
  check(start_sum(values, native_->handle, request), "MPI_Iallreduce");
  return {*timing_, "MPI_Wait of an all-reduce", among(), bits_of(request), std::move(call)};
}

void Communicator::all_reduce(std::span<std::int64_t> values, Place place) const {
  start_all_reduce(values, place).wait();
}

void Communicator::reduce_any_order(std::span<float> values, Place place) const {
  if (is_local()) return;
  const Blocking waiting(*timing_, "MPI_Reduce", among());
  compare("reduce in any order", values.size(), "floats", place);
  const void* send = is_coordinator() ? MPI_IN_PLACE : values.data();
  check(MPI_Reduce(send, values.data(), count(values.size()), MPI_FLOAT, MPI_SUM, 0, native_->handle),
        "MPI_Reduce");
}

std::int64_t Communicator::all_reduce_max(std::int64_t value, Place place) const {
  if (is_local()) return value;
  const Blocking waiting(*timing_, "MPI_Allreduce", among());
  compare("all-reduce of", "the largest", place);
  check(MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_INT64_T, MPI_MAX, native_->handle), "MPI_Allreduce");
  return value;
}

std::vector<double> Communicator::gather(std::span<const double> row, Place place) const {
  if (is_local()) return {row.begin(), row.end()};
  const Blocking waiting(*timing_, "MPI_Gather", among());
  compare("gather", row.size(), "doubles", place);
  std::vector<double> rows(is_coordinator() ? row.size() * dmoe::size(size_) : 0);
  check(MPI_Gather(row.data(), count(row.size()), MPI_DOUBLE, rows.data(), count(row.size()), MPI_DOUBLE, 0,
                   native_->handle),
        "MPI_Gather");
  return rows;
}

std::vector<std::string> Communicator::gather(const std::string& text, Place place) const {
  if (is_local()) return {text};
  const Blocking waiting(*timing_, "MPI_Gather", among());
  compare("gather of", "a text", place);
  const auto ranks = dmoe::size(size_);
  const int length = count(text.size());
  std::vector<int> lengths(ranks);
  check(MPI_Gather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, 0, native_->handle), "MPI_Gather");
  std::vector<int> starts(ranks + 1, 0);
  for (std::size_t r = 0; r < ranks; ++r) starts[r + 1] = starts[r] + lengths[r];
  std::string all(is_coordinator() ? dmoe::size(starts[ranks]) : 0, '\0');
  check(MPI_Gatherv(text.data(), length, MPI_CHAR, all.data(), lengths.data(), starts.data(), MPI_CHAR, 0,
                    native_->handle),
        "MPI_Gatherv");
  std::vector<std::string> texts;
  for (std::size_t r = 0; is_coordinator() && r < ranks; ++r) {
    texts.push_back(all.substr(dmoe::size(starts[r]), dmoe::size(lengths[r])));
  }
  return texts;
}

void Communicator::barrier(Place place) const {
  if (is_local()) return;
  const Blocking waiting(*timing_, "MPI_Barrier", among());
  compare("barrier of", "all", place);
  check(MPI_Barrier(native_->handle), "MPI_Barrier");
}

}  // namespace dmoe::comm
