# `cmake --install` lays out what dmoe is without its sources:
#   bin                       dmoe, and dmoe-fetch-data, dmoe-report, dmoe-submit: links to share/dmoe/scripts
#   lib, include/dmoe         the libraries, their headers, and the CMake package that lets another project
#                             find_package(dmoe) and link dmoe::dmoe, or dmoe::balance alone
#   share/dmoe                scripts with their parts (scripts/slurm: job scripts) and configs (experiments), as in the
#                             sources
#   share/doc/dmoe            README, CHANGELOG, CITATION, LICENSE
#   share/man, share/bash-completion      src/app/CMakeLists.txt
# Nothing names the prefix, so that it can be moved.
include(CMakePackageConfigHelpers)

set(DMOE_INSTALL_CMAKEDIR "${CMAKE_INSTALL_LIBDIR}/cmake/dmoe")
configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/dmoeConfig.cmake.in" "${PROJECT_BINARY_DIR}/dmoeConfig.cmake"
  INSTALL_DESTINATION "${DMOE_INSTALL_CMAKEDIR}")
# Before 1.0 every minor version may change what others build on.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/dmoeConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/dmoeConfig.cmake" "${PROJECT_BINARY_DIR}/dmoeConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/DmoeDependencies.cmake" "${PROJECT_SOURCE_DIR}/cmake/DmoeMpi.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/DmoeHdf5.cmake"
  DESTINATION "${DMOE_INSTALL_CMAKEDIR}")
install(EXPORT dmoe NAMESPACE dmoe:: FILE dmoeTargets.cmake DESTINATION "${DMOE_INSTALL_CMAKEDIR}")
install(FILES
  "${PROJECT_SOURCE_DIR}/README.md" "${PROJECT_SOURCE_DIR}/CHANGELOG.md" "${PROJECT_SOURCE_DIR}/CITATION.cff"
  "${PROJECT_SOURCE_DIR}/LICENSE"
  DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}" RENAME copyright)  # Debian's name
if(NOT DMOE_PROGRAM)
  return()
endif()

set(data "${CMAKE_INSTALL_DATADIR}/dmoe")
install(PROGRAMS
  "${PROJECT_SOURCE_DIR}/scripts/fetch-data" "${PROJECT_SOURCE_DIR}/scripts/report"
  "${PROJECT_SOURCE_DIR}/scripts/submit"
  DESTINATION "${data}/scripts")
install(FILES "${PROJECT_SOURCE_DIR}/scripts/common.sh" "${PROJECT_SOURCE_DIR}/scripts/mpi.sh"
  DESTINATION "${data}/scripts")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/scripts/reporting" "${PROJECT_SOURCE_DIR}/scripts/slurm"
  DESTINATION "${data}/scripts" PATTERN __pycache__ EXCLUDE)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/experiments" DESTINATION "${data}" FILES_MATCHING
  PATTERN *.toml PATTERN __pycache__ EXCLUDE PATTERN performance EXCLUDE)

# From one folder to the other: in place of scripts/place.sh, and in links.
file(RELATIVE_PATH bin_from_data "${CMAKE_INSTALL_FULL_DATADIR}/dmoe" "${CMAKE_INSTALL_FULL_BINDIR}")
file(RELATIVE_PATH scripts_from_bin "${CMAKE_INSTALL_FULL_BINDIR}" "${CMAKE_INSTALL_FULL_DATADIR}/dmoe/scripts")
configure_file("${PROJECT_SOURCE_DIR}/cmake/place.sh.in" "${PROJECT_BINARY_DIR}/place.sh" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/place.sh" DESTINATION "${data}/scripts")
file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/links")
foreach(script fetch-data report submit)
  file(CREATE_LINK "${scripts_from_bin}/${script}" "${PROJECT_BINARY_DIR}/links/dmoe-${script}" SYMBOLIC)
  install(FILES "${PROJECT_BINARY_DIR}/links/dmoe-${script}" DESTINATION "${CMAKE_INSTALL_BINDIR}")
endforeach()
