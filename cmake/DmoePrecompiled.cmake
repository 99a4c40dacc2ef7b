# -DDMOE_PRECOMPILED=ON: headers of the standard library and fmt, and in tests GoogleTest's, are compiled once, in place
# of once for every source. A full build takes a third less time; ccache does not keep what is compiled this way, and a
# source that misses an include is not found out, so this is for builds that nobody builds again (.ci/run).
option(DMOE_PRECOMPILED "headers of the standard library and others are compiled once: for builds made only once" OFF)
set(DMOE_PRECOMPILED_HEADERS
  <algorithm> <array> <cmath> <cstdint> <filesystem> <functional> <map> <memory> <numeric> <optional> <span> <string>
  <string_view> <utility> <vector> <fmt/format.h> <fmt/ranges.h>)

# dmoe_precompile(TARGET SET [HEADER...] [LINKS target...]): the headers of SET, made where they are first used, with the
# HEADERs beyond those above and the options of that TARGET, which are those of all targets of a set.
function(dmoe_precompile target set)
  if(NOT DMOE_PRECOMPILED)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "LINKS")
  set(precompiled dmoe_precompiled_${set})
  # GCC takes what is inlined from precompiled headers for our own code, and sees faults in std::string.
  set(quiet "$<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds;-Wno-maybe-uninitialized;-Wno-stringop-overflow;-Wno-stringop-overread>")
  target_compile_options(${target} PRIVATE ${quiet})
  if(NOT TARGET ${precompiled})
    file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/${precompiled}.cpp" CONTENT "// of cmake/DmoePrecompiled.cmake\n")
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
