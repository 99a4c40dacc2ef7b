/* Compiles, links and has one MPI library where HDF5 and MPI belong together. */
#include <hdf5.h>
#include <mpi.h>

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  herr_t status = H5Pset_fapl_mpio(access, MPI_COMM_WORLD, MPI_INFO_NULL);
  H5Pclose(access);
  MPI_Finalize();
  return status < 0;
}
