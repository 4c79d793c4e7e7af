# famfs-core as an installed library: `cmake --install build --component core`
# puts headers, static libraries, the CMake package `famfs-core` (target
# famfs::core), famfs-core.pc, `famfs` and `famfs-fused`. The public headers are
# listed here and in famfs-core/README.md; what they include comes with them.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(famfs_public_headers
  base/range.h base/status.h base/unique_fd.h base/units.h base/uuid.h
  media/checksum.h media/format.h media/volume_attributes.h
  dax/device.h
  instance/log/finding.h instance/check/fsck.h instance/check/mkfs.h instance/tree/namespace.h
  instance/reader/reader.h instance/check/transfer.h instance/writer/writer.h
  instance/mailbox/asker.h instance/mailbox/answerer.h)

# Headers and all that they include by quotes, relative to famfs-core.
function(famfs_header_closure out)
  set(found "")
  set(wanted ${ARGN})
  while(wanted)
    list(POP_FRONT wanted header)
    if(header IN_LIST found)
      continue()
    endif()
    list(APPEND found ${header})
    set(path ${PROJECT_SOURCE_DIR}/famfs-core/${header})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
    file(STRINGS ${path} lines REGEX "^#include \"")
    foreach(line ${lines})
      string(REGEX REPLACE "^#include \"([^\"]+)\".*" "\\1" included "${line}")
      list(APPEND wanted ${included})
    endforeach()
  endwhile()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

famfs_header_closure(headers ${famfs_public_headers})
foreach(header ${headers})
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${PROJECT_SOURCE_DIR}/famfs-core/${header}
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/famfs-core/${folder}
    COMPONENT core)
endforeach()

# The one target that others link: the rooms below come with it.
add_library(famfs_core INTERFACE)
target_link_libraries(famfs_core INTERFACE famfs_instance)
set_target_properties(famfs_core PROPERTIES EXPORT_NAME core)
set(rooms famfs_base famfs_media famfs_alloc famfs_dax famfs_tree famfs_devices
  famfs_log famfs_deletion famfs_reader famfs_writer famfs_mailbox famfs_check
  famfs_instance)
install(TARGETS famfs_core ${rooms}
  EXPORT famfs-core
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  COMPONENT core
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/famfs-core)
install(TARGETS famfs famfs-fused RUNTIME COMPONENT core)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/famfs-core)
install(EXPORT famfs-core
  NAMESPACE famfs::
  FILE famfs-coreTargets.cmake
  DESTINATION ${package_dir}
  COMPONENT core)
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/famfs-coreConfig.cmake.in
  ${PROJECT_BINARY_DIR}/famfs-coreConfig.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/famfs-coreConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/famfs-coreConfig.cmake
  ${PROJECT_BINARY_DIR}/famfs-coreConfigVersion.cmake
  DESTINATION ${package_dir}
  COMPONENT core)

# Paths relative to the .pc file, so that any --prefix at install time is right.
file(RELATIVE_PATH famfs_pc_prefix
  /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(${PROJECT_SOURCE_DIR}/cmake/famfs-core.pc.in
  ${PROJECT_BINARY_DIR}/famfs-core.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/famfs-core.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
  COMPONENT core)
