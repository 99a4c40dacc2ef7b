# MPI, and all that differs between its libraries in the build; in the program it is src/comm/mpi_library.cpp, in
# scripts scripts/mpi.sh. Where several lie side by side, as Debian has them, DMOE_MPI says which:
#
#   cmake --preset release -B build/release-mpich -DDMOE_MPI=mpich
#
# DMOE_MPI_LIBRARY is what was found: openmpi, mpich (Intel MPI, MVAPICH and Cray MPICH are of its kind) or other.
set(DMOE_MPI "" CACHE STRING "openmpi or mpich, where both are installed; empty for what mpicxx stands for")
if(DMOE_MPI)
  # Debian's names. What the user has named otherwise stands.
  find_program(MPI_C_COMPILER mpicc.${DMOE_MPI} REQUIRED)
  find_program(MPI_CXX_COMPILER mpicxx.${DMOE_MPI} REQUIRED)
  find_program(MPIEXEC_EXECUTABLE mpiexec.${DMOE_MPI} REQUIRED)
  find_program(HDF5_C_COMPILER_EXECUTABLE h5pcc.${DMOE_MPI} REQUIRED)
endif()
set(MPI_CXX_SKIP_MPICXX ON)  # the C API alone
find_package(MPI REQUIRED COMPONENTS C CXX)

include(CheckSymbolExists)
set(CMAKE_REQUIRED_LIBRARIES MPI::MPI_C)
check_symbol_exists(OPEN_MPI mpi.h DMOE_HAS_OPEN_MPI)
check_symbol_exists(MPICH_VERSION mpi.h DMOE_HAS_MPICH)
unset(CMAKE_REQUIRED_LIBRARIES)
if(DMOE_HAS_OPEN_MPI)
  set(DMOE_MPI_LIBRARY openmpi)
elseif(DMOE_HAS_MPICH)
  set(DMOE_MPI_LIBRARY mpich)
else()
  set(DMOE_MPI_LIBRARY other)
endif()
if(DMOE_MPI AND NOT DMOE_MPI STREQUAL DMOE_MPI_LIBRARY)
  message(FATAL_ERROR "DMOE_MPI is ${DMOE_MPI}, but ${MPI_CXX_COMPILER} stands for ${DMOE_MPI_LIBRARY}: another MPI library "
    "needs a build folder of its own (cmake -B FOLDER)")
endif()

# What tests need and a user's job does not: they start more ranks than there are cores, as root in containers.
set(DMOE_MPI_TEST_ENVIRONMENT "")
if(DMOE_MPI_LIBRARY STREQUAL openmpi)
  # OMPI_: libraries of both, and mpirun of 4. PRTE_: mpirun of 5.
  # btl: ranks of one host. With tcp, Open MPI 5 may complain about interfaces that no rank needs.
  # pml: looking for fast networks takes half of the start.
  set(DMOE_MPI_TEST_ENVIRONMENT
    OMPI_ALLOW_RUN_AS_ROOT=1
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    OMPI_MCA_rmaps_base_oversubscribe=1
    PRTE_MCA_rmaps_default_mapping_policy=slot:oversubscribe
    OMPI_MCA_mpi_yield_when_idle=1
    OMPI_MCA_hwloc_base_binding_policy=none
    PRTE_MCA_hwloc_default_binding_policy=none
    OMPI_MCA_pml=ob1
    OMPI_MCA_btl=self,vader)
elseif(DMOE_MPI_LIBRARY STREQUAL mpich)
  # It waits busily, and gives its core to others after so many looks for a message: 1,000 by default. Heavily: asleep.
  set(DMOE_MPI_TEST_ENVIRONMENT MPIR_CVAR_POLLS_BEFORE_YIELD=1 MPIR_CVAR_ENABLE_HEAVY_YIELD=1)
endif()
