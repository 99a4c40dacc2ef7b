// watchdog_life FILE: the last rank stays away while the others are in the middle of creating a parallel
// file, under a watchdog of one second. watchdog_life_test.py reads what becomes of it.
#include <chrono>
#include <thread>

#include <mpi.h>

#include "comm/session.hpp"
#include "comm/watchdog.hpp"
#include "hdf5/file.hpp"

// In place of MPI's own, which HDF5 calls.
extern "C" int MPI_File_open(MPI_Comm ranks, const char* path, int mode, MPI_Info info, MPI_File* file) {
  int rank = 0;
  int size = 0;
  MPI_Comm_rank(ranks, &rank);
  MPI_Comm_size(ranks, &size);
  if (rank == size - 1) std::this_thread::sleep_for(std::chrono::minutes(2));
  return PMPI_File_open(ranks, path, mode, info, file);
}

int main(int argc, char** argv) {
  dmoe::comm::Session session;
  {
    const dmoe::comm::Watchdog watchdog(session.world(), 1.0);
    dmoe::hdf5::File file = dmoe::hdf5::File::create_parallel(argc > 1 ? argv[1] : "", session.world());
    file.close();
  }
  session.finalize();
  return 0;
}
