// A process as if no launcher had started it.
#pragma once

#include <array>

#include <gtest/gtest.h>

#include "support/variable.hpp"

namespace dmoe::test {

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
