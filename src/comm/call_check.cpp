#include "comm/call_check.hpp"

#include <algorithm>
#include <cstdlib>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comm/check.hpp"
#include "comm/mpi_library.hpp"
#include "comm/watchdog.hpp"
#include "core/error.hpp"
#include "core/types.hpp"

namespace dmoe::comm {

namespace {

/// As much as has room, ended by 0.
void put(std::span<char> into, std::string_view text) {
  text.copy(into.data(), into.size() - 1);
}

std::string_view within_sources(std::string_view path) {
  const auto at = path.rfind("/src/");
  return at == std::string_view::npos ? path : path.substr(at + 1);
}

}  // namespace

bool asks_for_call_checks() {
  const char* const value = std::getenv("DMOE_CHECK_COLLECTIVES");  // NOLINT(concurrency-mt-unsafe)
#ifdef NDEBUG
  constexpr bool otherwise = false;
#else
  constexpr bool otherwise = true;
#endif
  const std::string_view text = value == nullptr ? "" : value;
  if (text.empty()) return otherwise;
  if (text != "0" && text != "1") {
    throw InputError("the environment variable DMOE_CHECK_COLLECTIVES is '{}'; allowed: 0, 1", text);
  }
  return text == "1";
}

CallCheck::CallCheck(MPI_Comm checks, std::string_view call, std::source_location place) {
  put(own_.call, call);
  put(own_.place, fmt::format("{}:{}", within_sources(place.file_name()), place.line()));
  int ranks = 0;
  check(MPI_Comm_size(checks, &ranks), "MPI_Comm_size");
  all_.resize(size(ranks));
  constexpr int bytes = sizeof(Record);
  check(MPI_Iallgather(&own_, bytes, MPI_BYTE, all_.data(), bytes, MPI_BYTE, checks, &request_),
        "MPI_Iallgather");
}

void CallCheck::verify() {
  const WatchedOperation operation("MPI_Wait of a comparison of calls");
  check(wait_for(request_), "MPI_Wait of a comparison of calls");
  const auto is_as_first = [&](const Record& record) {
    return std::string_view(record.call) == all_.front().call;
  };
  if (std::ranges::all_of(all_, is_as_first)) return;
  std::vector<std::string> calls;
  for (std::size_t rank = 0; rank < all_.size(); ++rank)
    calls.push_back(fmt::format("rank {}: {} ({})", rank, all_[rank].call, all_[rank].place));
  throw RunError("ranks call different collective operations: {}", fmt::join(calls, "; "));
}

}  // namespace dmoe::comm
