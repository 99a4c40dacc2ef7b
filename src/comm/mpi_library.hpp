// All that belongs to one MPI library or one launcher, each with its reason: Open MPI 4 and 5 (mpirun), MPICH
// and its kind, as Intel MPI, MVAPICH, Cray MPICH (Hydra's mpiexec), SLURM (srun with PMIx or PMI 2), and
// SimGrid SMPI, in which runs are simulated (core/simulation.hpp). Nobody else asks which.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <mpi.h>

namespace dmoe::comm {

/// True where a launcher has started this process as part of an MPI job. Local.
bool is_launched();

/// The rank of this process in its job, before or without MPI; 0 where nothing says it. Local.
int launched_rank();

/// How many processes the launcher says it has started; 1 where nothing says it. Local.
int launched_size();

/// Whether an environment variable, "NAME=value", is one by which launchers and MPI make a process part of a
/// job. Local.
bool is_of_launcher(std::string_view variable);

/// The process whose standard output shows what this process prints, where that is not this process: mpirun
/// or mpiexec, or what stands for it on this host. Nothing without such a launcher; 0 where it cannot be
/// seen. Local.
std::optional<int> launcher_process();

/// How `dmoe sweep` starts a run by default: words with {ranks} for their number. Local.
std::string default_launcher();

/// What started the ranks of this job, as one would type it: "mpirun -n 4", "srun -n 4"; empty without a
/// launcher. Local.
std::string launcher_of_this_job();

/// The MPI library that this program was built with: "Open MPI 4.1.4", "MPICH 4.2.1". Needs no MPI_Init.
/// Local.
std::string built_with();

/// The one it runs with, in its own words: "Open MPI v4.1.4", "MPICH 4.2.1". Needs no MPI_Init. Local.
std::string library_name();

/// MPI_Iallreduce of a sum in place; its result. wait_for() ends it. Collective over `ranks`.
int start_sum(std::span<std::int64_t> values, MPI_Comm ranks, MPI_Request& request);

/// MPI_Wait, which leaves its core to others where ranks share one; its result. Returns when the request is
/// done.
int wait_for(MPI_Request& request);

/// What MPI-IO is told of a file that all ranks write. ROMIO (of MPICH) else reads what lies between pieces
/// and writes it back, under locks, and ends the job where the file system has none; who writes whole chunks
/// has nothing between. Local.
class FileHints {
 public:
  FileHints();
  ~FileHints();
  FileHints(const FileHints&) = delete;
  FileHints& operator=(const FileHints&) = delete;
  MPI_Info native() const { return info_; }

 private:
  MPI_Info info_ = MPI_INFO_NULL;
};

/// What must be set before MPI_Init. Local.
void prepare_initialisation();

/// What must be waited for after MPI_Init, before the first message. Local.
void complete_initialisation();

}  // namespace dmoe::comm
