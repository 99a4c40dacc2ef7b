#include <sys/mman.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "bench/machine.hpp"

namespace dmoe::bench {
namespace {

constexpr Index mebibyte = Index{1024} * 1024;

TEST(ResidentBytes, are_pages_that_were_touched) {
  constexpr Index mapped = 64 * mebibyte;
  constexpr double tolerance = 8.0 * mebibyte;  // of what else comes and goes
  const Index before = resident_bytes();
  EXPECT_GT(before, 0);
  EXPECT_EQ(before % sysconf(_SC_PAGESIZE), 0);
  void* const memory = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  EXPECT_NEAR(static_cast<double>(resident_bytes() - before), 0, tolerance);
  auto* const bytes = static_cast<volatile char*>(memory);
  for (Index i = 0; i < mapped; i += 1024) bytes[i] = 1;
  EXPECT_NEAR(static_cast<double>(resident_bytes() - before), mapped, tolerance);
  munmap(memory, mapped);
  EXPECT_NEAR(static_cast<double>(resident_bytes() - before), 0, tolerance);
}

}  // namespace
}  // namespace dmoe::bench
