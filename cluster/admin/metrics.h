// The page /metrics: a Snapshot in Prometheus' text form, version 0.0.4.
//
// Names and units follow Prometheus' conventions. Every reason and every peer is
// there from the start, with 0, so that a rate has a first value. A pure function.

#ifndef CLUSTER_ADMIN_METRICS_H_
#define CLUSTER_ADMIN_METRICS_H_

#include <string>

#include "cluster/admin/snapshot.h"

namespace cluster::internal {

inline constexpr char kMetricsType[] = "text/plain; version=0.0.4";

std::string MetricsPage(const Snapshot& snapshot);

}  // namespace cluster::internal

#endif  // CLUSTER_ADMIN_METRICS_H_
