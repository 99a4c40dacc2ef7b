# dmoe_add_module(NAME [USES module...] [LINKS PUBLIC|PRIVATE target...])
# One static library dmoe::NAME of src/NAME. USES names the modules it may include,
# downward only (tests/structure checks the includes themselves); the outside libraries
# after LINKS go to target_link_libraries as they stand.
function(dmoe_add_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "USES;LINKS")
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp")
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  file(GLOB headers CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.hpp")
  set(target dmoe_${name})
  add_library(${target} STATIC ${sources})
  add_library(dmoe::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES
    EXPORT_NAME ${name} LINKER_LANGUAGE CXX POSITION_INDEPENDENT_CODE ON)
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/src" FILES ${headers})
  target_compile_features(${target} PUBLIC cxx_std_20)
  foreach(used IN LISTS arg_USES)
    target_link_libraries(${target} PUBLIC dmoe::${used})
  endforeach()
  if(arg_LINKS)
    target_link_libraries(${target} ${arg_LINKS})
  endif()
  dmoe_compile_options(${target})
  install(TARGETS ${target} EXPORT dmoe
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/dmoe)
endfunction()
