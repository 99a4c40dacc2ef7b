// What makes a test program fail beyond a failed assertion.
#pragma once

#include <string>

#include <gtest/gtest.h>

namespace dmoe::test {

/// Why a run of gtest that ended well still proves nothing: no test ran, or one was skipped. Empty where
/// neither holds. Local.
inline std::string why_nothing_is_proved() {
  const testing::UnitTest& tests = *testing::UnitTest::GetInstance();
  if (GTEST_FLAG_GET(list_tests)) return "";
  if (tests.test_to_run_count() == 0) return "no test was found";
  if (tests.skipped_test_count() > 0) return "a test was skipped";
  return "";
}

}  // namespace dmoe::test
