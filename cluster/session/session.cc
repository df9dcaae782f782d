#include "cluster/session/session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cluster::internal {
namespace {

Reassembly NewReassembly(const SessionConfig& config) {
  return Reassembly(config.buffers.get(),
                    RecordBytesLimit(config.payload_bytes_max));
}

SessionConfig WithWindow(SessionConfig config, std::size_t window_bytes) {
  config.window_bytes = window_bytes;
  return config;
}

}  // namespace

SessionConfig MakeSessionConfig(const Config& config, int self_id,
                                int peer_id) {
  SessionConfig session;
  static_cast<SessionLimits&>(session) = config;
  session.self_id = self_id;
  session.peer_id = peer_id;
  session.cluster = config.cluster;
  for (const ServerAddress& server : config.servers) {
    if (server.id == self_id) session.address = server.address;
  }
  return session;
}

void CopyLiveLimits(const SessionLimits& from, SessionLimits* to) {
  to->queue_bytes_max = from.queue_bytes_max;
  to->answer_bytes_reserved = from.answer_bytes_reserved;
  to->overflow = from.overflow;
  to->on_peer_restart = from.on_peer_restart;
  to->heartbeat = from.heartbeat;
  to->peer_timeout = from.peer_timeout;
}

Session::Session(const SessionConfig& config,
                 std::function<std::uint64_t()> random, SessionSink* sink,
                 SendQueue* queue)
    : share_(config.memory, config.window_bytes),
      config_(WithWindow(config, share_.window_bytes())),
      sink_(sink),
      handshake_(config_, std::move(random)),
      queue_(queue),
      receive_(config_.window_bytes),
      reassembly_{NewReassembly(config_), NewReassembly(config_),
                  NewReassembly(config_)} {
  stats_.peer = config_.peer_id;
  queue_->Open(config_.peer_id, &share_);
}

Session::~Session() { queue_->Close(DropReason::kRemoved); }

void Session::Consumed(std::uint64_t session, std::uint64_t sequence) {
  if (session != handshake_.session()) return;
  if (!Consume(sequence)) return;
  if (ConsumptionDue()) ack_due_ = true;
  if (!ack_due_) AckSoon();
  TakeHeld();  // it may have waited for the room of what was taken
}

// A quarter of the window is worth an acknowledgement at once.
bool Session::Consume(std::uint64_t sequence) {
  const std::size_t before = receive_.bytes();
  if (!receive_.Consume(sequence)) return false;
  consumed_unreported_bytes_ += before - receive_.bytes();
  if (consumed_unreported_bytes_ >= config_.window_bytes / 4) ack_due_ = true;
  return true;
}

void Session::AckSoon() { ack_at_ = std::min(ack_at_, now_ + kAckDelay); }

// A lane accepted its transmitted envelopes before those that still wait.
bool Session::Settled(const SendMark& mark) const {
  if (!queue_->Passed(mark)) return false;
  for (Lane lane : kLanesByUrgency) {
    const std::uint64_t front = window_.FrontOrdinal(lane);
    if (front != 0 && front <= mark[static_cast<std::size_t>(lane)])
      return false;
  }
  return true;
}

void Session::RequestConsumed() {
  ask_mark_last_ = queue_->Mark();
  if (!ask_later_) ask_mark_ = ask_mark_last_;
  ask_later_ = true;
  AskIfTransmitted();
}

// Or dropped. Each mark in its turn: under steady traffic the last one may be
// ahead of what is transmitted for ever.
void Session::AskIfTransmitted() {
  if (!ask_later_ || !queue_->Passed(ask_mark_)) return;
  ask_later_ = !queue_->Passed(ask_mark_last_);
  ask_mark_ = ask_mark_last_;
  ask_consumed_ = !window_.empty();
}

std::uint64_t Session::Abandon(DropReason reason) {
  const std::uint64_t unknown_fate = window_.envelopes();
  stats_.dropped[static_cast<std::size_t>(reason)] +=
      unknown_fate + window_.untaken_envelopes();
  window_.TellDropped(reason);
  window_.Clear();
  queue_->Close(reason);
  return unknown_fate;
}

// A peer that goes by a longer timeout may show its life too late for a shorter one.
void Session::Take(const SessionLimits& limits, absl::Time now) {
  now_ = now;
  const bool same = limits.heartbeat == config_.heartbeat &&
                    limits.peer_timeout == config_.peer_timeout;
  CopyLiveLimits(limits, &config_);
  if (same) return;
  patience_ = std::max(patience_, config_.peer_timeout);
  heartbeat_ = config_.heartbeat;
  if (handshake_.established()) FitHeartbeat();
  handshake_.TellTimes(now);
}

