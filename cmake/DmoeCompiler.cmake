# Which compilers can build dmoe, and the options of all our own code, tests included.
include(CheckCXXSourceCompiles)

set(CMAKE_REQUIRED_FLAGS "${CMAKE_CXX20_STANDARD_COMPILE_OPTION}")
check_cxx_source_compiles("
  #include <source_location>
  int main() { return static_cast<int>(std::source_location::current().line()) == 0; }" DMOE_HAS_SOURCE_LOCATION)
unset(CMAKE_REQUIRED_FLAGS)
if(NOT DMOE_HAS_SOURCE_LOCATION)
  message(FATAL_ERROR "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} has no std::source_location; dmoe needs "
    "GCC 12 or clang 16 at least (-DCMAKE_C_COMPILER=clang-16 -DCMAKE_CXX_COMPILER=clang++-16)")
endif()

# Of both compilers, then of each alone.
# -Wno-restrict: GCC 12 sees overlaps in std::string that are not there (GCC bug 105329).
# -Wno-unknown-pragmas: GCC's ivdep, in whose place clang looks at run time whether memory overlaps.
set(DMOE_WARNINGS
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Woverloaded-virtual
  $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond;-Wlogical-op;-Wno-restrict>
  $<$<CXX_COMPILER_ID:Clang>:-Wno-unknown-pragmas>)

# -fno-trapping-math: nobody asks for floating-point exceptions; values stay the same, loops with a choice vectorise.
# -ffp-contract=off: a product is rounded before it is added, so that the same sum has the
# same bits wherever its terms were computed (src/README.md, "Same bits for any sharding").
# -Wno-maybe-uninitialized: under AddressSanitizer GCC sees that in std::regex (GCC bug 105562).
function(dmoe_compile_options target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_options(${target} PUBLIC -ffp-contract=off)
  target_compile_options(${target} PRIVATE
    $<$<BOOL:${DMOE_ARCH}>:-march=${DMOE_ARCH}> -fno-math-errno -fno-trapping-math ${DMOE_WARNINGS})
  if(DMOE_WARNINGS_AS_ERRORS)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(DMOE_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${DMOE_SANITIZE} -fno-omit-frame-pointer
      $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
    target_link_options(${target} PUBLIC -fsanitize=${DMOE_SANITIZE})
  endif()
endfunction()
