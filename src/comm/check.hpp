// The one spelling of a checked MPI call.
#pragma once

#include <source_location>

#include <mpi.h>

namespace dmoe::comm {

/// Throws RunError with MPI's own words where `code` is not MPI_SUCCESS: check(MPI_Barrier(c),
/// "MPI_Barrier").
void check(int code, const char* operation, std::source_location place = std::source_location::current());

}  // namespace dmoe::comm
