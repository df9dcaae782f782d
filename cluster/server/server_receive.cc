// The receiving half of ServerCore.

#include <functional>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/base/clock.h"
#include "cluster/server/server_core.h"

namespace cluster::internal {

absl::Status ServerCore::BeginReceive(LazyDeadline* deadline) {
  if (InAnotherProcess()) return AfterFork();
  if (callbacks_.InCallback())
    return absl::FailedPreconditionError("Receive in a callback");
  if (callbacks_.handles_envelopes()) {
    return absl::FailedPreconditionError(
        "Receive with an OnEnvelope handler set");
  }
  if (stopped_) return absl::CancelledError("the server was stopped");
  if (!receiving()) {
    return absl::FailedPreconditionError(
        "Receive before ReceiveMessage(server) or Start()");
  }
  if (inbox_.TryBeginReading() || inbox_.BeginReading(deadline->Get()))
    return absl::OkStatus();
  if (inbox_.closed()) return absl::CancelledError("the server was stopped");
  return absl::DeadlineExceededError("no envelope came in time");
}

absl::StatusOr<Envelope> ServerCore::Copied(const EnvelopeView& envelope) {
  try {
    return envelope.ToEnvelope();
  } catch (const std::bad_alloc&) {
    inbox_.PutBack();
    throw;
  }
}

// Where memory ends, what was taken is all.
const EnvelopeView* ServerCore::NextOfBatch() {
  try {
    return inbox_.Next();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

// False: there is no memory, and the envelope is put back.
bool ServerCore::CopyToBatch(const EnvelopeView& envelope, std::size_t taken,
                             std::vector<Envelope>* out) {
  const std::size_t before = out->size();
  try {
    if (taken == before) out->emplace_back();
    envelope.CopyTo(&(*out)[taken]);
    return true;
  } catch (const std::bad_alloc&) {
    out->resize(before);
    inbox_.PutBack();
    return false;
  }
}

absl::StatusOr<Envelope> ServerCore::Receive(absl::Duration timeout) {
  // Most envelopes are one of many that came in a frame. Without handlers
  // nobody calls this in one, and the last reader was allowed to read.
  if (receiving() && callbacks_.none() && inbox_.TryContinueReading()) {
    const Inbox::Reading role(&inbox_);
    if (const EnvelopeView* const envelope = inbox_.Next())
      return Copied(*envelope);
  }
  return ReceiveInTime(timeout);
}

absl::StatusOr<Envelope> ServerCore::ReceiveInTime(absl::Duration timeout) {
  LazyDeadline deadline(timeout);
  while (true) {
    if (absl::Status status = BeginReceive(&deadline); !status.ok())
      return status;
    const Inbox::Reading role(&inbox_);
    // The reader may have refused all that there was.
    if (const EnvelopeView* const envelope = inbox_.Next())
      return Copied(*envelope);
    inbox_.TakeEvent();  // ReceiveAny is for those who want it
  }
}

absl::StatusOr<Item> ServerCore::ReceiveAny(absl::Duration timeout) {
  if (callbacks_.handles_events()) {
    return absl::FailedPreconditionError(
        "ReceiveAny with a handler of events set: it has them");
  }
  LazyDeadline deadline(timeout);
  Item item;
  while (true) {
    if (absl::Status status = BeginReceive(&deadline); !status.ok())
      return status;
    const Inbox::Reading role(&inbox_);
    if (const EnvelopeView* const envelope = inbox_.Next()) {
      absl::StatusOr<Envelope> copied = Copied(*envelope);
      if (!copied.ok()) return copied.status();
      item.envelope = *std::move(copied);
      return item;
    }
    item.event = inbox_.TakeEvent();
    if (item.event) return item;
  }
}

absl::StatusOr<int> ServerCore::NotifyFd() {
  if (InAnotherProcess()) return AfterFork();
  if (callbacks_.handles_envelopes()) {
    return absl::FailedPreconditionError(
        "NotifyFd with an OnEnvelope handler set: nothing waits to be "
        "received");
  }
  return inbox_.NotifyFd();
}

namespace {

// A frame that the application keeps.
struct Kept {
  Slice frame;
  KeptRoom room;
};

bool IsIn(absl::string_view part, absl::string_view whole) {
  const std::less_equal<const char*> before;
  return before(whole.data(), part.data()) &&
         before(part.data() + part.size(), whole.data() + whole.size());
}

}  // namespace

// A small payload would pin a large frame, and one that was unescaped is in no
// frame.
absl::StatusOr<KeptPayload> ServerCore::Keep(const EnvelopeView& envelope) {
  if (!callbacks_.InCallback() || !callbacks_.handles_envelopes()) {
    return absl::FailedPreconditionError(
        "Keep outside of an OnEnvelope handler: what Receive returns is yours");
  }
  const absl::string_view payload = envelope.payload;
  KeptPayload kept;
  const Arrival* const arrival = inbox_.current();
  if (arrival != nullptr && IsIn(payload, arrival->body.bytes) &&
      payload.size() > arrival->body.bytes.size() / 2) {
    KeptRoom room =
        delivery_->RoomToKeep(arrival->body.bytes.size(), arrival->claimed);
    if (room) {
      kept.owner =
          std::make_shared<const Kept>(Kept{arrival->body, std::move(room)});
      kept.bytes = payload;
      return kept;
    }
  }
  auto copy = std::make_shared<const std::string>(payload);
  kept.bytes = *copy;
  kept.owner = std::move(copy);
  kept.copied = true;
  return kept;
}

absl::Status ServerCore::ReceiveBatch(std::vector<Envelope>* out,
                                      int envelopes_max,
                                      absl::Duration timeout) {
  if (envelopes_max < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("envelopes_max ", envelopes_max, ": want 1 or more"));
  }
  if (out == nullptr) {
    return absl::InvalidArgumentError(
        "ReceiveBatch into a null vector: want one to put envelopes in");
  }
  LazyDeadline deadline(timeout);
  const auto most = static_cast<std::size_t>(envelopes_max);
  std::size_t taken = 0;
  while (taken == 0) {
    if (absl::Status status = BeginReceive(&deadline); !status.ok())
      return status;
    const Inbox::Reading role(&inbox_);
    const EnvelopeView* envelope = inbox_.Next();
    while (envelope != nullptr && CopyToBatch(*envelope, taken, out)) {
      ++taken;
      envelope = taken < most ? NextOfBatch() : nullptr;
    }
    if (taken == 0 && envelope != nullptr) return OutOfMemory();
    if (taken == 0) inbox_.TakeEvent();
  }
  out->resize(taken);
  return absl::OkStatus();
}

}  // namespace cluster::internal