void Session::OnConnected(absl::Time now) {
  now_ = now;
  look_ = true;
  connected_ = true;
  writable_ = true;
  left_ = false;
  connected_since_ = std::min(connected_since_, now);
  nobody_since_ = absl::InfiniteFuture();
  handshake_.Greet(now);
  if (!handshake_.established()) return;
  // The frames in flight may have gone with the old connection. The peer drops
  // those that it has.
  Rewind();
  ForgetGaps();
  flight_limit_.Reset();
  ack_due_ = true;
}

void Session::OnDisconnected(absl::string_view reason, absl::Time now) {
  now_ = now;
  OnRedial();
  connected_since_ = absl::InfiniteFuture();
  SetTrouble(std::string(reason));
}

void Session::OnRedial() {
  connected_ = false;
  queue_->WantNothing();
}

// Once may be a listener that binds anew. A peer that lives is heard, over the
// connection that it dialled.
void Session::OnRefused(absl::Time now) {
  now_ = now;
  if (!up_ || connected_) return;
  if (nobody_since_ > now || last_heard_ > nobody_since_) nobody_since_ = now;
  if (now - nobody_since_ < kNobodyListens) return;
  SetDown(absl::StrCat("nobody listens at its address any more",
                       stats_.last_trouble.empty() ? "" : ": ",
                       stats_.last_trouble));
}

// The last multiple of the interval, by the clock. So the heartbeats of all
// sessions are due together, and their threads wake once for all.
absl::Time Session::HeartbeatBefore(absl::Time now) const {
  return now - (now - absl::UnixEpoch()) % heartbeat_;
}

absl::Time Session::IdleUntil() const {
  if (Reassembling()) return now_;  // to see whether it stands still
  absl::Time until = absl::InfiniteFuture();
  if (heard_) until = last_heard_ + patience_;
  if (!down_reported_ && !up_)
    until = std::min(until, begun_ + config_.peer_timeout);
  if (handshake_.established())
    until = std::min(until, HeartbeatBefore(last_sent_) + heartbeat_);
  return until;
}

void Session::Tick(absl::Time now) {
  now_ = now;
  queue_->SetNow(absl::ToUnixNanos(now));
  queue_->SetTransmitted(window_.held_bytes());
  TakeHeld();
  LookForStall(now);
  LookForSilence(now);
  LookForAbsence(now);
  // Frames are sent again only if the peer misses them (RFC 8985, section 7: a
  // tail loss probe). A peer that is only slow would become slower.
  if (window_.inflight() && now - timer_start_ >= probe_timeout_) {
    probe_due_ = true;
    timer_start_ = now;
    probe_timeout_ = std::min(2 * probe_timeout_, kProbeTimeoutMax);
  }
  if (!handshake_.established()) return;
  if (gap_waits_) OnGap(now);
  const bool beats = last_sent_ < HeartbeatBefore(now);
  if (now >= ack_at_ || beats || SaysStill() != said_still_) ack_due_ = true;
  // Only with a heartbeat, so that no processor wakes for it.
  if (beats && now - measured_at_ > config_.rtt_memory) Probe(now);
}

void Session::Probe(absl::Time now) {
  if (!up_ || !connected_ || unproven_ || handshake_.challenging() ||
      now - measured_at_ < kProbeIntervalMin) {
    return;
  }
  measured_at_ = now;
  handshake_.Challenge(now);
}

// RFC 6298, section 2: an exponentially weighted mean with a gain of an eighth.
void Session::AddRoundTrip(absl::Duration round_trip) {
  stats_.rtt = stats_.rtt == absl::ZeroDuration()
                   ? round_trip
                   : stats_.rtt + (round_trip - stats_.rtt) / 8;
  stats_.last_round_trip = round_trip;
  stats_.round_trips.Add(round_trip);
  measured_at_ = now_;
}

