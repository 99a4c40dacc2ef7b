# A parallel HDF5, built with the MPI of DmoeMpi.cmake.
set(HDF5_PREFER_PARALLEL ON)
find_package(HDF5 REQUIRED COMPONENTS C)
if(NOT HDF5_IS_PARALLEL)
  message(FATAL_ERROR "dmoe needs a parallel HDF5 (Debian: libhdf5-openmpi-dev); found ${HDF5_VERSION} without MPI")
endif()
# A program with two MPI libraries in it starts, and crashes later.
list(GET HDF5_LIBRARIES 0 hdf5_library)
if(TARGET "${hdf5_library}") # of a CMake package of HDF5's own
  get_target_property(hdf5_configurations "${hdf5_library}" IMPORTED_CONFIGURATIONS)
  list(GET hdf5_configurations 0 hdf5_configuration)
  get_target_property(hdf5_library "${hdf5_library}" IMPORTED_LOCATION_${hdf5_configuration})
endif()
execute_process(COMMAND "${CMAKE_OBJDUMP}" -p "${hdf5_library}" OUTPUT_VARIABLE hdf5_needs ERROR_QUIET)
if((DMOE_MPI_LIBRARY STREQUAL openmpi AND hdf5_needs MATCHES "libmpi(ch|_cray)?\\.so\\.12")
    OR (DMOE_MPI_LIBRARY STREQUAL mpich AND hdf5_needs MATCHES "libmpi\\.so\\.40"))
  message(FATAL_ERROR "${hdf5_library} was built with another MPI than ${DMOE_MPI_LIBRARY}, which ${MPI_CXX_COMPILER} "
    "stands for: name the MPI with -DDMOE_MPI=openmpi or mpich, or the HDF5 with -DHDF5_ROOT=FOLDER")
endif()
