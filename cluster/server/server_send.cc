// The sending half of ServerCore.

#include <algorithm>
#include <new>
#include <utility>

#include "absl/base/optimization.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cluster/base/clock.h"
#include "cluster/server/server_core.h"

namespace cluster::internal {

absl::Status ServerCore::NotSending() const {
  if (InAnotherProcess()) return AfterFork();
  if (stopped_) return absl::CancelledError("the server was stopped");
  return absl::FailedPreconditionError(
      "Send before SendMessage(server) or Start()");
}

absl::Status ServerCore::UnknownPid(int pid) const {
  std::vector<int> known = Peers();
  known.push_back(id_);
  std::sort(known.begin(), known.end());
  return absl::NotFoundError(
      absl::StrCat("no server ", pid,
                   " in the cluster; known: ", absl::StrJoin(known, ", ")));
}

namespace {

constexpr unsigned kReservedFirst = 4;
constexpr unsigned kReservedLast = 63;

// Whether the fields that the caller fills in, but for the pid, have a meaning.
bool IsWellFormed(const EnvelopeView& envelope) {
  const auto type = static_cast<unsigned>(envelope.msg_type);
  return static_cast<unsigned>(envelope.lane) < kLanes &&
         type - kReservedFirst > kReservedLast - kReservedFirst;
}

absl::Status Malformed(const EnvelopeView& envelope) {
  const auto lane = static_cast<unsigned>(envelope.lane);
  if (lane >= kLanes) {
    return absl::InvalidArgumentError(
        absl::StrCat("lane ", lane, ": want kUrgent, kNormal or kBulk (0 to ",
                     kLanes - 1, ")"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("msg_type ", static_cast<unsigned>(envelope.msg_type), ": ",
                   kReservedFirst, " to ", kReservedLast,
                   " are the library's to assign; want ", kReservedLast + 1,
                   " or more for a type of the application"));
}

absl::Status ImpossiblePid(int pid, absl::string_view want) {
  return absl::InvalidArgumentError(absl::StrCat("pid ", pid, ": want ", want));
}

// Which limit a payload is over, if a peer's queue refuses it.
std::string LimitOf(const Config& config, std::size_t bytes) {
  if (bytes > config.payload_bytes_max) {
    return absl::StrCat("over payload_bytes_max, ", config.payload_bytes_max);
  }
  if (config.delivery == Delivery::kBestEffort) {
    return absl::StrCat("its message is over ", kFrameBytesLimit,
                        " bytes, the most that a transport carries");
  }
  return absl::StrCat(
      "over payload_bytes_max of that server, which is less than the ",
      config.payload_bytes_max, " here");
}

}  // namespace

namespace {

absl::Status TooManyFates() {
  return absl::ResourceExhaustedError(absl::StrCat(
      "report_fate: ", Inbox::kFatesMax,
      " envelopes have no fate yet, or OnFate has not returned for them"));
}

}  // namespace

bool ServerCore::MayWait(absl::Duration timeout) const {
  return timeout > absl::ZeroDuration() && !callbacks_.InCallback();
}

absl::Status ServerCore::Send(EnvelopeView* envelope, absl::Duration timeout) {
  if (!sending()) return NotSending();
  if (ABSL_PREDICT_FALSE(!IsWellFormed(*envelope))) return Malformed(*envelope);
  Stamp(envelope);
  if (envelope->pid == kBroadcast) return Broadcast(*envelope, timeout);
  // Most envelopes are through here.
  if (envelope->pid != id_ &&
      delivery_->Send(envelope->pid, *envelope) == SendOutcome::kAccepted)
    return absl::OkStatus();
  return SendInTime(*envelope, nullptr, timeout);
}

// The options but for the timeout; none if that is all.
absl::optional<SendConditions> ServerCore::ConditionsOf(
    const SendOptions& options, const EnvelopeView& envelope) {
  if (!options.only_if_up && !options.report_fate && options.replaces == 0 &&
      options.expires_after == absl::InfiniteDuration())
    return absl::nullopt;
  SendConditions conditions;
  conditions.only_if_up = options.only_if_up;
  conditions.record.replaces = options.replaces;
  conditions.record.group = envelope.group;
  if (options.report_fate) conditions.record.fates = &callbacks_;
  if (options.expires_after != absl::InfiniteDuration())
    conditions.record.expires_at = MonotonicNow() + options.expires_after;
  return conditions;
}

absl::Status ServerCore::CheckOptions(const SendOptions& options) const {
  if (options.report_fate && !delivery_->acknowledges()) {
    return absl::FailedPreconditionError(
        "report_fate: best effort has no acknowledgements");
  }
  if (options.report_fate && !callbacks_.handles_fates()) {
    return absl::FailedPreconditionError(
        "report_fate without a handler: set one with OnFate before Start");
  }
  if (options.expires_after > absl::ZeroDuration()) return absl::OkStatus();
  return absl::DeadlineExceededError(absl::StrCat(
      "expires_after ", absl::FormatDuration(options.expires_after),
      ": the envelope has expired before it was sent; want more than zero"));
}

absl::Status ServerCore::SendWith(EnvelopeView* envelope,
                                  const SendOptions& options,
                                  const PayloadSource& payload) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  absl::optional<SendConditions> conditions = ConditionsOf(options, *envelope);
  if (!payload.plain()) {
    if (!conditions) conditions.emplace();
    conditions->payload = payload;
  }
  if (!conditions) return Send(envelope, options.timeout);
  if (!sending()) return NotSending();
  if (!IsWellFormed(*envelope)) return Malformed(*envelope);
  Stamp(envelope);
  const absl::Duration timeout =
      std::min(options.timeout, options.expires_after);
  if (envelope->pid != kBroadcast)
    return SendInTime(*envelope, &*conditions, timeout);
  std::vector<int> members = delivery_->Members();
  std::sort(members.begin(), members.end());
  return SendToAll(*envelope, true, members, &*conditions, timeout).status;
}

// A text with much room to spare would hold more memory than is counted.
absl::Status ServerCore::SendMoved(EnvelopeView* envelope, std::string* payload,
                                   const SendOptions& options) {
  PayloadSource source;
  const bool fits =
      payload->capacity() - payload->size() <= payload->size() / 4;
  if (envelope->pid == id_ ||
      (TakesPayload(*envelope) && fits && envelope->pid != kBroadcast &&
       delivery_->scatters()))
    source.moved = payload;
  return SendWith(envelope, options, source);
}

absl::Status ServerCore::SendPieces(EnvelopeView* envelope,
                                    absl::Span<const absl::string_view> pieces,
                                    const SendOptions& options) {
  std::size_t bytes = 0;
  for (const absl::string_view piece : pieces) bytes += piece.size();
  PayloadSource source;
  if (envelope->pid != id_ && envelope->pid != kBroadcast &&
      delivery_->scatters()) {
    // Only its size is looked at.
    envelope->payload = absl::string_view(nullptr, bytes);
    source.pieces = pieces;
    return SendWith(envelope, options, source);
  }
  std::string joined;
  joined.reserve(bytes);
  for (const absl::string_view piece : pieces)
    joined.append(piece.data(), piece.size());
  envelope->payload = joined;
  if (envelope->pid == id_) source.moved = &joined;
  return SendWith(envelope, options, source);
}

absl::Status ServerCore::SendInTime(const EnvelopeView& view,
                                    const SendConditions* conditions,
                                    absl::Duration timeout) {
  if (view.pid < 0) {
    return ImpossiblePid(
        view.pid, absl::StrCat("0 to ", kServerIdMax, ", or kBroadcast (",
                               kBroadcast, ")"));
  }
  LazyDeadline deadline(timeout);
  return SendOne(view.pid, view, conditions,
                 MayWait(timeout) ? &deadline : nullptr);
}

absl::Status ServerCore::Broadcast(const EnvelopeView& view,
                                   absl::Duration timeout) {
  std::vector<int> others = delivery_->Broadcast(view);  // with some trouble
  if (!others.empty() && !stopped_) {
    others.erase(
        std::remove_if(others.begin(), others.end(),
                       [this](int pid) { return !delivery_->Has(pid); }),
        others.end());
  }
  if (others.empty()) return absl::OkStatus();
  std::sort(others.begin(), others.end());
  return SendToAll(view, true, others, nullptr, timeout).status;
}

absl::Status ServerCore::SendOne(int pid, const EnvelopeView& view,
                                 const SendConditions* conditions,
                                 LazyDeadline* deadline) {
  const bool fate =
      conditions != nullptr && conditions->record.fates != nullptr;
  if (pid == id_) {
    return SendHere(view, fate,
                    conditions == nullptr ? nullptr : conditions->payload.moved,
                    deadline);
  }
  while (true) {
    switch (conditions == nullptr
                ? delivery_->Send(pid, view)
                : delivery_->SendWith(pid, view, *conditions)) {
      case SendOutcome::kAccepted:
        return absl::OkStatus();
      case SendOutcome::kRemoved:
        if (stopped_) return absl::CancelledError("the server was stopped");
        return UnknownPid(pid);
      case SendOutcome::kDown:
        return absl::UnavailableError(absl::StrCat(
            "server ", pid, " is not up, and only_if_up was asked for"));
      case SendOutcome::kTooManyFates:
        return TooManyFates();
      case SendOutcome::kTooLarge:
        return absl::InvalidArgumentError(absl::StrCat(
            "a payload of ", view.payload.size(), " bytes for server ", pid,
            ": ", LimitOf(config_, view.payload.size())));
      case SendOutcome::kNoMemory:
        if (deadline == nullptr) {
          return absl::ResourceExhaustedError(absl::StrCat(
              "no room for server ", pid, " within memory_bytes_max, ",
              config_.memory_bytes_max,
              ", which all peers share: some do not keep up, or are down"));
        }
        break;
      case SendOutcome::kFull:
        break;
    }
    if (deadline == nullptr) {
      return absl::ResourceExhaustedError(
          absl::StrCat("no room in the queue for server ", pid,
                       ": it does not keep up, is down, or was given no "
                       "address to dial (port 0) yet"));
    }
    if (!delivery_->WaitForRoom(pid, view, conditions, deadline->Get())) {
      if (stopped_) return absl::CancelledError("the server was stopped");
      return absl::DeadlineExceededError(
          absl::StrCat("no room in the queue for server ", pid, " in time"));
    }
  }
}

absl::Status ServerCore::SendHere(const EnvelopeView& view, bool fate,
                                  std::string* moved, LazyDeadline* deadline) {
  if (view.payload.size() > config_.payload_bytes_max) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a payload of ", view.payload.size(),
        " bytes: over payload_bytes_max, ", config_.payload_bytes_max));
  }
  Inbox::FatePlace place(fate ? &inbox_ : nullptr);
  if (!place.there()) return TooManyFates();
  while (!inbox_.PushEnvelope(view, fate, moved)) {
    if (stopped_) return absl::CancelledError("the server was stopped");
    if (deadline == nullptr)
      return absl::ResourceExhaustedError("no room in this server's own inbox");
    if (!inbox_.WaitForRoom(view.payload.size(), deadline->Get())) {
      if (stopped_) return absl::CancelledError("the server was stopped");
      return absl::DeadlineExceededError(
          "no room in this server's own inbox in time");
    }
  }
  place.Accepted();
  if (callbacks_.handles_envelopes() && !callbacks_.InCallback()) {
    callbacks_.Wake();
    delivery_->ExpectTick();  // its handler may be slow
  }
  return absl::OkStatus();
}

