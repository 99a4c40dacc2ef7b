// The main of tests of one process.
#include <iostream>

#include <gmock/gmock.h>

#include "support/verdict.hpp"

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  const int status = RUN_ALL_TESTS();
  if (const std::string reason = dmoe::test::why_nothing_is_proved(); !reason.empty()) {
    std::cout << "FAILED: " << reason << std::endl;
    return 1;
  }
  return status;
}
