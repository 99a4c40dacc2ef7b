// The main of tests on several ranks. Every rank runs every test; at the end of each they agree on whether it
// failed anywhere. Failures are printed by the rank that has them, everything else by rank 0.
#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <mpi.h>

#include "comm/check.hpp"
#include "comm/native.hpp"
#include "comm/session.hpp"
#include "support/temporary_folder.hpp"
#include "support/verdict.hpp"
#include "support/world.hpp"

namespace dmoe::test {

namespace {

using std::chrono::steady_clock;

/// How long a rank whose test failed waits for the others to end theirs: they may be waiting for it.
constexpr std::chrono::seconds patience{5};

const comm::Communicator* the_world = nullptr;

/// In one write, so that lines of several ranks do not mix.
void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

std::string rank_name() {
  return fmt::format("[rank {} of {}]", world().rank(), world().size());
}

/// On how many ranks something failed, by messages that no test can mix up with its own.
class Agreement {
 public:
  Agreement() : communicator_(copy_of_world()) {}

  /// The number of ranks that have `failed`. Ends the job where this rank has, and the others do not come.
  /// Collective.
  int failing_ranks(bool failed) const {
    int count = failed ? 1 : 0;
    if (communicator_.is_local()) return count;
    MPI_Request request = MPI_REQUEST_NULL;
    comm::check(
        MPI_Iallreduce(MPI_IN_PLACE, &count, 1, MPI_INT, MPI_SUM, comm::native_of(communicator_), &request),
        "MPI_Iallreduce");
    const steady_clock::time_point start = steady_clock::now();
    int all_came = 0;
    while (true) {
      comm::check(MPI_Test(&request, &all_came, MPI_STATUS_IGNORE), "MPI_Test");
      if (all_came != 0) return count;
      if (failed && steady_clock::now() - start > patience) {
        print(fmt::format("{} failed, and the others did not end the test within {} s: ending the job\n",
                          rank_name(), patience.count()));
        comm::Session::abort(1);
      }
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  }

 private:
  static comm::Communicator copy_of_world() {
    return world().is_local() ? comm::Communicator::local() : comm::duplicate_of(comm::native_of(world()));
  }
  comm::Communicator communicator_;
};

/// Replaces gtest's printer.
class RankPrinter : public testing::EmptyTestEventListener {
 public:
  explicit RankPrinter(const Agreement& agreement) : agreement_(agreement) {}

  void OnTestStart(const testing::TestInfo& test) override { print_once("[ RUN      ] {}\n", test); }

  void OnTestPartResult(const testing::TestPartResult& part) override {
    if (part.passed()) return;
    print(fmt::format("{} {}:{}: {}\n{}\n", rank_name(), part.file_name() == nullptr ? "?" : part.file_name(),
                      part.line_number(), part.skipped() ? "Skipped" : "Failure", part.message()));
  }

  void OnTestEnd(const testing::TestInfo& test) override {
    const int failing = agreement_.failing_ranks(test.result()->Failed());
    remove_shared_folders();
    ++(failing == 0 ? passed_ : failed_);
    print_once(failing == 0 ? "[       OK ] {}\n" : "[  FAILED  ] {} on {} of {} ranks\n", test, failing,
               world().size());
  }

  void OnTestProgramEnd(const testing::UnitTest& /*tests*/) override {
    if (world().is_coordinator()) {
      print(fmt::format("[  PASSED  ] {}\n[  FAILED  ] {}\n", passed_, failed_));
    }
  }

  bool has_failures() const { return failed_ > 0; }

 private:
  template <class... Values>
  static void print_once(const char* text, const testing::TestInfo& test, Values... values) {
    if (!world().is_coordinator()) return;
    print(fmt::format(fmt::runtime(text), fmt::format("{}.{}", test.test_suite_name(), test.name()),
                      values...));
  }

  const Agreement& agreement_;
  int passed_ = 0;
  int failed_ = 0;
};

/// Collective.
int run_tests() {
  const Agreement agreement;
  testing::TestEventListeners& listeners = testing::UnitTest::GetInstance()->listeners();
  delete listeners.Release(listeners.default_result_printer());
  if (!world().is_coordinator()) delete listeners.Release(listeners.default_xml_generator());
  auto* printer = new RankPrinter(agreement);
  listeners.Append(printer);

  bool failed = RUN_ALL_TESTS() != 0 || printer->has_failures();
  if (const std::string reason = why_nothing_is_proved(); !reason.empty()) {
    print(fmt::format("{} FAILED: {}\n", rank_name(), reason));
    failed = true;
  }
  delete listeners.Release(printer);
  return agreement.failing_ranks(failed) == 0 ? 0 : 1;
}

int run(int argc, char** argv) {
  comm::Session session;
  the_world = &session.world();
  testing::InitGoogleMock(&argc, argv);
  const int status = run_tests();
  session.finalize();
  return status;
}

}  // namespace

const comm::Communicator& world() {
  return *the_world;
}

}  // namespace dmoe::test

int main(int argc, char** argv) {
  try {
    return dmoe::test::run(argc, argv);
  } catch (const std::exception& error) {
    dmoe::test::print(fmt::format("a rank failed outside of its tests: {}\n", error.what()));
    dmoe::comm::Session::abort(1);
  }
}