MulticastResult ServerCore::Multicast(absl::Span<const int> pids,
                                      const EnvelopeView& envelope,
                                      const SendOptions& options) {
  MulticastResult result;
  if (!sending()) {
    result.status = NotSending();
    return result;
  }
  result.status = CheckOptions(options);
  if (!result.status.ok()) return result;
  if (!IsWellFormed(envelope)) {
    result.status = Malformed(envelope);
    return result;
  }
  std::vector<int> recipients;
  for (int pid : pids) {
    if (pid != id_ && !delivery_->Has(pid)) {
      result.status =
          pid >= 0 ? UnknownPid(pid)
                   : ImpossiblePid(pid, absl::StrCat("0 to ", kServerIdMax,
                                                     "; Send has kBroadcast"));
      return result;
    }
    if (std::find(recipients.begin(), recipients.end(), pid) ==
        recipients.end()) {
      recipients.push_back(pid);
    }
  }
  const absl::optional<SendConditions> conditions =
      ConditionsOf(options, envelope);
  EnvelopeView view = envelope;
  Stamp(&view);
  return SendToAll(view, false, recipients, conditions ? &*conditions : nullptr,
                   std::min(options.timeout, options.expires_after));
}

namespace {

// Without memory for it the text stays as it is.
void AddCount(int more, std::size_t recipients, absl::Status* status) {
  try {
    *status = absl::Status(
        status->code(), absl::StrCat(status->message(), "; and ", more,
                                     " more of ", recipients, " recipients"));
  } catch (const std::bad_alloc&) {
  }
}

}  // namespace

