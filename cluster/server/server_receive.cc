// The receiving half of ServerCore.

#include "absl/strings/str_cat.h"
#include "cluster/server/clock.h"
#include "cluster/server/server_core.h"

namespace cluster {

absl::Status ServerCore::BeginReceive(LazyDeadline* deadline) {
  if (callbacks_.InCallback())
    return absl::FailedPreconditionError("Receive in a callback");
  if (callbacks_.handles_envelopes()) {
    return absl::FailedPreconditionError(
        "Receive with an OnEnvelope handler set");
  }
  if (stopped_) return absl::CancelledError("the server was stopped");
  if (!receiving_) {
    return absl::FailedPreconditionError(
        "Receive before ReceiveMessage(server) or Start()");
  }
  if (inbox_.TryBeginReading() || inbox_.BeginReading(deadline->Get())) {
    // An event that precedes what is read has been told before it is.
    if (callbacks_.WaitForEvents(deadline)) return absl::OkStatus();
    inbox_.EndReading();
  }
  if (inbox_.closed()) return absl::CancelledError("the server was stopped");
  return absl::DeadlineExceededError("no envelope came in time");
}

absl::StatusOr<Envelope> ServerCore::Receive(absl::Duration timeout) {
  LazyDeadline deadline(timeout);
  // What there was to read may have been refused: then there is nothing, and it
  // waits again.
  while (true) {
    if (absl::Status status = BeginReceive(&deadline); !status.ok())
      return status;
    const Inbox::Reading role(&inbox_);
    EnvelopeView view;
    if (inbox_.Next(&view)) return view.ToEnvelope();
  }
}

absl::Status ServerCore::ReceiveBatch(std::vector<Envelope>* out,
                                      int envelopes_max,
                                      absl::Duration timeout) {
  if (envelopes_max < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("envelopes_max ", envelopes_max, ": want 1 or more"));
  }
  LazyDeadline deadline(timeout);
  const auto most = static_cast<std::size_t>(envelopes_max);
  std::size_t taken = 0;
  while (taken == 0) {
    if (absl::Status status = BeginReceive(&deadline); !status.ok())
      return status;
    const Inbox::Reading role(&inbox_);
    EnvelopeView view;
    while (taken < most && inbox_.Next(&view)) {
      if (taken == out->size()) out->emplace_back();
      view.CopyTo(&(*out)[taken++]);
    }
  }
  out->resize(taken);
  return absl::OkStatus();
}

}  // namespace cluster
