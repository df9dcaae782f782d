#include "cluster/sim/checker.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cluster/codec/frame_header.h"

namespace cluster {
namespace {

constexpr std::size_t kViolationsMax = 20;

// The network delays no frame for longer.
constexpr absl::Duration kLateFrame = absl::Milliseconds(700);

// A peer that is up for less, and down for less, was not worth an event.
constexpr absl::Duration kFlap = absl::Milliseconds(100);

constexpr char kStandsStillText[] = "its application stands still";

std::uint64_t Sum(const std::array<std::uint64_t, kDropReasons>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

std::string Name(const EnvelopeView& envelope) {
  return absl::StrCat("envelope ", ToString(envelope.message_id), " (",
                      LaneName(envelope.lane), ")");
}

// With a few bytes that depend on all of its payload.
Envelope Digested(Envelope envelope) {
  envelope.payload = absl::StrCat(envelope.payload.size(), " bytes, sum ",
                                  Crc32c(envelope.payload));
  return envelope;
}

}  // namespace

std::uint64_t Checker::Stream::Dropped() const {
  return Sum(gone_dropped) + Sum(now.dropped);
}

Checker::Checker(const World* world, const internal::SessionConfig& config,
                 absl::Duration patience)
    : world_(world), config_(config), patience_(patience) {}

void Checker::Fail(Way way, const std::string& text) {
  Fail(absl::StrCat("server ", way.from, " to ", way.to, ": ", text));
}

void Checker::Fail(const std::string& text) {
  if (violations_.size() >= kViolationsMax) return;
  violations_.push_back(absl::StrCat(
      "at ", absl::FormatDuration(world_->Now() - absl::UnixEpoch()), ": ",
      text));
}

std::uint64_t Checker::dropped() const {
  std::uint64_t sum = 0;
  for (const auto& entry : streams_) sum += entry.second.Dropped();
  return sum;
}

std::uint64_t Checker::dropped(DropReason reason) const {
  std::uint64_t sum = 0;
  for (const auto& entry : streams_) {
    sum += entry.second.gone_dropped[static_cast<std::size_t>(reason)] +
           entry.second.now.Dropped(reason);
  }
  return sum;
}

void Checker::OnLife(const SimLife& self) {
  const bool fresh =
      lives_.emplace(LifeKey{self.server, self.incarnation}, self.life).second;
  if (!fresh) {
    Fail(absl::StrCat("server ", self.server, ", life ", self.life,
                      ": its incarnation was an earlier one's"));
  }
  standstills_[self.server].since = absl::InfiniteFuture();
}

void Checker::OnStandstill(const SimLife& self, bool still) {
  Standstill& standstill = standstills_[self.server];
  standstill.since = still ? world_->Now() : absl::InfiniteFuture();
  standstill.ever = true;
}

void Checker::OnSessionMade(const SimLife& self, int peer) {
  ears_[{self.server, peer}] = Ear();
  StreamOf(self, peer).awaited_since = world_->Now();
}

void Checker::OnSessionGone(const SimLife& self, int peer) {
  Stream& stream = StreamOf(self, peer);
  stream.gone_acknowledged += stream.now.acknowledged;
  for (std::size_t i = 0; i < stream.gone_dropped.size(); ++i)
    stream.gone_dropped[i] += stream.now.dropped[i];
  stream.now = PeerStats();
  stream.peer_life = 0;
}

void Checker::OnAccepted(const SimLife& self, int peer,
                         const Envelope& envelope, bool fate) {
  ++accepted_;
  Stream& stream = StreamOf(self, peer);
  Accepted accepted;
  accepted.envelope = Digested(envelope);
  accepted.fate_due = fate;
  stream.fates_due += fate ? 1 : 0;
  accepted.position =
      ++stream.positions[static_cast<std::size_t>(envelope.lane)];
  const bool fresh =
      stream.accepted.emplace(envelope.message_id.sequence, std::move(accepted))
          .second;
  if (!fresh)
    Fail({self.server, peer},
         Name(envelope) + ": this message id was given before");
}

void Checker::OnFate(const SimLife& self, const Fate& fate) {
  const Way who{self.server, fate.pid};
  Stream& stream = StreamOf(self, fate.pid);
  const auto found = stream.accepted.find(fate.message_id.sequence);
  if (found == stream.accepted.end() || !found->second.fate_due) {
    Fail(who, absl::StrCat("a fate that is not due, of envelope ",
                           ToString(fate.message_id)));
    return;
  }
  found->second.fate_due = false;
  --stream.fates_due;
  if (fate.acknowledged() && !found->second.taken)
    Fail(who, Name(found->second.envelope) + ": acknowledged, but not taken");
}

void Checker::OnCall(const SimLife& self, int peer, std::uint64_t sequence) {
  Stream& stream = StreamOf(self, peer);
  const auto found = stream.accepted.find(sequence);
  if (found == stream.accepted.end()) {
    Fail({self.server, peer}, "a call whose request was not accepted");
    return;
  }
  found->second.call = true;
  ++stream.calls;
}

void Checker::OnCallEnded(const SimLife& self, int peer, std::uint64_t sequence,
                          const absl::Status& status) {
  const Way who{self.server, peer};
  Stream& stream = StreamOf(self, peer);
  const auto found = stream.accepted.find(sequence);
  if (found == stream.accepted.end() || !found->second.call) {
    Fail(who,
         absl::StrCat("a call ended that did not wait: ", status.ToString()));
    return;
  }
  Accepted& request = found->second;
  request.call = false;
  request.never = absl::IsUnavailable(status);
  --stream.calls;
  ++calls_[status.code()];
  if (status.ok() && !request.taken)
    Fail(who, Name(request.envelope) + ": answered, but not taken");
  if (request.never && request.taken)
    Fail(who, Name(request.envelope) + ": taken, but " + status.ToString());
}

void Checker::OnCallsGone(const SimLife& self) {
  for (const auto& [key, stream] : streams_) {
    const auto& [server, peer, incarnation] = key;
    if (server == self.server && incarnation == self.incarnation &&
        stream.calls > 0)
      Fail({server, peer}, absl::StrCat(stream.calls, " calls never ended"));
  }
}

void Checker::OnSession(const SimLife& self, int peer,
                        const SessionObservation& seen) {
  const Way who{self.server, peer};
  Stream& stream = StreamOf(self, peer);
  CheckNews(who, &stream, seen);
  for (const PeerEvent& event : seen.events) {
    if (quiet_)
      Fail(who, absl::StrCat(PeerEventTypeName(event.type), " (", event.reason,
                             ") though all is well"));
    const bool session =
        event.type == PeerEvent::kRestarted ||
        (event.type == PeerEvent::kUp && stream.peer_life == 0);
    if (!session) continue;
    const std::uint64_t peer_life = LifeOf(who, seen.hello_incarnation);
    if (event.type == PeerEvent::kRestarted)
      CheckRestart(who, stream, peer_life, seen, event);
    stream.peer_life = peer_life;
    stream.session_began = world_->Now();
  }
  const auto more = [](std::uint64_t now, std::uint64_t before) {
    return now > before ? now - before : 0;
  };
  memory_refused_ += more(seen.stats.memory_refused, stream.now.memory_refused);
  stalled_ += more(seen.stats.Refused(RefusalReason::kStalled),
                   stream.now.Refused(RefusalReason::kStalled));
  stream.now = seen.stats;
  const PeerStats& stats = stream.now;
  if (stats.accepted != stats.acknowledged + stats.queued + stats.in_flight +
                            Sum(stats.dropped)) {
    Fail(who, absl::StrCat("the account does not add up: ", stats.accepted,
                           " accepted, ", stats.acknowledged, " acknowledged, ",
                           stats.queued, " queued, ", stats.in_flight,
                           " in flight, ", Sum(stats.dropped), " dropped"));
  }
  if (stream.Acknowledged() > stream.taken) {
    Fail(who, absl::StrCat(stream.Acknowledged(), " acknowledged, but only ",
                           stream.taken, " taken"));
  }
  CheckBounds(who, seen);
  CheckHearing(who, seen, stream.session_began);
  CheckStandstill(who, seen, stream.session_began);
}

void Checker::OnMemory(const SimLife& self, const MemoryObservation& seen,
                       const internal::MemoryParts& parts) {
  const Way who{self.server, self.server};
  if (seen.waiting) ++waited_;
  if (seen.sending > parts.sending)
    Fail(who, absl::StrCat(seen.sending, " bytes held to send, over ",
                           parts.sending));
  if (seen.received > parts.windows)
    Fail(who,
         absl::StrCat(seen.received, " bytes received and not taken, over ",
                      parts.windows));
  if (seen.reassembly > parts.reassembly)
    Fail(who, absl::StrCat(seen.reassembly, " bytes of large payloads, over ",
                           parts.reassembly));
}

void Checker::CheckNews(Way who, Stream* stream,
                        const SessionObservation& seen) {
  const absl::Time now = world_->Now();
  for (const PeerEvent& event : seen.events) {
    if (event.type == PeerEvent::kRestarted)
      stream->down_at = absl::InfinitePast();
    if (event.type == PeerEvent::kUp) {
      if (now - stream->down_at < kFlap &&
          stream->down_at - stream->up_at < kFlap)
        Fail(who, "up, down and up again at once");
      stream->up_at = now;
      stream->awaited_since = absl::InfiniteFuture();
    }
    if (event.type == PeerEvent::kDown) {
      // A session begins as up, whatever its peer says next.
      stream->down_at =
          event.reason == kStandsStillText ? absl::InfinitePast() : now;
      stream->awaited_since = absl::InfiniteFuture();
    }
  }
  if (now - stream->awaited_since > patience_)
    Fail(who, "absent, and not a word of it");
}

// A peer that is up was heard in time, and heard this server as far as either
// can know.
void Checker::CheckHearing(Way who, const SessionObservation& seen,
                           absl::Time session_began) {
  if (seen.last_frame > absl::InfinitePast())
    last_heard_[{who.from, who.to}] = seen.last_frame;
  if (!seen.stats.up) return;
  const absl::Duration silent = world_->Now() - seen.last_frame;
  if (silent > patience_)
    Fail(who,
         absl::StrCat("up, though silent for ", absl::FormatDuration(silent)));
  // The hello that begins a session answers an earlier hello, of any age. Later
  // the peer must first notice its deafness, and its report may come late.
  const absl::Duration deaf =
      world_->Now() - std::max(last_heard_[{who.to, who.from}], session_began);
  if (deaf > 2 * patience_ + kLateFrame)
    Fail(who, absl::StrCat("up, though it has heard nothing for ",
                           absl::FormatDuration(deaf)));
}

// Each heartbeat of the session says so, and one that is heard in time is all it
// takes.
void Checker::CheckStandstill(Way who, const SessionObservation& seen,
                              absl::Time session_began) {
  const absl::Duration still =
      world_->Now() - std::max(standstills_[who.to].since, session_began);
  if (seen.stats.up && seen.learns_standstill &&
      still > 2 * patience_ + kLateFrame)
    Fail(who, absl::StrCat("up, though its application has stood still for ",
                           absl::FormatDuration(still)));
  for (const PeerEvent& event : seen.events) {
    if (event.type != PeerEvent::kDown || event.reason != kStandsStillText)
      continue;
    ++told_still_;
    if (!seen.learns_standstill || !standstills_[who.to].ever)
      Fail(who, "told as standing still, and never was");
  }
}

void Checker::CheckBounds(Way who, const SessionObservation& seen) {
  const PeerStats& stats = seen.stats;
  const std::size_t frame = internal::FrameCharge(
      internal::ChunkBytes(config_.frame_bytes, config_.inflight_bytes));
  const std::size_t record = config_.payload_bytes_max + 256;
  const std::size_t window = std::max(config_.window_bytes, frame);
  // An empty queue takes any payload, and two lanes have an eighth of the bound
  // to themselves. Resent envelopes come on top of that, with the whole of a
  // payload that was sent in part.
  const std::size_t queue = std::max(config_.queue_bytes_max, record) +
                            config_.answer_bytes_reserved +
                            config_.queue_bytes_max / 4 + window +
                            kLanes * record;
  if (stats.queued_bytes > queue)
    Fail(who, absl::StrCat(stats.queued_bytes, " bytes queued"));
  if (stats.unconsumed_bytes > window)
    Fail(who, absl::StrCat(stats.unconsumed_bytes,
                           " bytes unconsumed, the window is ", window));
  if (seen.inbox_bytes > window + kLanes * record)
    Fail(who, absl::StrCat(seen.inbox_bytes, " bytes received and not taken"));
  // Servers that keep the protocol never accuse each other.
  for (RefusalReason reason :
       {RefusalReason::kImpossibleAck, RefusalReason::kOverrun,
        RefusalReason::kBadRecord, RefusalReason::kWrongCluster,
        RefusalReason::kWrongDestination, RefusalReason::kVersion,
        RefusalReason::kMalformed}) {
    if (stats.Refused(reason) > 0)
      Fail(who, absl::StrCat("refused: ", RefusalReasonName(reason)));
  }
}

// The number of the life that has this incarnation.
std::uint64_t Checker::LifeOf(Way who, std::uint64_t incarnation) {
  const auto life = lives_.find({who.to, incarnation});
  if (life != lives_.end()) return life->second;
  Fail(who, absl::StrCat("a session with an incarnation that it never had, ",
                         incarnation));
  return 0;
}

void Checker::CheckRestart(Way who, const Stream& stream,
                           std::uint64_t peer_life,
                           const SessionObservation& seen,
                           const PeerEvent& event) {
  resent_ += event.resent;
  const PeerStats& before = stream.now;
  if (event.unknown_fate != before.in_flight) {
    Fail(who, absl::StrCat(event.unknown_fate, " of unknown fate, but ",
                           before.in_flight, " were in flight"));
  }
  const bool another = stream.peer_life != peer_life;
  const std::uint64_t resent =
      another && config_.on_peer_restart == OnPeerRestart::kResend
          ? event.unknown_fate
          : 0;
  const auto more = [&](DropReason reason) {
    return seen.stats.Dropped(reason) - before.Dropped(reason);
  };
  // A newer envelope may replace one that would be sent again.
  const std::uint64_t superseded = more(DropReason::kSuperseded);
  const std::uint64_t gone = superseded + more(DropReason::kExpired);
  resends_superseded_ += resent - std::min(resent, event.resent);
  if (event.resent > resent || event.resent + superseded < resent ||
      seen.stats.queued + gone != before.queued + resent) {
    Fail(who, absl::StrCat(resent, " should be sent again, ", event.resent,
                           " said to be, the queue grew from ", before.queued,
                           " to ", seen.stats.queued));
  }
  const std::uint64_t dropped = more(DropReason::kPeerRestart);
  if (dropped != event.unknown_fate - resent)
    Fail(who, absl::StrCat(dropped, " counted as dropped by the restart"));
}

void Checker::OnTaken(const SimLife& self, int peer, std::uint64_t session,
                      const EnvelopeView& envelope) {
  ++taken_;
  const Way who{peer, self.server};
  Ear& ear = ears_[{self.server, peer}];
  if (session != ear.session) {
    if (!ear.was_up) Fail(who, "an envelope before its session is up");
    if (ear.session != 0 && !ear.restarted)
      Fail(who, "a new session without an event between");
    ear.session = session;
  } else if (ear.restarted) {
    Fail(who, "an envelope of the old session after the new one began");
  }
  ear.restarted = false;

  const auto stream =
      streams_.find({peer, self.server, envelope.message_id.incarnation});
  if (stream == streams_.end()) {
    Fail(who, Name(envelope) + ": nobody sent it");
    return;
  }
  const auto accepted =
      stream->second.accepted.find(envelope.message_id.sequence);
  if (accepted == stream->second.accepted.end()) {
    Fail(who, Name(envelope) + ": nobody sent it");
    return;
  }
  if (accepted->second.envelope != Digested(envelope.ToEnvelope())) {
    Fail(who, Name(envelope) + ": it was changed");
    return;
  }
  if (accepted->second.never)
    Fail(who, Name(envelope) + ": its call ended as if it never left");
  CheckOrder(who, &stream->second, &accepted->second, self.life);
}

void Checker::CheckOrder(Way who, Stream* stream, Accepted* accepted,
                         std::uint64_t life) {
  const auto lane = static_cast<std::size_t>(accepted->envelope.lane);
  std::uint64_t& last = stream->last[life][lane];
  if (accepted->position <= last) {
    Fail(who,
         absl::StrCat(Name(accepted->envelope), ": number ", accepted->position,
                      " of its lane after number ", last));
  }
  last = accepted->position;
  if (!accepted->taken) ++stream->taken;
  accepted->taken = true;
  // The skipped envelopes must have been dropped and counted before.
  std::uint64_t& furthest = stream->furthest[lane];
  if (accepted->position > furthest) {
    stream->skipped += accepted->position - furthest - 1;
    furthest = accepted->position;
  }
  if (stream->skipped > stream->Dropped()) {
    Fail(who, absl::StrCat(Name(accepted->envelope), ": ", stream->skipped,
                           " passed over, but only ", stream->Dropped(),
                           " dropped"));
  }
}

void Checker::OnEvent(const SimLife& self, int peer, const PeerEvent& event) {
  const Way who{self.server, peer};
  Ear& ear = ears_[{self.server, peer}];
  switch (event.type) {
    case PeerEvent::kUp:
      if (ear.up) Fail(who, "up twice");
      ear.up = ear.was_up = true;
      ear.downs = 0;
      break;
    case PeerEvent::kDown:
      // The second one says that it is reachable now, but does not answer.
      if (++ear.downs > 2) Fail(who, "down three times");
      ear.up = false;
      break;
    case PeerEvent::kRestarted:
      if (ear.up) Fail(who, "restarted while up");
      ear.restarted = true;
      ear.was_up = false;
      break;
    case PeerEvent::kRemoved:
      break;
    case PeerEvent::kWarning:
      // Of servers whose times change one after the other.
      if (absl::StartsWith(event.reason, "times that do not fit")) break;
      [[fallthrough]];
    case PeerEvent::kRejected:
    case PeerEvent::kStranger:
      Fail(who,
           absl::StrCat(PeerEventTypeName(event.type),
                        " on a network without strangers: ", event.reason));
      break;
  }
}

void Checker::OnSettled(const SimLife& self, int peer) {
  const Way who{self.server, peer};
  const Stream& stream = StreamOf(self, peer);
  if (!stream.now.up) Fail(who, "not up though all is well");
  if (stream.now.queued + stream.now.in_flight > 0) {
    Fail(who,
         absl::StrCat(stream.now.queued, " queued and ", stream.now.in_flight,
                      " in flight though all is well"));
  }
  if (stream.fates_due > 0)
    Fail(who, absl::StrCat(stream.fates_due, " fates were never told"));
  if (stream.calls > 0)
    Fail(who, absl::StrCat(stream.calls, " calls never ended"));
  const std::uint64_t missing = stream.accepted.size() - stream.taken;
  if (missing > stream.Dropped()) {
    Fail(who, absl::StrCat(missing, " never arrived, but only ",
                           stream.Dropped(), " dropped"));
  }
}

}  // namespace cluster
