#include "run/guarded_file.hpp"

#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"
#include "support/verdict.hpp"

namespace dmoe::run {
namespace {

using test::message_of;

constexpr const char* hdf5_signature = "\x89HDF\r\n\x1a\n";

/// What this program does as the child: the file says what becomes of who reads it.
int read_as_told(const std::vector<std::string>& words) {
  std::string told;
  std::getline(std::ifstream(words.back()).ignore(100, '!'), told);
  if (told == "crash") {
    std::signal(SIGSEGV, SIG_DFL);  // whatever a sanitizer made of it
    std::raise(SIGSEGV);
  }
  if (told == "take long") {
    const rlimit one{1, 2};
    setrlimit(RLIMIT_CPU, &one);
    for (volatile bool goes_on = true; goes_on;) {
    }
  }
  if (told == "refuse") std::fprintf(stderr, "dmoe: %s: no\nmore\n", words.back().c_str());
  if (told == "fail") std::fprintf(stderr, "dmoe: out of luck\n");
  if (told == "say words") {
    for (const std::string& word : words) std::printf("%s|", word.c_str());
  }
  if (told == "say environment") {
    for (char** variable = environ; *variable != nullptr; ++variable) std::printf("%s\n", *variable);
  }
  if (told == "be told to stop") {
    std::signal(SIGUSR1, SIG_DFL);
    std::raise(SIGUSR1);
  }
  if (told == "refuse" || told == "refuse in silence") return 2;
  return told == "fail" ? 1 : 0;
}

class GuardedFile : public testing::Test {
 protected:
  /// A file that makes the child do something.
  std::string file(const std::string& told, const std::string& signature = "") const {
    std::ofstream(path_, std::ios::binary) << signature << "!" << told << "\n";
    return path_;
  }
  std::string refusal(const std::string& told) const {
    return message_of([&] { check_in_child(file(told)); });
  }

  test::TemporaryFolder folder_;
  std::string path_ = folder_ / "run.h5";
};

TEST_F(GuardedFile, gives_what_is_said_of_a_whole_one) {
  EXPECT_EQ(check_in_child(file("say words")), "check|--limit|20|--|" + path_ + "|");
  EXPECT_EQ(check_in_child(file("say words"), io::Foreign::allow),
            "check|--limit|20|--any-hdf5|--|" + path_ + "|");
}

TEST_F(GuardedFile, gives_the_message_of_who_read_it) {
  EXPECT_EQ(refusal("refuse"), path_ + ": no");
  EXPECT_EQ(refusal("refuse in silence"), path_ + ": cannot be read: no reason given");
  EXPECT_EQ(refusal("fail"), path_ + ": cannot be read: out of luck");
}

TEST_F(GuardedFile, that_crashes_its_reader_is_damaged) {
  EXPECT_EQ(refusal("crash"),
            path_ +
                ": reading it ends the HDF5 library with signal 11 (Segmentation fault): the file is "
                "damaged");
}

TEST_F(GuardedFile, is_read_to_the_end_though_all_are_told_to_stop) {
  EXPECT_EQ(check_in_child(file("be told to stop")), "");
}

TEST_F(GuardedFile, that_takes_too_long_is_damaged) {
  EXPECT_EQ(refusal("take long"), path_ + ": reading it takes more than 20 s: the file is damaged");
}

TEST_F(GuardedFile, is_read_outside_of_the_mpi_job) {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"})
    setenv(name, "1", 1);
  setenv("DMOE_OF_THE_USER", "kept", 1);
  const std::string environment = check_in_child(file("say environment"));
  EXPECT_THAT(environment, testing::HasSubstr("DMOE_OF_THE_USER=kept"));
  for (const char* name : {"OMPI_", "PMI_", "PMIX_", "SLURM_"})
    EXPECT_THAT(environment, testing::Not(testing::HasSubstr(name)));
}

TEST_F(GuardedFile, is_looked_at_as_any_hdf5_file_where_it_begins_like_one) {
  EXPECT_NO_THROW(check_in_child_if_hdf5(file("refuse")));
  EXPECT_NO_THROW(check_in_child_if_hdf5(folder_ / "missing"));
  EXPECT_NO_THROW(check_in_child_if_hdf5(folder_.path().string()));
  EXPECT_NO_THROW(check_in_child_if_hdf5(file("say words", hdf5_signature)));
  EXPECT_EQ(message_of([&] { check_in_child_if_hdf5(file("refuse", hdf5_signature)); }), path_ + ": no");
}

TEST_F(GuardedFile, is_looked_at_here_without_a_program_that_checks) {
  check_with("");
  EXPECT_EQ(message_of([&] { check_in_child(file("say words")); }),
            path_ + ": cannot open: it is not an HDF5 file");
  check_with("/proc/self/exe");
}

}  // namespace
}  // namespace dmoe::run

/// A child of the tests is this same program.
int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (!words.empty() && words.front() == "check") return dmoe::run::read_as_told(words);
  dmoe::run::check_with("/proc/self/exe");
  testing::InitGoogleMock(&argc, argv);
  const int status = RUN_ALL_TESTS();
  return dmoe::test::why_nothing_is_proved().empty() ? status : 1;
}
