// The border between the C API's structs and the library's values.
//
// Structs of any version of the header come in. Those of the library's own version
// go out, and borrow from the value.
// Thread-safe.
//
//   EnvelopeView view;
//   if (absl::Status bad = FromC(envelope, &view); !bad.ok()) return bad;

#ifndef CLUSTER_C_CONVERT_H_
#define CLUSTER_C_CONVERT_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cluster/c/cluster.h"
#include "cluster/c/handle.h"
#include "cluster/c/status.h"
#include "cluster/envelope.h"
#include "cluster/peer_event.h"
#include "cluster/server.h"

namespace cluster::internal {

cluster_message_id ToC(const MessageId& id);
cluster_envelope ToC(const EnvelopeView& view);
// `text` is Text(event).
cluster_peer_event ToC(const PeerEvent& event, const std::string& text);

// A null pointer, a wrong size and fields that only a later library knows are
// kInvalidArgument.
absl::Status FromC(const cluster_envelope* envelope, EnvelopeView* view);
absl::Status FromC(const cluster_send_options* options, SendOptions* out);
absl::Status ToTimeout(const char* name, std::int64_t milliseconds,
                       absl::Duration* timeout);

// A call on a server, which may be null.
template <typename Call>
cluster_status OnServer(cluster_server* server, Call call) {
  return Guarded([&]() -> absl::Status {
    absl::Status status = NotNull({{"server", server}});
    return status.ok() ? call(*server->server) : status;
  });
}

}  // namespace cluster::internal

#endif  // CLUSTER_C_CONVERT_H_
