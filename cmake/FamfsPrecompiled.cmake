# Headers that nearly every source of a room includes, parsed once: without them
# a source takes about twice as long. No source may rely on it: each includes
# what it uses, and builds without (FAMFS_PRECOMPILED_HEADERS=OFF, which the
# trees for clang and clang-tidy have).
#
# A room names its set for all targets of its directory:
#
#   set(FAMFS_PRECOMPILED famfs_precompiled_core)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(can_precompile ON)
endif()
option(FAMFS_PRECOMPILED_HEADERS "Parse common headers once (g++)"
  ${can_precompile})

set(FAMFS_CORE_HEADERS
  <algorithm> <array> <cerrno> <chrono> <cstdint> <cstring> <functional> <map>
  <memory> <mutex> <optional> <set> <span> <string> <string_view> <thread>
  <utility> <vector>
  <absl/container/flat_hash_map.h> <absl/container/flat_hash_set.h>
  <absl/status/statusor.h> <spdlog/spdlog.h>
  ${PROJECT_SOURCE_DIR}/famfs-core/base/status.h)
set(FAMFS_CORE_HEADERS_DEPS absl::flat_hash_map absl::flat_hash_set absl::status
  absl::statusor fmt::fmt spdlog::spdlog)

# famfs_precompiled(NAME HEADERS ... DEPS ... OPTIONS ...): a set, compiled with
# these options.
function(famfs_precompiled name)
  if(NOT FAMFS_PRECOMPILED_HEADERS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "HEADERS;DEPS;OPTIONS" ${ARGN})
  file(CONFIGURE OUTPUT ${name}.cc CONTENT "")
  add_library(${name} STATIC ${CMAKE_CURRENT_BINARY_DIR}/${name}.cc)
  target_link_libraries(${name} PRIVATE famfs_options ${ARG_DEPS})
  target_compile_options(${name} PRIVATE ${ARG_OPTIONS})
  target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
endfunction()

# Gives the target the set of its directory.
function(famfs_use_precompiled target)
  if(FAMFS_PRECOMPILED_HEADERS AND FAMFS_PRECOMPILED)
    target_precompile_headers(${target} REUSE_FROM ${FAMFS_PRECOMPILED})
  endif()
endfunction()
