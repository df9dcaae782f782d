# The libraries behind libcluster as CMake targets. The build uses this file, and so does
# ClusterConfig.cmake, beside which it is installed, for programs that link the static library.
#
#   cluster_find_dependencies(missing zmq nng)   # makes Cluster::zmq and Cluster::nng
#
# Debian has CMake files for some of them only, and libzmq's .pc asks static links for libraries
# that Debian lacks. A header and a library are enough.

set(cluster_header_of_zmq zmq.h)
set(cluster_header_of_nng nng/nng.h)
set(cluster_header_of_isal isa-l.h)
set(cluster_header_of_cares ares.h)
set(cluster_header_of_ssl openssl/ssl.h)
set(cluster_header_of_crypto openssl/evp.h)
set(cluster_header_of_edit histedit.h)
set(cluster_header_of_utf8proc utf8proc.h)
set(cluster_header_of_microhttpd microhttpd.h)
set(cluster_header_of_prometheus-cpp-core prometheus/text_serializer.h)

# Sets `missing` to a list of texts, one for each library that is not there.
function(cluster_find_dependencies missing)
  set(texts)
  foreach(name IN LISTS ARGN)
    set(header ${cluster_header_of_${name}})
    string(TOUPPER ${name} upper)
    find_path(CLUSTER_${upper}_INCLUDE ${header})
    find_library(CLUSTER_${upper}_LIBRARY ${name})
    mark_as_advanced(CLUSTER_${upper}_INCLUDE CLUSTER_${upper}_LIBRARY)
    if(NOT CLUSTER_${upper}_INCLUDE OR NOT CLUSTER_${upper}_LIBRARY)
      list(APPEND texts "lib${name} (${header})")
    elseif(NOT TARGET Cluster::${name})
      add_library(Cluster::${name} UNKNOWN IMPORTED)
      set_target_properties(
        Cluster::${name} PROPERTIES IMPORTED_LOCATION "${CLUSTER_${upper}_LIBRARY}"
                                    INTERFACE_INCLUDE_DIRECTORIES "${CLUSTER_${upper}_INCLUDE}")
    endif()
  endforeach()
  set(${missing} "${texts}" PARENT_SCOPE)
endfunction()
