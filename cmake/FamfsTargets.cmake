# How every target of the project is compiled: one place for warnings and
# sanitizers, and two functions that keep the targets' CMakeLists short.

# Where there is a cache of compilations, it is used. It would trust no
# precompiled header without being told so.
find_program(FAMFS_CCACHE ccache)
foreach(language C CXX)
  if(FAMFS_CCACHE AND NOT DEFINED CMAKE_${language}_COMPILER_LAUNCHER)
    set(CMAKE_${language}_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros
      ${FAMFS_CCACHE})
  endif()
endforeach()

add_library(famfs_options INTERFACE)
target_compile_options(famfs_options INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor -Werror
  # Libraries and programs alike: they share precompiled headers.
  -fPIC)
if(FAMFS_PRECOMPILED_HEADERS AND FAMFS_CCACHE)
  target_compile_options(famfs_options INTERFACE -fpch-preprocess)
endif()
target_include_directories(famfs_options INTERFACE
  ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/famfs-core)
target_compile_definitions(famfs_options INTERFACE
  FAMFS_VERSION="${PROJECT_VERSION}")
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  target_compile_options(famfs_options INTERFACE -Wthread-safety)
endif()
if(FAMFS_SANITIZE)
  add_compile_options(-fsanitize=${FAMFS_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${FAMFS_SANITIZE})
endif()

# famfs_library(NAME SOURCES ... DEPS ...): a static library of one room of the
# house. DEPS are public: a room's headers name the types of the rooms below.
function(famfs_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  # The options are this build's alone, not those of an installed library.
  target_link_libraries(${name} PUBLIC ${ARG_DEPS}
    PRIVATE $<BUILD_INTERFACE:famfs_options>)
  target_include_directories(${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/famfs-core>)
  famfs_use_precompiled(${name})
endfunction()

# famfs_rooms(NAME ROOM...): all rooms of a floor under one name, for who lives
# outside of the house (tests, the installed library). Rooms name each other.
function(famfs_rooms name)
  add_library(${name} INTERFACE)
  target_link_libraries(${name} INTERFACE ${ARGN})
endfunction()

function(famfs_executable name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  # The sources of a program (famfs' commands) have their own Options and Run.
  set_target_properties(${name} PROPERTIES UNITY_BUILD OFF)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} famfs_options)
  famfs_use_precompiled(${name})
endfunction()

# A GoogleTest binary: famfs_test(alloc_test SOURCES ... DEPS ...). ctest finds
# each of its tests, under the binary's name and the label of its suite.
include(GoogleTest)
function(famfs_test name)
  famfs_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE GTest::gmock_main)
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR
    BASE_DIRECTORY ${PROJECT_SOURCE_DIR}/tests OUTPUT_VARIABLE suite)
  string(REGEX REPLACE "/.*" "" suite "${suite}")
  # At test time, not after linking: a program's list may need what is not built
  # yet, and a sanitizer's build would run it twice.
  gtest_discover_tests(${name}
    TEST_PREFIX ${name}.
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS ${suite} TIMEOUT 900)
endfunction()
