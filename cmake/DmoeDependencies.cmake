# Every outside library of dmoe, found in one place. The installed package
# (cmake/dmoeConfig.cmake.in) includes this file too, so the list cannot drift apart.
if(DMOE_SMPI)
  include("${CMAKE_CURRENT_LIST_DIR}/DmoeSmpi.cmake")
else()
  include("${CMAKE_CURRENT_LIST_DIR}/DmoeMpi.cmake")
  include("${CMAKE_CURRENT_LIST_DIR}/DmoeHdf5.cmake")
endif()
# Not find_package(dnnl): Debian's asks for the OpenCL headers, which only a GPU build of it needs.
find_path(DNNL_INCLUDE_DIR oneapi/dnnl/dnnl.hpp REQUIRED)
find_library(DNNL_LIBRARY dnnl REQUIRED)
# The OpenMP runtime with which oneDNN makes its threads, whichever the compiler would take for itself (clang another
# than GCC): two of them in one process would not know of each other's threads.
execute_process(COMMAND "${CMAKE_OBJDUMP}" -p "${DNNL_LIBRARY}"
  OUTPUT_VARIABLE dnnl_needs RESULT_VARIABLE dnnl_unread ERROR_QUIET)
if(NOT dnnl_unread AND dnnl_needs MATCHES "NEEDED +(lib(gomp|omp|iomp5)\\.so[.0-9]*)")
  get_filename_component(dnnl_folder "${DNNL_LIBRARY}" DIRECTORY)
  find_library(DNNL_OPENMP_LIBRARY "${CMAKE_MATCH_1}" HINTS "${dnnl_folder}" REQUIRED)
else() # a static oneDNN, or one that does not say
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  set(DNNL_OPENMP_LIBRARY OpenMP::OpenMP_CXX)
endif()
if(NOT TARGET DNNL::dnnl)
  add_library(DNNL::dnnl UNKNOWN IMPORTED)
  set_target_properties(DNNL::dnnl PROPERTIES
    IMPORTED_LOCATION "${DNNL_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${DNNL_INCLUDE_DIR}"
    INTERFACE_LINK_LIBRARIES "${DNNL_OPENMP_LIBRARY}")
  if(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL)
    set_property(TARGET DNNL::dnnl PROPERTY IMPORTED_GLOBAL ON)
  endif()
endif()
find_package(Boost CONFIG QUIET COMPONENTS serialization)
if(NOT Boost_FOUND) # one without a package of its own, by CMake's module, which is to go
  find_package(Boost REQUIRED COMPONENTS serialization)
endif()
find_package(ZLIB REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(CLI11 REQUIRED)
# Headers alone, and no packages of their own.
find_path(RANDOM123_INCLUDE_DIR Random123/philox.h REQUIRED)
if(NOT TARGET Random123::Random123)
  add_library(Random123::Random123 INTERFACE IMPORTED)
  set_target_properties(Random123::Random123 PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${RANDOM123_INCLUDE_DIR}")
endif()
find_path(XXHASH_INCLUDE_DIR xxhash.h REQUIRED)
if(NOT TARGET xxHash::xxHash)
  add_library(xxHash::xxHash INTERFACE IMPORTED)
  set_target_properties(xxHash::xxHash PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${XXHASH_INCLUDE_DIR}")
endif()
