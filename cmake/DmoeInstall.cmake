# `cmake --install` lays out bin/dmoe, the libraries and headers, and the CMake package that lets another project
# find_package(dmoe) and link dmoe::app, dmoe::balance, ... (src/README.md, "dmoe in your own project").
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
  DESTINATION "${DMOE_INSTALL_CMAKEDIR}")
install(EXPORT dmoe NAMESPACE dmoe:: FILE dmoeTargets.cmake DESTINATION "${DMOE_INSTALL_CMAKEDIR}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
