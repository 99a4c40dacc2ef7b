// A process as if no launcher had started it, and environment variables for a while.
#pragma once

#include <array>
#include <cstdlib>
#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace dmoe::test {

/// An environment variable for the life of the object; nullptr: it is not set.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name); before != nullptr) before_ = before;
    put(value);
  }
  ~Variable() { put(before_ ? before_->c_str() : nullptr); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  void put(const char* value) const {
    if (value == nullptr) {
      unsetenv(name_);
    } else {
      setenv(name_, value, 1);
    }
  }
  const char* name_;
  std::optional<std::string> before_;
};

class UnlaunchedTest : public testing::Test {
 private:
  std::array<Variable, 10> variables_{{{"OMPI_COMM_WORLD_SIZE", nullptr},
                                       {"OMPI_COMM_WORLD_RANK", nullptr},
                                       {"PMIX_RANK", nullptr},
                                       {"PMI_RANK", nullptr},
                                       {"PMI_SIZE", nullptr},
                                       {"MPI_LOCALNRANKS", nullptr},
                                       {"SLURM_PROCID", nullptr},
                                       {"SLURM_STEP_NUM_TASKS", nullptr},
                                       {"SLURM_STEP_NUM_NODES", nullptr},
                                       {"OMPI_MCA_btl_vader_eager_limit", nullptr}}};
};

}  // namespace dmoe::test
