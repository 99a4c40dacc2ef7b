// The life of MPI in one process.
#pragma once

#include <string>

#include <mpi.h>

#include "comm/communicator.hpp"

namespace dmoe::comm {

/// MPI from construction to finalize(). A process that no launcher started (mpi_library.hpp) does not
/// touch MPI and gets a local world. MPI that somebody else has initialised is used, and left to them.
class Session {
 public:
  /// Throws InputError where several processes were started by a launcher that this MPI library does not
  /// understand. Collective over all processes of the job.
  Session();
  /// Of the ranks of a communicator of one's own, which may be freed meanwhile. Collective over them.
  explicit Session(MPI_Comm ranks);
  ~Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// All its ranks: the processes of the job, where no others were named.
  const Communicator& world() const { return world_; }
  /// "Open MPI 4.1.4", or "none (one process)".
  const std::string& library() const { return library_; }

  /// The orderly end, of MPI too where this has initialised it. Not called while an exception unwinds.
  /// Collective over its ranks.
  void finalize();

  /// Ends the whole job with this exit status, a moment after what was said last, which the launcher is to
  /// show: for a rank that fails while others may wait. Local.
  [[noreturn]] static void abort(int status);

 private:
  bool owns_mpi_;  // has initialised it, and finalises it
  Communicator world_;
  std::string library_;
};

}  // namespace dmoe::comm
