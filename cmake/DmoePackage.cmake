# `cpack` (in the build folder) makes a .deb of what `cmake --install` lays out, for the release it was built on.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR "The dmoe authors")
set(CPACK_PACKAGE_CONTACT "The dmoe authors <authors@dmoe.invalid>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "trains Deep Mixtures of Experts, sharded over MPI ranks
 dmoe trains, evaluates and analyses stacked mixtures of experts, each layer with a gate of its own, kept busy by a
 balancing rule. Experts are spread over MPI ranks; results and weights are HDF5. With one seed they have the same
 bits on any number of ranks.
 .
 Holds the program, its libraries and headers, scripts and examples.")
# Of the libraries that the program was linked with.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS OFF)
# For dmoe-report and mpirun, and for dmoe-fetch-data and dmoe-submit; dmoe trains without them.
set(recommended python3 python3-h5py python3-matplotlib python3-numpy)
# mpirun of the MPI that dmoe was built with, where a package has it.
find_program(DMOE_DPKG_QUERY dpkg-query)
mark_as_advanced(DMOE_DPKG_QUERY)
if(DMOE_DPKG_QUERY)
  file(REAL_PATH "${MPIEXEC_EXECUTABLE}" launcher)
  execute_process(COMMAND "${DMOE_DPKG_QUERY}" --search "${launcher}"
    OUTPUT_VARIABLE owner RESULT_VARIABLE unowned ERROR_QUIET)
  if(NOT unowned AND owner MATCHES "^([a-z0-9.+-]+):")
    list(APPEND recommended "${CMAKE_MATCH_1}")
  endif()
endif()
list(JOIN recommended ", " CPACK_DEBIAN_PACKAGE_RECOMMENDS)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "bash-completion, npm, slurm-client")
include(CPack)