void Session::LookForSilence(absl::Time now) {
  if (!heard_ || now - last_heard_ <= patience_) return;
  std::string reason =
      absl::StrCat("not heard for ", absl::FormatDuration(patience_));
  if (!connected_ && !stats_.last_trouble.empty())
    absl::StrAppend(&reason, "; ", stats_.last_trouble);
  if (peer_still_) SetTrouble(reason);  // it is down already
  SetDown(std::move(reason));
  heard_ = peer_still_ = false;
  unproven_ = true;
  // Not before: the peer would dial anew, and be heard again, before this side
  // knows that anything was wrong.
  ack_due_ = true;
}

// A peer that never came up; and one that was unreachable, where now something
// takes connections and does not answer.
void Session::LookForAbsence(absl::Time now) {
  if (begun_ == absl::InfinitePast()) begun_ = now;
  if (stats_.since == absl::InfinitePast()) stats_.since = begun_;
  if (up_ || goodbye_ != GoodbyeState::kNo) return;
  const absl::Time since = down_reported_ ? UnansweredSince() : begun_;
  if (now - since < config_.peer_timeout) return;
  ReportDown(WhyAbsent());
}

absl::Time Session::UnansweredSince() const {
  if (!unreachable_reported_ || !connected_) return absl::InfiniteFuture();
  return std::max({connected_since_, last_heard_, last_hello_});
}

std::string Session::WhyAbsent() const {
  const absl::Time recently = now_ - 2 * config_.peer_timeout;
  if (refused_at_ > recently) return refusal_text_;
  const std::string peer = absl::StrCat("server ", config_.peer_id);
  const std::string self = absl::StrCat("server ", config_.self_id);
  const std::string greets =
      last_hello_ > recently
          ? absl::StrCat(peer, " does greet this server, ", greets_from_)
          : "";
  if (!connected_) {
    return absl::StrCat(
        stats_.last_trouble.empty() ? "no connection yet" : stats_.last_trouble,
        greets.empty() ? "" : "; but ", greets);
  }
  if (!greets.empty()) {
    return absl::StrCat("connected, but ", peer,
                        " does not hear this server: its address here "
                        "may be another server's; ",
                        greets);
  }
  return absl::StrCat(
      "connected, but ", peer, " does not answer: it may not list ", self,
      ", or have another cluster name, delivery or version. Or its address "
      "here "
      "may be another server's, it may have a wrong address of ",
      self, ", or another process may be ", self);
}

PeerStats Session::Stats() const {
  PeerStats stats = stats_;
  stats.up = up_;
  stats.incarnation = handshake_.peer().incarnation;
  if (handshake_.established()) stats.wire_version = handshake_.version();
  stats.acknowledged = window_.acknowledged_envelopes();
  stats.queued = window_.untaken_envelopes();
  stats.in_flight = window_.envelopes();
  stats.unconsumed_bytes = window_.unconsumed_bytes();
  stats.held_bytes = receive_.bytes();
  queue_->AddTo(&stats);
  return stats;
}

void Session::Event(PeerEvent::Type type, std::string reason,
                    std::uint64_t withheld) {
  PeerEvent event;
  event.type = type;
  event.peer = config_.peer_id;
  event.reason = std::move(reason);
  event.withheld = withheld;
  sink_->OnSessionEvent(std::move(event));
}

void Session::SetUp(std::string reason) {
  if (up_) return;
  Event(PeerEvent::kUp, std::move(reason));
  up_ = true;
  up_at_ = stats_.since = now_;
  down_reported_ = unreachable_reported_ = false;
  stats_.last_trouble.clear();
  stats_.last_trouble_at = absl::InfinitePast();
  refused_at_ = absl::InfinitePast();
}

void Session::SetDown(std::string reason) {
  if (up_) ReportDown(std::move(reason));
}

void Session::ReportDown(std::string reason) {
  Event(PeerEvent::kDown, reason);
  if (up_) stats_.since = now_;
  up_ = false;
  down_reported_ = true;
  unreachable_reported_ = !connected_;
  SetTrouble(std::move(reason));
}

void Session::SetTrouble(std::string trouble) {
  if (trouble.empty()) return;
  stats_.last_trouble = std::move(trouble);
  stats_.last_trouble_at = now_;
}

