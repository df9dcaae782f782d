// Requests and answers of the C API, on Caller.

#include "cluster/caller.h"

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cluster/c/cluster.h"
#include "cluster/c/convert.h"
#include "cluster/c/status.h"

struct cluster_caller {
  explicit cluster_caller(cluster::Server* server) : caller(server) {}
  cluster::Caller caller;
};

namespace cluster::internal {
namespace {

template <typename Call>
cluster_status OnCaller(cluster_caller* caller, Call call) {
  return Guarded([&]() -> absl::Status {
    absl::Status status = NotNull({{"caller", caller}});
    return status.ok() ? call(caller->caller) : status;
  });
}

void Tell(const absl::StatusOr<EnvelopeView>& answer,
          cluster_answer_handler handler, void* user) {
  if (!answer.ok()) {
    handler(Failed(answer.status().code(), answer.status().message()), nullptr,
            user);
    return;
  }
  const cluster_envelope envelope = ToC(*answer);
  handler(CLUSTER_OK, &envelope, user);
}

}  // namespace
}  // namespace cluster::internal

using cluster::internal::FromC;
using cluster::internal::NotNull;
using cluster::internal::OnCaller;
using cluster::internal::OnServer;
using cluster::internal::Tell;
using cluster::internal::ToTimeout;

cluster_status cluster_caller_new(cluster_server* server,
                                  cluster_caller** caller) {
  return OnServer(server, [&](cluster::Server& cpp) {
    absl::Status status = NotNull({{"caller", caller}});
    if (status.ok()) *caller = std::make_unique<cluster_caller>(&cpp).release();
    return status;
  });
}

void cluster_caller_free(cluster_caller* caller) { delete caller; }

cluster_status cluster_caller_call(cluster_caller* caller, int32_t pid,
                                   const cluster_envelope* request,
                                   int64_t deadline_ms,
                                   cluster_answer_handler handler, void* user,
                                   uint64_t* call) {
  return OnCaller(caller, [&](cluster::Caller& cpp) {
    cluster::EnvelopeView view;
    absl::Duration deadline;
    absl::Status status = FromC(request, &view);
    if (status.ok()) status = ToTimeout("deadline_ms", deadline_ms, &deadline);
    if (status.ok() && handler == nullptr)
      status = absl::InvalidArgumentError("handler is NULL");
    if (!status.ok()) return status;
    const absl::StatusOr<std::uint64_t> number = cpp.Call(
        pid, view, deadline,
        [handler, user](const absl::StatusOr<cluster::EnvelopeView>& answer) {
          Tell(answer, handler, user);
        });
    if (number.ok() && call != nullptr) *call = *number;
    return number.status();
  });
}

cluster_status cluster_caller_cancel(cluster_caller* caller, uint64_t call) {
  return OnCaller(caller, [&](cluster::Caller& cpp) {
    if (cpp.Cancel(call)) return absl::OkStatus();
    return absl::NotFoundError(
        absl::StrCat("no call ", call, " waits: it has ended"));
  });
}

cluster_status cluster_caller_answer(cluster_caller* caller,
                                     const cluster_envelope* request,
                                     const cluster_envelope* answer) {
  return OnCaller(caller, [&](cluster::Caller& cpp) {
    cluster::EnvelopeView asked;
    cluster::EnvelopeView answered;
    absl::Status status = FromC(request, &asked);
    if (status.ok()) status = FromC(answer, &answered);
    return status.ok() ? cpp.Answer(asked, answered) : status;
  });
}

int cluster_caller_on_envelope(cluster_caller* caller,
                               const cluster_envelope* envelope) {
  bool answer = false;
  const cluster_status status = OnCaller(caller, [&](cluster::Caller& cpp) {
    cluster::EnvelopeView view;
    absl::Status good = FromC(envelope, &view);
    if (good.ok()) answer = cpp.OnEnvelope(view);
    return good;
  });
  return status == CLUSTER_OK && answer ? 1 : 0;
}

void cluster_caller_on_peer_event(cluster_caller* caller,
                                  const cluster_peer_event* event) {
  static_cast<void>(OnCaller(caller, [&](cluster::Caller& cpp) {
    absl::Status status = NotNull({{"event", event}});
    if (!status.ok()) return status;
    cluster::PeerEvent known;
    known.type = static_cast<cluster::PeerEvent::Type>(event->type);
    known.peer = event->peer;
    known.reason = event->reason;
    cpp.OnPeerEvent(known);
    return status;
  }));
}