MulticastResult ServerCore::SendToAll(EnvelopeView view, bool broadcast,
                                      const std::vector<int>& recipients,
                                      const SendConditions* conditions,
                                      absl::Duration timeout) {
  MulticastResult result;
  result.message_id = view.message_id;
  std::vector<std::size_t> blocked;
  // From the first envelope on nothing may fail but an envelope.
  result.peers.reserve(recipients.size());
  blocked.reserve(recipients.size());
  const auto send = [&](int pid, LazyDeadline* deadline) {
    view.pid = broadcast ? kBroadcast : pid;
    return InMemory([&] { return SendOne(pid, view, conditions, deadline); });
  };
  for (int pid : recipients) {
    absl::Status status = send(pid, nullptr);
    if (absl::IsResourceExhausted(status))
      blocked.push_back(result.peers.size());
    result.peers.emplace_back(pid, std::move(status));
  }
  if (!blocked.empty() && MayWait(timeout)) {
    LazyDeadline deadline(timeout);
    for (std::size_t index : blocked)
      result.peers[index].second = send(recipients[index], &deadline);
  }
  int failed = 0;
  for (const auto& [pid, status] : result.peers) {
    if (!status.ok() && failed++ == 0) result.status = status;
  }
  if (failed > 1) AddCount(failed - 1, result.peers.size(), &result.status);
  return result;
}

