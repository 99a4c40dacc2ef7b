#include "bench/repetition.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>

#include "support/temporary_folder.hpp"
#include "support/world.hpp"

namespace dmoe::bench {
namespace {

using test::world;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(MillisecondsOf, runs_the_body_once) {
  int runs = 0;
  milliseconds_of([&] { ++runs; });
  EXPECT_EQ(runs, 1);
}

/// By this clock the first body takes 1 ms, the second one 2 ms, and so on.
class CountingStopwatch {
 public:
  double operator()(const std::function<void()>& body) {
    body();
    return ++bodies_;
  }

 private:
  double bodies_ = 0;
};

TEST(InTurn, takes_a_sample_of_each_task_in_each_repetition_but_the_first) {
  std::string runs;
  const std::vector<Samples> samples = in_turn(world(), 2,
                                               {{Where::everywhere, 1, [&] { runs += 'a'; }},
                                                {Where::coordinator, 4, [&] { runs += 'b'; }},
                                                {Where::everywhere, 2, [&] { runs += 'c'; }}},
                                               CountingStopwatch());
  ASSERT_EQ(samples.size(), 3U);
  if (world().is_coordinator()) {
    EXPECT_EQ(runs, "abcabcabc");
    EXPECT_THAT(samples[0], ElementsAre(4, 7));
    EXPECT_THAT(samples[1], ElementsAre(5.0 / 4, 8.0 / 4));
    EXPECT_THAT(samples[2], ElementsAre(6.0 / 2, 9.0 / 2));
  } else {
    EXPECT_EQ(runs, "acacac");
    EXPECT_THAT(samples[0], ElementsAre(3, 5));
    EXPECT_THAT(samples[1], IsEmpty());
    EXPECT_THAT(samples[2], ElementsAre(4.0 / 2, 6.0 / 2));
  }
}

TEST(InTurn, warms_up_where_nothing_is_to_be_measured) {
  int runs = 0;
  const std::vector<Samples> samples = in_turn(world(), 0, {{Where::everywhere, 1, [&] { ++runs; }}});
  EXPECT_EQ(runs, 1);
  EXPECT_THAT(samples, ElementsAre(IsEmpty()));
}

TEST(InTurn, begins_a_task_where_all_ranks_have_ended_the_one_before) {
  const test::TemporaryFolder folder(world());
  const auto mark = [&](int rank) { return folder / std::to_string(rank); };
  const int late = world().size() - 1;
  const auto write = [&] {
    if (world().rank() == late) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    std::ofstream(mark(world().rank())) << "x";
  };
  const auto look = [&] {
    for (int rank = 0; rank < world().size(); ++rank) EXPECT_TRUE(std::filesystem::exists(mark(rank)));
  };
  in_turn(world(), 0, {{Where::everywhere, 1, write}, {Where::everywhere, 1, look}});
}

}  // namespace
}  // namespace dmoe::bench
