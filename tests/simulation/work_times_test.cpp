#include "simulation/work_times.hpp"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"

namespace dmoe::simulation {

namespace {

const std::string units = "byte,0,0,0,0.5\nlogit,0,0,0,1\nchoice,0,0,0,9\nexponential,0,0,0,12\n";

WorkTimes times_of(const std::string& lines) {
  std::istringstream stream("# CPU: some\n" + std::string(WorkTimes::header) + "\n" + lines);
  return WorkTimes(stream);
}

template <class Body>
std::string message_of_input_error(Body body) {
  try {
    body();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no InputError";
}

TEST(WorkTimes, a_unit_takes_what_the_table_says) {
  const WorkTimes times = times_of(units);
  EXPECT_EQ(times.unit(Unit::byte), 0.5);
  EXPECT_EQ(times.unit(Unit::exponential), 12);
}

TEST(WorkTimes, rows_between_two_that_were_measured_lie_on_a_line) {
  const WorkTimes times = times_of(units + "output,8,4,16,100\noutput,8,4,32,300\noutput,8,4,2,40\n");
  EXPECT_EQ(times.product(Product::output, 16, 8, 4), 100);
  EXPECT_EQ(times.product(Product::output, 20, 8, 4), 150);
  EXPECT_EQ(times.product(Product::output, 9, 8, 4), 70);
}

TEST(WorkTimes, rows_outside_take_the_least_or_grow_in_proportion) {
  const WorkTimes times = times_of(units + "weight_gradient,8,4,2,40\nweight_gradient,8,4,32,300\n");
  EXPECT_EQ(times.product(Product::weight_gradient, 1, 8, 4), 40);
  EXPECT_EQ(times.product(Product::weight_gradient, 96, 8, 4), 900);
}

TEST(WorkTimes, a_product_that_nobody_measured_is_named) {
  const WorkTimes times = times_of(units + "output,8,4,1,1\n");
  EXPECT_THAT(message_of_input_error([&] { times.product(Product::output, 1, 4, 8); }),
              testing::HasSubstr("no output of 4 outputs and 8 inputs"));
  EXPECT_THAT(message_of_input_error([&] { times.product(Product::input_gradient, 1, 8, 4); }),
              testing::HasSubstr("no input_gradient of 8 outputs and 4 inputs"));
}

TEST(WorkTimes, what_is_no_table_is_refused) {
  EXPECT_THAT(message_of_input_error([] { times_of("byte,0,0,0,1\n"); }), testing::HasSubstr("logit"));
  EXPECT_THAT(message_of_input_error([] { times_of(units + "nothing,1,1,1,1\n"); }),
              testing::HasSubstr("unknown work 'nothing'"));
  EXPECT_THAT(message_of_input_error([] { times_of(units + "output,8,4\n"); }),
              testing::HasSubstr("the line 'output,8,4'"));
  std::istringstream stream(units);
  EXPECT_THAT(message_of_input_error([&] { WorkTimes{stream}; }), testing::HasSubstr("begins with"));
}

}  // namespace

}  // namespace dmoe::simulation
