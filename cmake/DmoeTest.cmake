# How tests are declared, in tests/<module>/CMakeLists.txt:
#
#   dmoe_add_test(balance/margin)                          tests/balance/margin_test.cpp, one process
#   dmoe_add_mpi_test(comm/communicator RANKS 1 2 3 4)     the same under mpirun, one test per rank count,
#                                                          and once without mpirun (the local communicator)
#   dmoe_add_python_test(end_to_end/resume resume_test.py) a script, with what it needs in its environment
#
# All take LABELS name... and TIMEOUT seconds; the first two LINKS target... beyond dmoe::<module>; the last
# ARGS argument... and PROCESSORS count: 1 unless it keeps more cores busy, for most of what scripts start waits for a
# launcher. Labels: the module, `mpi`, `python` and those given. ALLOCATES_OFTEN: under sanitizers an MPI test looks for
# leaks where it runs without mpirun alone. CALLS_UNCHECKED: its ranks do not compare their collective calls
# (src/comm/call_check.hpp). SETS name...: once more with each of these instruction sets and no better one, as
# numerics.isa lowers them, where the architecture has them. A script with the label on_request runs with
# `ctest -C on_request` alone.

set(DMOE_SANITIZER_ENVIRONMENT "")
set(DMOE_SANITIZER_MPI_ENVIRONMENT "")
set(DMOE_SANITIZER_QUICK_ENVIRONMENT "")
set(DMOE_TIMEOUT_FACTOR 1)
if(DMOE_MPI_LIBRARY STREQUAL mpich) # which waits busily in what is collective: slow with more ranks than cores
  set(DMOE_TIMEOUT_FACTOR 3)
endif()
if(CMAKE_CROSSCOMPILING) # an emulator runs them
  set(DMOE_TIMEOUT_FACTOR 20)
endif()
if(DMOE_SANITIZE)
  set(DMOE_SANITIZER_ENVIRONMENT UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1)
  # fast_unwind_on_malloc=0: else the suppressions of Open MPI's unloaded plugins do not match. What allocates often
  # is slow with it.
  set(DMOE_SANITIZER_MPI_ENVIRONMENT ${DMOE_SANITIZER_ENVIRONMENT}
    ASAN_OPTIONS=fast_unwind_on_malloc=0
    LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/support/lsan.supp:print_suppressions=0)
  set(DMOE_SANITIZER_QUICK_ENVIRONMENT ${DMOE_SANITIZER_ENVIRONMENT} ASAN_OPTIONS=detect_leaks=0)
  set(DMOE_TIMEOUT_FACTOR 5)
endif()

# The interpreter of Debian, which sees Debian's h5py and matplotlib; another python3 on PATH may not.
find_program(DMOE_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(DMOE_PYTHON python3 REQUIRED)

function(_dmoe_test_properties test labels seconds processors environment)
  math(EXPR timeout "${seconds} * ${DMOE_TIMEOUT_FACTOR}")
  # COST: what may take long begins first.
  set_tests_properties(${test} PROPERTIES
    LABELS "${labels}" TIMEOUT ${timeout} COST ${seconds} PROCESSORS ${processors} ENVIRONMENT "${environment}")
endfunction()

# The test program <module>_<file>_test of tests/<module>/<file>_test.cpp; its name goes to `result`.
function(_dmoe_test_program result test main)
  cmake_parse_arguments(PARSE_ARGV 3 arg "" "" "LINKS")
  string(REPLACE "/" "_" target "${test}_test")
  get_filename_component(module ${test} DIRECTORY)
  get_filename_component(file ${test} NAME)
  add_executable(${target} ${file}_test.cpp)
  target_link_libraries(${target} PRIVATE ${main} ${arg_LINKS})
  if(TARGET dmoe::${module})
    target_link_libraries(${target} PRIVATE dmoe::${module})
  endif()
  dmoe_compile_options(${target})
  # What is measured is in the modules; -O1 compiles in half the time.
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  dmoe_compile_once(${target} tests <gmock/gmock.h> <gtest/gtest.h> LINKS GTest::gtest GTest::gmock)
  if(NOT TARGET ${module}_tests)
    add_custom_target(${module}_tests)
  endif()
  add_dependencies(${module}_tests ${target})
  set(${result} ${target} PARENT_SCOPE)
endfunction()

# The environment in which oneDNN uses this instruction set of x86-64 and no better one.
function(_dmoe_only_set result set)
  string(TOUPPER ${set} name)
  set(${result} ONEDNN_MAX_CPU_ISA=${name} DNNL_MAX_CPU_ISA=${name} PARENT_SCOPE)
endfunction()

function(dmoe_add_test test)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "LABELS;LINKS;SETS")
  if(NOT DMOE_HAS_LOWER_SETS)
    set(arg_SETS "")
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  _dmoe_test_program(program ${test} dmoe_test_main LINKS ${arg_LINKS})
  get_filename_component(module ${test} DIRECTORY)
  add_test(NAME ${test} COMMAND ${program})
  _dmoe_test_properties(${test} "${module};${arg_LABELS}" ${arg_TIMEOUT} 1
    "${DMOE_SANITIZER_MPI_ENVIRONMENT}")
  foreach(set IN LISTS arg_SETS)
    _dmoe_only_set(only ${set})
    add_test(NAME ${test}.${set} COMMAND ${program})
    _dmoe_test_properties(${test}.${set} "${module};${arg_LABELS}" ${arg_TIMEOUT} 1
      "${DMOE_SANITIZER_MPI_ENVIRONMENT};${only}")
  endforeach()
