// What the operations of a communicator enter into its counters: bytes in traffic(), seconds in timing().
#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "comm/communicator.hpp"
#include "comm/duplicate.hpp"

namespace dmoe::comm {
namespace {

using test::duplicate_of_world;
using test::peers;
using test::world;

void expect_traffic(const Communicator& communicator, const Traffic& expected) {
  EXPECT_EQ(communicator.traffic().bytes_sent, expected.bytes_sent);
  EXPECT_EQ(communicator.traffic().bytes_received, expected.bytes_received);
  EXPECT_EQ(communicator.traffic().bytes_reduced, expected.bytes_reduced);
  EXPECT_EQ(communicator.traffic().messages_sent, expected.messages_sent);
  EXPECT_EQ(communicator.traffic().messages_received, expected.messages_received);
}

TEST(Traffic, of_a_broadcast_counts_once_per_receiver) {
  const Communicator communicator = duplicate_of_world();
  std::vector<float> values(7);
  communicator.broadcast(values);
  communicator.start_broadcast(std::span(values).first(5)).wait();
  constexpr std::int64_t bytes = sizeof(float) * (7 + 5);
  const Index others = world().size() - 1;
  expect_traffic(communicator, world().is_coordinator() ? Traffic{bytes * others, 0, 0, 2 * others, 0}
                                                        : Traffic{0, bytes, 0, 0, 2});
}

TEST(Traffic, of_messages_counts_each_at_both_ends) {
  const Communicator communicator = duplicate_of_world();
  const std::vector<float> values(7);
  std::vector<float> received(7);
  Traffic expected;
  for (const int peer : peers()) {  // as many floats as the sender's rank plus one
    const std::size_t sent_count = dmoe::size(world().rank()) + 1;
    const std::size_t received_count = dmoe::size(peer) + 1;
    Request send = communicator.start_send(std::span(values).first(sent_count), peer, Tag::partial_sums);
    communicator.start_receive(std::span(received).first(received_count), peer, Tag::partial_sums).wait();
    send.wait();
    expected.bytes_sent += std::int64_t{4} * (world().rank() + 1);
    expected.bytes_received += std::int64_t{4} * (peer + 1);
    ++expected.messages_sent;
    ++expected.messages_received;
  }
  expect_traffic(communicator, expected);
}

TEST(Traffic, of_an_all_reduce_counts_once_per_rank) {
  const Communicator communicator = duplicate_of_world();
  std::vector<std::int64_t> values(7);
  communicator.all_reduce(values);
  communicator.start_all_reduce(std::span(values).first(5)).wait();
  expect_traffic(communicator, {0, 0, world().is_local() ? 0 : 8 * (7 + 5), 0, 0});
}

/// The operations that steer a run and return when they are done.
const std::vector<std::function<void(const Communicator&)>> control_operations{
    [](const Communicator& communicator) {
      std::array<std::int64_t, 3> values{};
      communicator.broadcast(values);
    },
    [](const Communicator& communicator) {
      std::string text = "text";
      communicator.broadcast(text);
    },
    [](const Communicator& communicator) { communicator.all_reduce_max(1); },
    [](const Communicator& communicator) { communicator.gather(std::vector<double>(2)); },
    [](const Communicator& communicator) { communicator.gather(std::string("text")); },
    [](const Communicator& communicator) { communicator.barrier(); },
};

TEST(Traffic, of_control_messages_is_not_counted) {
  const Communicator communicator = duplicate_of_world();
  for (const auto& operation : control_operations) operation(communicator);
  expect_traffic(communicator, {});
}

TEST(Traffic, of_a_duplicate_starts_at_zero_and_is_its_own) {
  const Communicator first = duplicate_of_world();
  const Communicator second = duplicate_of_world();
  std::vector<std::int64_t> values(7);
  first.all_reduce(values);
  expect_traffic(second, {});
}

/// The activities beside `running` whose clock has moved in the life of this object.
class ClockWatch {
 public:
  ClockWatch(const Communicator& communicator, Activity running)
      : timing_(communicator.timing()),
        running_(running),
        before_(timing_.switch_to(running)),
        start_(timing_.seconds()) {}
  ~ClockWatch() { timing_.switch_to(before_); }
  ClockWatch(const ClockWatch&) = delete;
  ClockWatch& operator=(const ClockWatch&) = delete;

  std::vector<Activity> moved() const {
    const ActivitySeconds now = timing_.seconds();
    std::vector<Activity> activities;
    for (std::size_t i = 0; i < now.size(); ++i) {
      const auto activity = static_cast<Activity>(i);
      if (activity != running_ && now[i] > start_[i]) activities.push_back(activity);
    }
    return activities;
  }
  bool runs_again() const { return timing_.switch_to(running_) == running_; }

 private:
  Timing& timing_;
  Activity running_;
  Activity before_;
  ActivitySeconds start_;
};

/// None where no MPI is at work.
std::vector<Activity> unless_local(const std::vector<Activity>& activities) {
  return world().is_local() ? std::vector<Activity>{} : activities;
}

TEST(Timing, of_operations_that_return_when_done_is_waiting) {
  const Communicator communicator = duplicate_of_world();
  auto operations = control_operations;
  operations.emplace_back([](const Communicator& c) {
    std::array<float, 3> values{};
    c.reduce_any_order(values);
  });
  for (const Activity running : {Activity::compute, Activity::io}) {
    for (const auto& operation : operations) {
      const ClockWatch watch(communicator, running);
      operation(communicator);
      EXPECT_EQ(watch.moved(), unless_local({Activity::waiting}));
      EXPECT_TRUE(watch.runs_again());
    }
  }
}

/// Starting is communication, wait() is waiting, and what was running runs again after each.
void expect_two_parts(const Communicator& communicator, const std::function<Request()>& start) {
  Request request;
  {
    const ClockWatch watch(communicator, Activity::data);
    request = start();
    EXPECT_EQ(watch.moved(), unless_local({Activity::communication}));
    EXPECT_TRUE(watch.runs_again());
  }
  const ClockWatch watch(communicator, Activity::data);
  request.wait();
  EXPECT_EQ(watch.moved(), unless_local({Activity::waiting}));
  EXPECT_TRUE(watch.runs_again());
}

TEST(Timing, of_started_operations_is_communication_and_then_waiting) {
  const Communicator communicator = duplicate_of_world();
  std::vector<float> values(7);
  std::vector<float> received(7);
  std::vector<std::int64_t> integers(7);
  expect_two_parts(communicator, [&] { return communicator.start_broadcast(values); });
  expect_two_parts(communicator, [&] { return communicator.start_all_reduce(integers); });
  for (const int peer : peers()) {
    expect_two_parts(communicator, [&] { return communicator.start_send(values, peer, Tag::partial_sums); });
    expect_two_parts(communicator,
                     [&] { return communicator.start_receive(received, peer, Tag::partial_sums); });
  }
}

TEST(Timing, of_a_failed_operation_goes_back_to_what_was_running) {
  if (world().is_local()) return;  // nothing of MPI fails there
  const Communicator communicator = duplicate_of_world();
  const ClockWatch watch(communicator, Activity::io);
  const std::vector<float> values(1);
  EXPECT_ANY_THROW(communicator.start_send(values, world().size(), Tag::partial_sums));
  EXPECT_TRUE(watch.runs_again());
}

}  // namespace
}  // namespace dmoe::comm
