#include "comm/request.hpp"

#include <array>
#include <optional>
#include <type_traits>
#include <vector>

#include <gmock/gmock.h>

#include "comm/communicator.hpp"
#include "comm/duplicate.hpp"
#include "core/error.hpp"

namespace dmoe::comm {
namespace {

using test::duplicate_of_world;
using test::peers;
using test::world;

static_assert(!std::is_copy_constructible_v<Request> && !std::is_copy_assignable_v<Request>);
static_assert(std::is_nothrow_move_constructible_v<Request> && std::is_nothrow_move_assignable_v<Request>);

double waiting_seconds() {
  return world().timing().seconds()[static_cast<std::size_t>(Activity::waiting)];
}

std::int64_t sum_of_ranks() {
  return std::int64_t{world().size()} * (world().size() - 1) / 2;
}

TEST(Request, of_nothing_is_done_at_once) {
  Request request;
  EXPECT_FALSE(request.is_active());
  request.wait();
  request.wait();
  EXPECT_FALSE(request.is_active());
}

TEST(Request, is_active_until_it_was_waited_for) {
  std::array<std::int64_t, 1> value{world().rank()};
  Request request = world().start_all_reduce(value);
  EXPECT_EQ(request.is_active(), !world().is_local());
  request.wait();
  EXPECT_FALSE(request.is_active());
  EXPECT_EQ(value[0], sum_of_ranks());
}

TEST(Request, waits_once) {
  std::array<std::int64_t, 1> value{world().rank()};
  Request request = world().start_all_reduce(value);
  request.wait();
  const double before = waiting_seconds();
  request.wait();
  EXPECT_EQ(waiting_seconds(), before);
  EXPECT_EQ(value[0], sum_of_ranks());
}

TEST(Request, moves_and_leaves_nothing_behind) {
  std::array<std::int64_t, 1> value{world().rank()};
  Request first = world().start_all_reduce(value);
  Request second = std::move(first);
  EXPECT_FALSE(first.is_active());  // NOLINT(bugprone-use-after-move): what a move leaves is the matter
  EXPECT_EQ(second.is_active(), !world().is_local());
  Request third;
  third = std::move(second);
  EXPECT_FALSE(second.is_active());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(third.is_active(), !world().is_local());
  first.wait();
  second.wait();
  third.wait();
  EXPECT_FALSE(third.is_active());
  EXPECT_EQ(value[0], sum_of_ranks());
}

TEST(Request, is_used_again_after_a_wait) {
  Request request;
  for (std::int64_t round = 1; round <= 3; ++round) {
    std::array<std::int64_t, 1> value{round * world().rank()};
    request = world().start_all_reduce(value);
    request.wait();
    EXPECT_EQ(value[0], round * sum_of_ranks());
  }
}

TEST(Request, is_waited_for_in_any_order) {
  constexpr std::array<std::array<std::size_t, 3>, 6> orders{
      {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}};
  for (std::size_t i = 0; i < orders.size(); ++i) {
    std::array<std::array<std::int64_t, 1>, 3> values{};
    std::array<Request, 3> requests;
    for (std::size_t k = 0; k < 3; ++k) {
      values[k][0] = static_cast<std::int64_t>(k + 1) * world().rank();
      requests[k] = world().start_all_reduce(values[k]);
    }
    // Each rank in an order of its own.
    for (const std::size_t k : orders[(i + dmoe::size(world().rank())) % orders.size()]) {
      requests[k].wait();
      EXPECT_EQ(values[k][0], static_cast<std::int64_t>(k + 1) * sum_of_ranks());
    }
  }
}

TEST(Request, that_is_dropped_neither_waits_nor_is_taken_back) {
  if (world().size() == 1) return;
  const Communicator communicator = duplicate_of_world();
  const int next = (world().rank() + 1) % world().size();
  const int previous = (world().rank() + world().size() - 1) % world().size();
  std::array<float, 1> first{};
  std::array<float, 1> second{};
  communicator.start_receive(first, previous, Tag::partial_sums);  // dropped
  communicator.barrier();                                          // nothing was sent yet
  Request receive = communicator.start_receive(second, previous, Tag::partial_sums);
  const std::array<float, 2> values{1.0F, 2.0F};
  Request send_first = communicator.start_send(std::span(values).first(1), next, Tag::partial_sums);
  Request send_second = communicator.start_send(std::span(values).last(1), next, Tag::partial_sums);
  for (Request* request : {&receive, &send_first, &send_second}) request->wait();
  EXPECT_EQ(first[0], 1.0F);
  EXPECT_EQ(second[0], 2.0F);
}

TEST(Request, says_what_failed) {
  const Communicator communicator = duplicate_of_world();
  for (const int peer : peers()) {
    const std::array<float, 2> sent{};
    std::array<float, 1> too_short{};
    Request send = communicator.start_send(sent, peer, Tag::partial_sums);
    Request receive = communicator.start_receive(too_short, peer, Tag::partial_sums);
    std::optional<std::string> message;
    try {
      receive.wait();
    } catch (const RunError& error) {
      message = error.what();
    }
    send.wait();
    ASSERT_TRUE(message.has_value()) << "did not throw";
    EXPECT_THAT(*message,
                testing::ContainsRegex("MPI_Wait of a receive failed: (MPI_ERR_TRUNCATE|Message truncated)"));
  }
}

}  // namespace
}  // namespace dmoe::comm