endfunction()

function(dmoe_add_mpi_test test)
  cmake_parse_arguments(PARSE_ARGV 1 arg "ALLOCATES_OFTEN;CALLS_UNCHECKED" "TIMEOUT" "RANKS;LABELS;LINKS;SETS")
  if(NOT DMOE_HAS_LOWER_SETS)
    set(arg_SETS "")
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  if(NOT arg_RANKS)
    message(FATAL_ERROR "dmoe_add_mpi_test(${test}): RANKS says under how many ranks it runs")
  endif()
  _dmoe_test_program(program ${test} dmoe_mpi_test_main LINKS ${arg_LINKS})
  get_filename_component(module ${test} DIRECTORY)
  set(environment "${DMOE_MPI_TEST_ENVIRONMENT};${DMOE_SANITIZER_MPI_ENVIRONMENT}")
  if(arg_ALLOCATES_OFTEN)
    set(environment "${DMOE_MPI_TEST_ENVIRONMENT};${DMOE_SANITIZER_QUICK_ENVIRONMENT}")
  endif()
  if(NOT arg_CALLS_UNCHECKED)
    list(APPEND environment DMOE_CHECK_COLLECTIVES=1)
  endif()
  add_test(NAME ${test}.local COMMAND ${program})
  _dmoe_test_properties(${test}.local "${module};${arg_LABELS}" ${arg_TIMEOUT} 1
    "${DMOE_MPI_TEST_ENVIRONMENT};${DMOE_SANITIZER_ENVIRONMENT}")
  foreach(ranks IN LISTS arg_RANKS)
    set(processors ${ranks})
    if(ranks GREATER 2) # ranks that wait yield: two cores do for any number, and ctest -j2 can plan it
      set(processors 2)
    endif()
    add_test(NAME ${test}.${ranks}
      COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${ranks} $<TARGET_FILE:${program}>)
    _dmoe_test_properties(${test}.${ranks} "${module};mpi;${arg_LABELS}" ${arg_TIMEOUT} ${processors}
      "${environment}")
    foreach(set IN LISTS arg_SETS)
      _dmoe_only_set(only ${set})
      add_test(NAME ${test}.${ranks}.${set}
        COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${ranks} $<TARGET_FILE:${program}>)
      _dmoe_test_properties(${test}.${ranks}.${set} "${module};mpi;${arg_LABELS}" ${arg_TIMEOUT} ${processors}
        "${environment};${only}")
    endforeach()
  endforeach()
endfunction()

# The script finds in its environment: DMOE (the program), MPIEXEC, DMOE_SOURCE_DIR, DMOE_BUILD_DIR, DMOE_PYTHON and
# on its import path tests/support (dmoe_testing.py).
function(dmoe_add_python_test test script)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "TIMEOUT;PROCESSORS" "LABELS;ARGS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(NOT arg_PROCESSORS)
    set(arg_PROCESSORS 1)
    if(DMOE_SANITIZE) # then the program keeps a core busy
      set(arg_PROCESSORS 2)
    endif()
  endif()
  get_filename_component(module ${test} DIRECTORY)
  set(program "")
  if(TARGET dmoe)
    set(program "DMOE=$<TARGET_FILE:dmoe>")
  endif()
  set(when "")
  if("on_request" IN_LIST arg_LABELS) # by ctest -C on_request alone
    set(when CONFIGURATIONS on_request)
  endif()
  add_test(NAME ${test} ${when} COMMAND ${DMOE_PYTHON} -B ${CMAKE_CURRENT_SOURCE_DIR}/${script} ${arg_ARGS})
  _dmoe_test_properties(${test} "${module};python;${arg_LABELS}" ${arg_TIMEOUT} ${arg_PROCESSORS}
    "${program};MPIEXEC=${MPIEXEC_EXECUTABLE};DMOE_SOURCE_DIR=${PROJECT_SOURCE_DIR};DMOE_BUILD_DIR=${PROJECT_BINARY_DIR};DMOE_PYTHON=${DMOE_PYTHON};PYTHONPATH=${PROJECT_SOURCE_DIR}/tests/support;${DMOE_MPI_TEST_ENVIRONMENT};${DMOE_SANITIZER_MPI_ENVIRONMENT}")
endfunction()
