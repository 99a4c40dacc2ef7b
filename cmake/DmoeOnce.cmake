# -DDMOE_ONCE=ON, for builds that nobody builds again (.ci/run). Headers of the standard library and fmt, and in tests
# GoogleTest's, are compiled once, in place of once for every source; the sources of a module are compiled ten at a time.
# A full build takes half the time; ccache does not keep what is compiled this way, and a source that misses an include
# is not found out.
option(DMOE_ONCE "headers are compiled once, and sources together: for builds made only once" OFF)
set(DMOE_PRECOMPILED_HEADERS
  <algorithm> <array> <cmath> <cstdint> <filesystem> <functional> <map> <memory> <numeric> <optional> <span> <string>
  <string_view> <utility> <vector> <fmt/format.h> <fmt/ranges.h>)

# dmoe_compile_once(TARGET SET [HEADER...] [LINKS target...]): the headers of SET, made where they are first used, with
# the HEADERs beyond those above and the options of that TARGET, which are those of all targets of a set; and the sources
# of TARGET together.
function(dmoe_compile_once target set)
  if(NOT DMOE_ONCE)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "LINKS")
  set(precompiled dmoe_precompiled_${set})
  # What one source keeps to itself may be shadowed by another.
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 10)
  target_compile_options(${target} PRIVATE -Wno-shadow)
  # GCC takes what is inlined from precompiled headers for our own code, and sees faults in std::string.
  set(quiet "$<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds;-Wno-maybe-uninitialized;-Wno-stringop-overflow;-Wno-stringop-overread>")
  target_compile_options(${target} PRIVATE ${quiet})
  if(NOT TARGET ${precompiled})
    file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/${precompiled}.cpp" CONTENT "// of cmake/DmoeOnce.cmake\n")
    add_library(${precompiled} OBJECT EXCLUDE_FROM_ALL "${PROJECT_BINARY_DIR}/${precompiled}.cpp")
    dmoe_compile_options(${precompiled})
    foreach(property IN ITEMS COMPILE_OPTIONS POSITION_INDEPENDENT_CODE)
      get_target_property(value ${target} ${property})
      if(NOT value MATCHES "-NOTFOUND$")
        set_target_properties(${precompiled} PROPERTIES ${property} "${value}")
      endif()
    endforeach()
    target_link_libraries(${precompiled} PRIVATE fmt::fmt ${arg_LINKS})
    target_precompile_headers(${precompiled} PRIVATE ${DMOE_PRECOMPILED_HEADERS} ${arg_UNPARSED_ARGUMENTS})
  endif()
  target_precompile_headers(${target} REUSE_FROM ${precompiled})
endfunction()