// The peer would find this server down between two heartbeats, for ever: it gets
// them sooner. Both sides say so.
void Session::FitHeartbeat() {
  const absl::Duration beat = config_.heartbeat;
  const absl::Duration patience = config_.peer_timeout;
  const auto peer_beat = absl::Milliseconds(handshake_.peer().heartbeat_ms);
  const auto peer_patience =
      absl::Milliseconds(handshake_.peer().peer_timeout_ms);
  const bool impatient =
      peer_patience > absl::ZeroDuration() && peer_patience < 2 * beat;
  heartbeat_ = impatient
                   ? std::min(beat, std::max(peer_patience / 3, kHeartbeatMin))
                   : beat;
  const bool slow = patience < 2 * peer_beat;
  if (!impatient && !slow) return;
  const auto of = [](int id, absl::Duration beat, absl::Duration patience) {
    return absl::StrCat(
        "server ", id, " has heartbeat_ms ", absl::ToInt64Milliseconds(beat),
        " and peer_timeout_ms ", absl::ToInt64Milliseconds(patience));
  };
  ReportRationed(
      PeerEvent::kWarning,
      absl::StrCat(
          "times that do not fit: ", of(config_.self_id, beat, patience), ", ",
          of(config_.peer_id, peer_beat, peer_patience),
          ": a timeout should be at least twice the heartbeat of the "
          "other side. Heartbeats are sent sooner for it; give both "
          "servers the same times"),
      &heartbeat_ration_);
}

void Session::BeginSession(HelloResult how) {
  std::vector<SendWindow::Sent> unconsumed = window_.Reset();
  queue_->SetPeerLimits(handshake_.peer().payload_bytes_max,
                        handshake_.features());
  ResetReceiving();
  ack_due_ = look_ = true;
  ack_at_ = absl::InfiniteFuture();
  gap_due_ = ask_consumed_ = probe_due_ = false;
  consume_wanted_ = consume_wanted_last_ = 0;
  consumed_unreported_bytes_ = unasked_bytes_ = 0;
  stamp_ = heard_stamp_ = 0;
  measured_at_ = now_;  // the first probe need not come at once
  unproven_ = peer_still_ = said_still_ = false;
  nobody_since_ = absl::InfiniteFuture();
  probe_timeout_ = kProbeTimeout;
  ForgetGaps();
  flight_limit_.Reset();
  ++stats_.sessions;

  if (how == HelloResult::kFirst) {
    SetUp("first session");
    FitHeartbeat();
    return;
  }
  // Before anything is put in front of a record that is cut in part.
  queue_->Restart();
  // A frame that the transport did not take has never been transmitted.
  if (!unconsumed.empty() && unconsumed.back().transmissions == 0) {
    queue_->PutBack(std::move(unconsumed.back().batch), /*transmitted=*/false);
    unconsumed.pop_back();
  }
  PeerEvent event;
  event.type = PeerEvent::kRestarted;
  event.peer = config_.peer_id;
  event.reason = how == HelloResult::kRestarted
                     ? "it is another process"
                     : "a new session with the same process";
  for (const SendWindow::Sent& sent : unconsumed)
    event.unknown_fate += sent.envelopes;
  // The same process may have consumed them in the old session, and would get
  // them twice.
  const bool resend = how == HelloResult::kRestarted &&
                      config_.on_peer_restart == OnPeerRestart::kResend;
  if (resend) {
    event.resent = event.unknown_fate;
    for (auto sent = unconsumed.rbegin(); sent != unconsumed.rend(); ++sent)
      queue_->PutBack(std::move(sent->batch), /*transmitted=*/true);
  } else {
    stats_.dropped[static_cast<std::size_t>(DropReason::kPeerRestart)] +=
        event.unknown_fate;
    for (const SendWindow::Sent& sent : unconsumed)
      sent.Tell(DropReason::kPeerRestart);
  }
  event.resent -= queue_->Resume();
  queue_->SetTransmitted(0);  // batches that are put back kept their memory
  AskAgain();
  SetDown("a new session begins");
  sink_->OnSessionEvent(std::move(event));
  SetUp("new session");
  FitHeartbeat();
}

void Session::BreakSession(RefusalReason refusal, absl::string_view reason) {
  ++stats_.refused[static_cast<std::size_t>(refusal)];
  SetDown(std::string(reason));  // which says all that a kRejected would
  handshake_.Break();
  queue_->WantNothing();
  queue_->SetPeerLimits(config_.payload_bytes_max, /*features=*/0);
  ResetReceiving();
  unproven_ = peer_still_ = false;
}

void Session::RejectRecords(std::uint64_t session, RefusalReason reason,
                            absl::string_view text) {
  if (handshake_.established() && session == handshake_.session()) {
    BreakSession(reason, text);
  } else {
    Refuse(reason, text);
  }
}

}  // namespace cluster::internal
