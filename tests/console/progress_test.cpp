#include "console/progress.hpp"

#include <algorithm>
#include <future>
#include <sstream>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace dmoe::console {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

training::Plan plan() {
  training::Plan result;
  result.steps = 7200;
  result.steps_per_epoch = 600;
  result.epochs = 12;
  result.phases = {"constrained", "fine_tune"};
  result.phase_steps = {4800, 2400};
  return result;
}

training::LogRow row(Index step) {
  training::LogRow result;
  result.step = step;
  result.epoch = 2;
  result.phase = 0;
  result.loss = 0.12344;
  result.error = 0.03214;
  result.examples_per_second = 41200.4;
  return result;
}

/// A clock that the test moves.
class ProgressTest : public testing::Test {
 protected:
  Progress::Clock::time_point now_{};
  std::ostringstream out_;
  Progress progress_on(Console& console) {
    return Progress(console, [this] { return now_; });
  }
};

TEST(ProgressText, says_how_far_and_how_long_still) {
  EXPECT_EQ(progress_text(plan(), row(1800), 60),
            "epoch 3/12, 3 min 0 s left, loss 0.1234, error 3.21 %, 41,200 examples/s, step 1,800/7,200, "
            "constrained");
}

TEST(ProgressText, of_an_evaluation_has_validation_where_there_is_one) {
  training::EvaluationRow evaluation;
  evaluation.epoch = 2;
  evaluation.test = {0.1234, 0.0321};
  evaluation.train = {0.1201, 0.0305};
  EXPECT_EQ(evaluation_text(plan(), evaluation),
            "epoch 2/12: test error 3.21 % (loss 0.1234), train error 3.05 % (loss 0.1201)");
  evaluation.has_validation = true;
  evaluation.validation = {0.2, 0.04};
  EXPECT_EQ(evaluation_text(plan(), evaluation),
            "epoch 2/12: test error 3.21 % (loss 0.1234), validation error 4.00 % (loss 0.2000), train error "
            "3.05 % "
            "(loss 0.1201)");
}

TEST_F(ProgressTest, on_a_terminal_redraws_one_line_five_times_a_second) {
  Console console(out_, 60);
  Progress progress = progress_on(console);
  progress.began(plan());
  for (int step = 1; step <= 1000; ++step) {
    now_ += milliseconds(1);
    progress.stepped(row(step));
    progress.logged(row(step));
  }
  console.finish();
  std::string text = out_.str();
  const std::string erase = "\r\x1b[K";
  EXPECT_EQ(text.find('\n'), std::string::npos);
  int drawn = 0;
  for (; text.size() > erase.size(); text.erase(0, erase.size() + 59), ++drawn) {
    EXPECT_EQ(text.rfind(erase, 0), 0U);
  }
  EXPECT_EQ(drawn, 5);
  EXPECT_EQ(text, erase);
}

TEST_F(ProgressTest, in_a_log_writes_a_line_every_ten_seconds_and_every_evaluation) {
  Console console(out_, std::nullopt);
  Progress progress = progress_on(console);
  progress.began(plan());
  for (int step = 1; step <= 60; ++step) {
    now_ += seconds(1);
    progress.stepped(row(step));
    progress.logged(row(step));
  }
  progress.evaluated({}, {});
  console.finish();
  const std::string text = out_.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 7);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\r'), 0);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(Console, takes_the_changing_line_away_before_one_that_stays) {
  std::ostringstream out;
  Console console(out, 20);
  console.live("going on");
  console.line("stays");
  console.line("too");
  console.finish();
  EXPECT_EQ(out.str(), "\r\x1b[Kgoing on\r\x1b[Kstays\ntoo\n");
}

TEST(Console, cuts_no_character_in_two) {
  const auto shown = [](const std::string& text) {
    std::ostringstream out;
    {
      Console console(out, 6);
      console.live(text);
    }
    return out.str();
  };
  const std::string erase = "\r\x1b[K";
  // 5 columns are free; the first e with accent fits, half of the next would
  EXPECT_EQ(shown("abc\xc3\xa9\xc3\xa9"), erase + "abc\xc3\xa9" + erase);
  EXPECT_EQ(shown("abcd\xc3\xa9"), erase + "abcd" + erase);
}

/// Takes nothing until it is let.
class StandingStill : public std::stringbuf {
 public:
  void let() { let_.set_value(); }

 protected:
  std::streamsize xsputn(const char* text, std::streamsize count) override {
    wait_.wait();
    return std::stringbuf::xsputn(text, count);
  }

 private:
  std::promise<void> let_;
  std::shared_future<void> wait_ = let_.get_future().share();
};

TEST(Console, does_not_wait_for_a_reader_that_stands_still) {
  StandingStill reader;
  std::ostream out(&reader);
  Console console(out, std::nullopt);
  for (int i = 0; i < 3000; ++i)
    console.line(fmt::format("line {}", i));  // returns: nothing has been taken yet
  reader.let();
  console.finish();
  const std::string text = reader.str();
  EXPECT_NE(text.find(" line 2999\n"), std::string::npos);
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 3000);
}

}  // namespace
}  // namespace dmoe::console
