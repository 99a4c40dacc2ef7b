#include "comm/communicator.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <numeric>
#include <ranges>
#include <stdexcept>
#include <thread>

#include <gmock/gmock.h>

#include "comm/check.hpp"
#include "comm/duplicate.hpp"
#include "comm/native.hpp"
#include "core/error.hpp"
#include "support/temporary_folder.hpp"

namespace dmoe::comm {
namespace {

using test::duplicate_of_world;
using test::peers;
using test::world;

using Integers = std::vector<std::int64_t>;

constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t smallest = std::numeric_limits<std::int64_t>::min();
// None, one, a few, many, and more than any rank sends before the receiver asks.
constexpr std::array<std::size_t, 5> counts{0, 1, 5, 20'000, 70'000};
constexpr std::array<Tag, 3> tags{Tag::partial_sums, Tag::gate_gradient, Tag::input_gradient};

int last() {
  return world().size() - 1;
}

/// `count` floats that `key` and their place tell apart, each of them exact.
std::vector<float> floats(std::size_t count, int key) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = static_cast<float>(1000 * key + static_cast<int>(i % 997));
  return values;
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

/// What the sum over the ranks is to be where each gives (rank + 1) * value.
std::int64_t times_all_ranks(std::int64_t value) {
  return value * world().size() * (world().size() + 1) / 2;
}

TEST(Communicator, numbers_its_ranks_from_the_coordinator) {
  EXPECT_EQ(world().is_coordinator(), world().rank() == 0);
  const std::array<double, 1> rank{static_cast<double>(world().rank())};
  const std::vector<double> ranks = world().gather(rank);
  if (!world().is_coordinator()) return;
  std::vector<double> expected(size(world().size()));
  std::iota(expected.begin(), expected.end(), 0.0);
  EXPECT_EQ(ranks, expected);
}

TEST(Communicator, local_twin_is_one_rank_without_mpi) {
  const Communicator local = Communicator::local();
  EXPECT_TRUE(local.is_local());
  EXPECT_TRUE(local.is_coordinator());
  EXPECT_EQ(local.rank(), 0);
  EXPECT_EQ(local.size(), 1);
  EXPECT_EQ(native_of(local), MPI_COMM_NULL);
}

TEST(Communicator, local_twin_gives_back_what_it_was_given) {
  const Communicator local = Communicator::local();  // under mpirun too: no other rank takes part
  std::vector<float> values = floats(5, 1);
  Integers integers{smallest, 0, largest};
  std::string text = "text";
  local.broadcast(values);
  local.start_broadcast(values).wait();
  local.reduce_any_order(values);
  local.broadcast(integers);
  local.all_reduce(integers);
  local.start_all_reduce(integers).wait();
  local.broadcast(text);
  local.barrier();
  EXPECT_EQ(values, floats(5, 1));
  EXPECT_EQ(integers, (Integers{smallest, 0, largest}));
  EXPECT_EQ(text, "text");
  EXPECT_EQ(local.all_reduce_max(smallest), smallest);
  EXPECT_EQ(local.gather(std::vector{1.0, 2.0}), (std::vector{1.0, 2.0}));
  EXPECT_EQ(local.gather(std::string("row")), std::vector<std::string>{"row"});
}

TEST(Communicator, broadcasts_floats_bit_by_bit) {
  for (const std::size_t count : counts) {
    std::vector<float> expected = floats(count, 1);
    if (count == 5) {
      expected = {-0.0F, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::denorm_min(),
                  std::numeric_limits<float>::quiet_NaN(), -1.0F};
    }
    for (const bool waits_later : {false, true}) {
      std::vector<float> values = world().is_coordinator() ? expected : floats(count, 2 + world().rank());
      if (waits_later) {
        Request request = world().start_broadcast(values);
        world().barrier();
        request.wait();
      } else {
        world().broadcast(values);
      }
      EXPECT_TRUE(same_bits(values, expected)) << count << " floats";
    }
  }
}

TEST(Communicator, broadcasts_integers) {
  for (const std::size_t count : counts) {
    Integers expected(count, largest);
    std::iota(expected.begin(), expected.end(), smallest);
    Integers values = world().is_coordinator() ? expected : Integers(count, world().rank());
    world().broadcast(values);
    EXPECT_EQ(values, expected);
  }
}

TEST(Communicator, broadcasts_strings_of_any_length) {
  using namespace std::string_literals;
  for (const std::string& expected : {""s, "x"s, "two\nlines \0 and more"s, std::string(1'000'000, 'y')}) {
    for (const std::size_t length : {0U, 5U}) {  // what the others hold before is shorter or longer
      std::string text = world().is_coordinator() ? expected : std::string(length, 'z');
      world().broadcast(text);
      EXPECT_EQ(text, expected);
    }
  }
}

/// The messages of one rank to another: `number` counts those of a tag.
std::vector<float> message(int from, int to, Tag tag, int number, std::size_t count) {
  return floats(count, ((from * 4 + to) * 4 + static_cast<int>(tag)) * 3 + number);
}

TEST(Communicator, keeps_messages_in_order_by_peer_and_tag) {
  struct Received {
    std::vector<float> values, expected;
    Request request;
  };
  for (const std::size_t count : counts) {
    std::vector<Received> received;
    std::vector<std::vector<float>> sent;
    std::vector<Request> sends;
    // The receiver asks for the tags in the order opposite to the sender's, and waits in that order.
    for (const Tag tag : std::views::reverse(tags)) {
      for (const int peer : peers()) {
        for (const int number : {0, 1, 2}) {
          Received& next = received.emplace_back();
          next.expected = message(peer, world().rank(), tag, number, count);
          next.values.resize(count);
          next.request = world().start_receive(next.values, peer, tag);
        }
      }
    }
    for (const Tag tag : tags) {
      for (const int number : {0, 1, 2}) {
        for (const int peer : peers()) {
          sent.push_back(message(world().rank(), peer, tag, number, count));
          sends.push_back(world().start_send(sent.back(), peer, tag));
        }
      }
    }
    for (Received& next : received) {
      next.request.wait();
      EXPECT_TRUE(same_bits(next.values, next.expected)) << count << " floats";
    }
    for (Request& send : sends) send.wait();
  }
}

TEST(Communicator, sends_more_than_there_is_room_for_before_anyone_receives) {
  constexpr std::size_t count = 50'000;  // sent before the receiver asks
  constexpr int messages = 40;           // more than fit the shared memory of a rank in Open MPI
  std::vector<std::vector<float>> sent;
  std::vector<Request> sends;
  for (int number = 0; number < messages; ++number) {
    for (const int peer : peers()) {
      sent.push_back(message(world().rank(), peer, Tag::partial_sums, number, count));
      sends.push_back(world().start_send(sent.back(), peer, Tag::partial_sums));
    }
  }
  world().barrier();
  std::vector<float> received(count);
  for (int number = 0; number < messages; ++number) {
    for (const int peer : peers()) {
      world().start_receive(received, peer, Tag::partial_sums).wait();
      EXPECT_TRUE(same_bits(received, message(peer, world().rank(), Tag::partial_sums, number, count)))
          << number;
    }
  }
  for (Request& send : sends) send.wait();
}

TEST(Communicator, keeps_the_messages_of_a_duplicate_apart) {
  const Communicator other = duplicate_of_world();
  for (const int peer : peers()) {
    std::vector<float> first = floats(5, 1);
    std::vector<float> second = floats(5, 2);
    Request send_first = world().start_send(first, peer, Tag::partial_sums);
    Request send_second = other.start_send(second, peer, Tag::partial_sums);
    std::vector<float> of_other(5);
    std::vector<float> of_world(5);
    Request receive_second = other.start_receive(of_other, peer, Tag::partial_sums);
    Request receive_first = world().start_receive(of_world, peer, Tag::partial_sums);
    for (Request* request : {&receive_second, &receive_first, &send_first, &send_second}) request->wait();
    EXPECT_EQ(of_other, second);
    EXPECT_EQ(of_world, first);
  }
}

TEST(Communicator, returns_the_errors_of_mpi) {
  if (world().is_local()) return;
  const Communicator communicator = duplicate_of_world();
  const std::vector<float> values(1);
  EXPECT_THROW(communicator.start_send(values, world().size(), Tag::partial_sums), RunError);
}

TEST(Communicator, sums_integers_exactly) {
  constexpr std::int64_t no_double = (std::int64_t{1} << 53) + 1;
  const bool is_first = world().is_coordinator();
  const bool is_last = world().rank() == last();
  Integers values{is_first ? largest : 0, is_last ? smallest : 0,
                  (is_first ? largest : 0) + (is_last ? smallest : 0), no_double * (world().rank() + 1),
                  -world().rank() - 1};
  const Integers expected{largest, smallest, -1, times_all_ranks(no_double), times_all_ranks(-1)};
  Integers started = values;
  world().all_reduce(values);
  EXPECT_EQ(values, expected);
  Request request = world().start_all_reduce(started);
  request.wait();
  EXPECT_EQ(started, expected);
}

TEST(Communicator, sums_none_and_many_integers) {
  for (const std::size_t count : counts) {
    Integers values(count, world().rank() + 1);
    world().all_reduce(values);
    EXPECT_EQ(values, Integers(count, times_all_ranks(1)));
  }
}

TEST(Communicator, goes_on_while_sums_are_under_way) {
  const std::int64_t own = world().rank() + 1;
  Integers first(1000, own);
  Integers second(1000, 7 * own);
  Request of_first = world().start_all_reduce(first);
  Request of_second = world().start_all_reduce(second);
  std::vector<float> values = floats(5, world().is_coordinator() ? 1 : 2);
  world().broadcast(values);
  world().barrier();
  EXPECT_EQ(world().all_reduce_max(world().rank()), last());
  std::vector<float> message = floats(5, 3 + world().rank());
  std::vector<float> received(5);
  for (const int peer : peers()) {
    Request send = world().start_send(message, peer, Tag::gate_gradient);
    world().start_receive(received, peer, Tag::gate_gradient).wait();
    send.wait();
    EXPECT_EQ(received, floats(5, 3 + peer));
  }
  of_second.wait();
  of_first.wait();
  EXPECT_EQ(values, floats(5, 1));
  EXPECT_EQ(first, Integers(1000, times_all_ranks(1)));
  EXPECT_EQ(second, Integers(1000, times_all_ranks(7)));
}

TEST(Communicator, sums_floats_on_the_coordinator_alone) {
  for (const std::size_t count : counts) {
    const auto own = static_cast<float>(world().rank() + 1);  // whole numbers: any order has the same sum
    std::vector<float> values(count, own);
    world().reduce_any_order(values);
    const float expected = world().is_coordinator() ? static_cast<float>(times_all_ranks(1)) : own;
    EXPECT_EQ(values, std::vector<float>(count, expected));
  }
}

TEST(Communicator, finds_the_largest_integer_of_any_rank) {
  for (int holder = 0; holder < world().size(); ++holder) {
    const bool holds = world().rank() == holder;
    EXPECT_EQ(world().all_reduce_max(holds ? largest : smallest), largest);
    EXPECT_EQ(world().all_reduce_max(holds ? -1 : -2), -1);
    EXPECT_EQ(world().all_reduce_max(holds ? smallest + 1 : smallest), smallest + 1);
  }
  EXPECT_EQ(world().all_reduce_max(smallest), smallest);
}

TEST(Communicator, gathers_rows_in_the_order_of_the_ranks) {
  for (const std::size_t width : {0U, 1U, 3U}) {
    std::vector<double> row(width);
    std::iota(row.begin(), row.end(), 10.5 * world().rank());
    std::vector<double> expected;
    for (int rank = 0; world().is_coordinator() && rank < world().size(); ++rank) {
      for (std::size_t i = 0; i < width; ++i) expected.push_back(10.5 * rank + static_cast<double>(i));
    }
    EXPECT_EQ(world().gather(row), expected);
  }
}

TEST(Communicator, gathers_strings_of_unequal_length) {
  const auto text_of = [](int rank, std::size_t factor) {
    return std::string(factor * dmoe::size(rank % 3),
                       static_cast<char>(rank));  // rank 0: '\0', 0 and 3: empty
  };
  for (const std::size_t factor : {0U, 1U, 50'000U}) {
    std::vector<std::string> expected;
    for (int rank = 0; world().is_coordinator() && rank < world().size(); ++rank) {
      expected.push_back(text_of(rank, factor));
    }
    EXPECT_EQ(world().gather(text_of(world().rank(), factor)), expected);
  }
}

TEST(Communicator, barrier_returns_on_no_rank_before_all_came) {
  const test::TemporaryFolder folder(world());
  for (int late = 0; late < world().size(); ++late) {
    const auto mark = [&](int rank) { return folder / fmt::format("{} of {}", rank, late); };
    if (world().rank() == late) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    std::ofstream(mark(world().rank())) << "x";
    world().barrier();
    for (int rank = 0; rank < world().size(); ++rank) EXPECT_TRUE(std::filesystem::exists(mark(rank)));
  }
}

TEST(Communicator, moves_with_a_request_under_way) {
  Communicator first = duplicate_of_world();
  const MPI_Comm native = native_of(first);
  const Timing* timing = &first.timing();
  Integers values(1000, world().rank() + 1);
  Request request = first.start_all_reduce(values);

  Communicator second = std::move(first);
  Communicator third = duplicate_of_world();
  third = std::move(second);
  request.wait();
  EXPECT_EQ(values, Integers(1000, times_all_ranks(1)));

  EXPECT_EQ(native_of(third), native);
  EXPECT_EQ(third.rank(), world().rank());
  EXPECT_EQ(third.size(), world().size());
  EXPECT_EQ(&third.timing(), timing);
  EXPECT_EQ(third.traffic().bytes_reduced, world().is_local() ? 0 : 8'000);
  third.all_reduce(values);
  EXPECT_EQ(values, Integers(1000, times_all_ranks(1) * world().size()));
}

int freed = 0;  // communicators with the mark of the test below that MPI has freed

TEST(Communicator, frees_its_duplicate_once_unless_an_exception_unwinds) {
  if (world().is_local()) return;
  int key = 0;
  const auto count_freed = [](MPI_Comm, int, void*, void*) { return ++freed, MPI_SUCCESS; };
  check(MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, count_freed, &key, nullptr), "MPI_Comm_create_keyval");
  const auto marked = [key] {
    Communicator communicator = duplicate_of_world();
    check(MPI_Comm_set_attr(native_of(communicator), key, nullptr), "MPI_Comm_set_attr");
    return communicator;
  };
  std::make_unique<Communicator>(marked()).reset();
  EXPECT_EQ(freed, 1);
  {
    Communicator first = marked();
    const Communicator second = std::move(first);
    EXPECT_EQ(freed, 1);
  }
  EXPECT_EQ(freed, 2);
  Communicator replaced = marked();
  replaced = Communicator::local();
  EXPECT_TRUE(replaced.is_local());
  EXPECT_EQ(freed, 3);
  try {
    const Communicator left = marked();
    throw std::runtime_error("unwinds");
  } catch (const std::runtime_error&) {
    EXPECT_EQ(freed, 3);
  }
  check(MPI_Comm_free_keyval(&key), "MPI_Comm_free_keyval");
}

}  // namespace
}  // namespace dmoe::comm
