# dmoe_add_module(NAME [USES module...] [LINKS PUBLIC|PRIVATE target...])
# One library dmoe::NAME of src/NAME, static or shared as BUILD_SHARED_LIBS says. USES names the modules it may include,
# downward only (tests/structure checks the includes themselves); the outside libraries
# after LINKS go to target_link_libraries as they stand.
function(dmoe_add_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "USES;LINKS")
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp")
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  file(GLOB headers CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.hpp")
  set(target dmoe_${name})
  add_library(${target} ${sources})
  add_library(dmoe::${name} ALIAS ${target})
  # Before 1.0 every minor version may change what others link to.
  set_target_properties(${target} PROPERTIES
    EXPORT_NAME ${name} LINKER_LANGUAGE CXX POSITION_INDEPENDENT_CODE ON DEFINE_SYMBOL ""
    INTERFACE_HEADER_SETS_TO_VERIFY alone
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  # A header whose source begins with it compiles alone (tests/structure); the others are compiled to see it.
  set(headers_alone "")
  foreach(header IN LISTS headers)
    string(REGEX REPLACE "\\.hpp$" ".cpp" source "${header}")
    if(NOT EXISTS "${source}")
      list(APPEND headers_alone "${header}")
    endif()
  endforeach()
  list(REMOVE_ITEM headers ${headers_alone})
  target_sources(${target} PUBLIC
    FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/src" FILES ${headers}
    FILE_SET alone TYPE HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/src" FILES ${headers_alone})
  foreach(used IN LISTS arg_USES)
    target_link_libraries(${target} PUBLIC dmoe::${used})
  endforeach()
  if(arg_LINKS)
    target_link_libraries(${target} ${arg_LINKS})
  endif()
  dmoe_compile_options(${target})
  dmoe_compile_once(${target} modules)
  dmoe_install_rpath(${target})
  if(DMOE_INSTALL)
    install(TARGETS ${target} EXPORT dmoe
      ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
      LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
      FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/dmoe
      FILE_SET alone DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/dmoe)
  endif()
endfunction()

# What is installed finds dmoe's own libraries wherever the prefix is, and others where they were found.
function(dmoe_install_rpath target)
  file(RELATIVE_PATH libraries "${CMAKE_INSTALL_FULL_BINDIR}" "${CMAKE_INSTALL_FULL_LIBDIR}")
  set_target_properties(${target} PROPERTIES
    INSTALL_RPATH "$ORIGIN;$ORIGIN/${libraries}" INSTALL_RPATH_USE_LINK_PATH ON)
endfunction()
