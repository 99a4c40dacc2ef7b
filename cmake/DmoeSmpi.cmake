# SimGrid's SMPI, in which dmoe_smpi runs: a build of its own (cmake --preset smpi), for the program is compiled for
# another MPI than dmoe, and without HDF5. Debian: libsimgrid-dev.
find_path(SMPI_INCLUDE_DIR smpi/mpi.h)
find_library(SIMGRID_LIBRARY simgrid)
find_program(SMPIRUN_EXECUTABLE smpirun)
if(NOT SMPI_INCLUDE_DIR OR NOT SIMGRID_LIBRARY OR NOT SMPIRUN_EXECUTABLE)
  message(FATAL_ERROR "DMOE_SMPI needs SimGrid 3.32 with its SMPI (Debian: libsimgrid-dev); not found: smpi/mpi.h, "
    "libsimgrid or smpirun. -DCMAKE_PREFIX_PATH=FOLDER says where else it is")
endif()
add_library(SimGrid::SMPI UNKNOWN IMPORTED)
set_target_properties(SimGrid::SMPI PROPERTIES
  IMPORTED_LOCATION "${SIMGRID_LIBRARY}"
  INTERFACE_INCLUDE_DIRECTORIES "${SMPI_INCLUDE_DIR}/smpi;${SMPI_INCLUDE_DIR}")
