// The ranks that a test of dmoe_add_mpi_test runs on.
#pragma once

#include "comm/communicator.hpp"

namespace dmoe::test {

/// All ranks of the job, or the local communicator where the test was started without mpirun. Local.
const comm::Communicator& world();

}  // namespace dmoe::test
