// Between communicators and MPI's own: for who must call MPI itself.
#pragma once

#include <cstdint>
#include <cstring>

#include <mpi.h>

#include "comm/communicator.hpp"

namespace dmoe::comm {

/// Wraps a duplicate of an MPI communicator, with errors returned and checked. InputError where the
/// environment asks for checked calls (call_check.hpp) in a way that is none. Collective over `native`.
Communicator duplicate_of(MPI_Comm native);

/// MPI_COMM_NULL of a local one. Local.
MPI_Comm native_of(const Communicator& communicator);

/// An MPI_Request, a pointer or a number as the MPI library has it, in a header without MPI's; and back.
inline std::uintptr_t bits_of(MPI_Request request) {
  static_assert(sizeof(MPI_Request) <= sizeof(std::uintptr_t));
  std::uintptr_t bits = 0;
  std::memcpy(&bits, &request, sizeof(MPI_Request));
  return bits;
}
inline MPI_Request request_of(std::uintptr_t bits) {
  MPI_Request request = MPI_REQUEST_NULL;
  std::memcpy(&request, &bits, sizeof(MPI_Request));
  return request;
}

/// The owner of what duplicate_of() made.
struct Communicator::Native {
  MPI_Comm handle = MPI_COMM_NULL;
  MPI_Comm checks = MPI_COMM_NULL;  // where ranks compare their calls, if they do
  Native() = default;
  Native(const Native&) = delete;
  Native& operator=(const Native&) = delete;
  ~Native();
};

}  // namespace dmoe::comm
