// cluster_server: a Server behind the C API's handle.
//
// Server aborts if a handler is set too late. The handle remembers whether it is,
// so that the C API can answer an error. Thread-safe.

#ifndef CLUSTER_C_HANDLE_H_
#define CLUSTER_C_HANDLE_H_

#include <memory>

#include "cluster/base/mutex.h"
#include "cluster/server.h"

struct cluster_server {
  std::unique_ptr<cluster::Server> server;
  cluster::internal::Mutex handlers_mutex{
      cluster::internal::LockRank::kApplication};
  // Starting or stopping it has been tried, so it takes no more handlers.
  bool handlers_fixed CLUSTER_GUARDED_BY(handlers_mutex) = false;
};

#endif  // CLUSTER_C_HANDLE_H_
