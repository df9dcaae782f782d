# What is installed, in four components: runtime (the shared library), development (headers,
# archive, cluster.pc, the CMake package), programs and python (the module, which loads the shared
# library).

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/Cluster)

# The public headers and all of the library's that they include.
set(pending ${CLUSTER_PUBLIC_HEADERS})
set(installed)
while(pending)
  list(POP_FRONT pending header)
  if(NOT header IN_LIST installed)
    list(APPEND installed ${header})
    file(STRINGS ${cluster_root}/${header} includes REGEX "^#include \"cluster/")
    list(TRANSFORM includes REPLACE "^#include \"([^\"]+)\".*" "\\1")
    list(APPEND pending ${includes})
  endif()
endwhile()
foreach(header IN LISTS installed)
  get_filename_component(folder ${header} DIRECTORY)
  # The file, not the link.
  get_filename_component(file ${cluster_root}/${header} REALPATH)
  install(FILES ${file} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/${folder} COMPONENT development)
endforeach()

# Two sets, since only the static library needs those that it is built on.
install(
  TARGETS cluster
  EXPORT ClusterTargets
  LIBRARY COMPONENT runtime NAMELINK_COMPONENT development)
install(
  TARGETS cluster_static
  EXPORT ClusterStaticTargets
  ARCHIVE COMPONENT development)
foreach(set ClusterTargets ClusterStaticTargets)
  install(
    EXPORT ${set}
    NAMESPACE Cluster::
    DESTINATION ${package_folder}
    COMPONENT development)
endforeach()

list(JOIN cluster_dependencies " " dependency_words)
configure_package_config_file(packaging/ClusterConfig.cmake.in ClusterConfig.cmake
                              INSTALL_DESTINATION ${package_folder})
# Before 1.0 a minor version may break the API.
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(compatibility SameMinorVersion)
else()
  set(compatibility SameMajorVersion)
endif()
write_basic_package_version_file(ClusterConfigVersion.cmake COMPATIBILITY ${compatibility})
install(
  FILES ${CMAKE_CURRENT_BINARY_DIR}/ClusterConfig.cmake
        ${CMAKE_CURRENT_BINARY_DIR}/ClusterConfigVersion.cmake
        packaging/ClusterDependencies.cmake
  DESTINATION ${package_folder}
  COMPONENT development)

# absl::span -> "absl_span = 20220623"
function(cluster_pc_modules result)
  list(TRANSFORM ARGN REPLACE "^absl::" "absl_")
  if(absl_VERSION)
    list(TRANSFORM ARGN APPEND " = ${absl_VERSION}")
  endif()
  list(JOIN ARGN ", " text)
  set(${result} "${text}" PARENT_SCOPE)
endfunction()
cluster_pc_modules(pc_requires ${absl_public})
cluster_pc_modules(pc_requires_private ${absl_private})
set(pc_libs_private ${cluster_dependencies})
list(TRANSFORM pc_libs_private PREPEND -l)
list(JOIN pc_libs_private " " pc_libs_private)
configure_file(packaging/cluster.pc.in cluster.pc @ONLY)
install(
  FILES ${CMAKE_CURRENT_BINARY_DIR}/cluster.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
  COMPONENT development)

# Where Debian's Python looks below /usr. In another prefix, name it in PYTHONPATH.
install(
  DIRECTORY python/cluster
  DESTINATION lib/python3/dist-packages
  COMPONENT python
  FILES_MATCHING PATTERN "*.py" PATTERN py.typed)

if(CLUSTER_PROGRAMS)
  install(TARGETS cluster-node cluster-keygen RUNTIME COMPONENT programs)
  install(
    FILES packaging/man/cluster-node.1 packaging/man/cluster-keygen.1
    DESTINATION ${CMAKE_INSTALL_MANDIR}/man1
    COMPONENT programs)
endif()
