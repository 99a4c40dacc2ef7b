#include "comm/archive.hpp"

#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "core/types.hpp"
#include "support/world.hpp"

namespace dmoe::comm {
namespace {

using test::world;

/// A control message as modules write them.
struct Message {
  int rank = 0;
  double value = 0.0;
  std::string text;
  std::vector<std::string> lines;
  std::vector<double> row;
  bool operator==(const Message&) const = default;
  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    (archive & rank) & value;
    (archive & text) & lines;
    (archive & row);
  }
};

/// Longer the higher the rank; that of rank 0 is empty but for its numbers.
Message message_of(int rank) {
  const std::size_t count = dmoe::size(rank);
  return {rank, 0.1 * rank, std::string(1000 * count, 'x'), std::vector<std::string>(count, "line"),
          std::vector<double>(count, -0.5)};
}

template <class T>
T round_trip(const T& object) {
  T copy{};
  from_archive(to_archive(object), copy);
  return copy;
}

TEST(Archive, gives_back_what_went_in) {
  using namespace std::string_literals;
  for (const std::string& text : {""s, "with \0 and \n"s, std::string(100'000, 'x')}) {
    EXPECT_EQ(round_trip(text), text);
  }
  const std::vector<std::int64_t> integers{std::numeric_limits<std::int64_t>::min(), -1, 0,
                                           std::numeric_limits<std::int64_t>::max()};
  EXPECT_EQ(round_trip(integers), integers);
  for (int rank = 0; rank < 3; ++rank) EXPECT_EQ(round_trip(message_of(rank)), message_of(rank));
}

TEST(Archive, replaces_what_the_object_held) {
  Message message = message_of(3);
  from_archive(to_archive(message_of(1)), message);
  EXPECT_EQ(message, message_of(1));
}

TEST(Archive, cut_short_is_an_error) {
  const std::string bytes = to_archive(message_of(1));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    Message message;
    EXPECT_THROW(from_archive(bytes.substr(0, length), message), std::exception) << length << " bytes";
  }
}

TEST(Archive, of_foreign_bytes_is_an_error) {
  const std::string bytes = to_archive(message_of(1));
  std::string another_signature = bytes;
  another_signature.at(sizeof(std::size_t)) ^= 1;  // of Boost's, which follows its length
  for (const std::string& foreign : {another_signature, std::string(100, '\0')}) {
    Message message;
    EXPECT_THROW(from_archive(foreign, message), std::exception);
  }
}

TEST(BroadcastObject, gives_the_coordinators_to_all) {
  for (const int kind : {0, 1, 3}) {
    Message message = world().is_coordinator() ? message_of(kind) : message_of(10 + world().rank());
    broadcast_object(world(), message);
    EXPECT_EQ(message, message_of(kind));
  }
}

TEST(GatherObjects, gives_all_to_the_coordinator_in_the_order_of_the_ranks) {
  std::vector<Message> expected;
  for (int rank = 0; world().is_coordinator() && rank < world().size(); ++rank) {
    expected.push_back(message_of(rank));
  }
  EXPECT_EQ(gather_objects(world(), message_of(world().rank())), expected);
}

}  // namespace
}  // namespace dmoe::comm