absl::Status ServerCore::Withdraw(int pid, Lane lane, std::uint64_t group,
                                  std::uint64_t replaces) {
  if (!sending()) return NotSending();
  if (pid != id_ && !delivery_->Has(pid)) return UnknownPid(pid);
  if (static_cast<unsigned>(lane) < kLanes && replaces != 0 &&
      delivery_->Withdraw(pid, lane, group, replaces))
    return absl::OkStatus();
  return absl::NotFoundError(
      absl::StrCat("no envelope with the key ", replaces, " waits for server ",
                   pid, ": it was transmitted or dropped, or there was none"));
}

absl::Status ServerCore::MayFlush() const {
  if (InAnotherProcess()) return AfterFork();
  if (!delivery_->acknowledges()) {
    return absl::FailedPreconditionError(
        "Flush: best effort has no acknowledgements");
  }
  if (callbacks_.InCallback())
    return absl::FailedPreconditionError("Flush in a callback");
  return sending() ? absl::OkStatus() : NotSending();
}

absl::Status ServerCore::Flush(absl::optional<int> pid,
                               absl::Duration timeout) {
  if (absl::Status status = MayFlush(); !status.ok()) return status;
  if (pid && *pid < 0) {
    return ImpossiblePid(*pid, absl::StrCat("0 to ", kServerIdMax,
                                            ", or Flush(timeout) for all"));
  }
  const bool own = !pid || *pid == id_;
  if (!own && !delivery_->Has(*pid)) return UnknownPid(*pid);
  const auto deadline = Deadline(timeout);
  // Before any waiting, as the delivery's marks.
  const std::uint64_t own_accepted = own ? inbox_.OwnStats().accepted : 0;
  std::vector<int> behind = delivery_->Flush(pid, deadline);
  if (!inbox_.WaitOwn(own_accepted, deadline)) behind.push_back(id_);
  if (stopped_) return absl::CancelledError("the server was stopped");
  if (behind.empty()) return absl::OkStatus();
  std::sort(behind.begin(), behind.end());
  return absl::DeadlineExceededError(absl::StrCat(
      "not acknowledged in time by: ", absl::StrJoin(behind, ", ")));
}

}  // namespace cluster::internal
