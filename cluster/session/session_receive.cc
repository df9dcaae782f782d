// The receiving half of Session: what a frame of the peer does.

#include <algorithm>
#include <utility>

#include "absl/base/optimization.h"
#include "absl/strings/str_cat.h"
#include "cluster/session/printable.h"
#include "cluster/session/session.h"

namespace cluster::internal {
namespace {

// Refusals that come with every loss, restart or removal, and trouble nobody.
bool IsUsual(RefusalReason reason) {
  return reason == RefusalReason::kUnknownSession ||
         reason == RefusalReason::kDuplicate || reason == RefusalReason::kGap;
}

// The origin of a hello, as far as the transport and the hello itself know it.
std::string OriginText(const Hello& hello, const FrameSource* source) {
  const std::string from = source == nullptr ? "" : source->Text();
  return absl::StrCat(from.empty() ? "" : absl::StrCat("from ", from, " "),
                      "as ", Quoted(hello.address));
}

std::string RangeText(const VersionRange& versions) {
  const int min = versions.min;
  return versions.min == versions.max
             ? absl::StrCat(min)
             : absl::StrCat(min, " to ", static_cast<int>(versions.max));
}

std::string NoCommonVersion(const SessionConfig& config,
                            const VersionRange& of_peer) {
  return absl::StrCat("server ", config.self_id, " speaks ",
                      RangeText(config.versions), ", server ", config.peer_id,
                      " ", RangeText(of_peer));
}

}  // namespace

void Session::Refuse(RefusalReason reason, absl::string_view trouble) {
  const auto index = static_cast<std::size_t>(reason);
  ++stats_.refused[index];
  if (IsUsual(reason)) return;
  std::string text = absl::StrCat(RefusalReasonName(reason), ": ", trouble);
  SetTrouble(text);
  ReportRationed(PeerEvent::kRejected, std::move(text),
                 &refused_rations_[index]);
}

void Session::ReportRationed(PeerEvent::Type type, std::string reason,
                             EventRation* ration) {
  if (const auto withheld = ration->Take(now_))
    Event(type, std::move(reason), *withheld);
}

// Whether the frame is for this server; else refuses it.
bool Session::IsHere(const FrameHeader& header) {
  if (header.destination_id == static_cast<std::uint32_t>(config_.self_id))
    return true;
  Refuse(RefusalReason::kWrongDestination,
         absl::StrCat("server ", config_.peer_id, " sent a frame for server ",
                      header.destination_id, " to this server, ",
                      config_.self_id, ": its address of server ",
                      header.destination_id, " leads here"));
  return false;
}

void Session::OnFrame(const FrameHeader& header, Slice body, absl::Time now,
                      const FrameSource* source) {
  now_ = now;
  ++stats_.frames_received;
  stats_.bytes_received += kFrameHeaderBytes + body.bytes.size();
  if (!IsHere(header)) return;
  if (header.kind == FrameKind::kHello) {
    OnHello(header, body.bytes, source, now);
    return;
  }
  if (header.kind == FrameKind::kRefusal) {
    OnRefusal(body.bytes, now);
    return;
  }
  if (!handshake_.established() || header.session != handshake_.session()) {
    Refuse(RefusalReason::kUnknownSession, "a frame of another session");
    handshake_.Doubt();
    return;
  }
  if (!IsLasting(header.kind) && header.version != handshake_.version()) {
    Refuse(RefusalReason::kVersion,
           absl::StrCat("a frame of version ", header.version,
                        " in a session of version ", handshake_.version()));
    return;
  }
  if (!FlagsAgreed(header)) return;
  if (!OnAcknowledgement(header, now)) return;
  if (Fresh(header)) {
    Heard(now);
    if (header.kind == FrameKind::kGoodbye) {
      OnGoodbye(body.bytes);
      return;
    }
    HeardAgain();
    UpOrDown(header);
    if (header.flags & kGap) OnGap(now);
    if (header.flags & kConsumeRequest) WantConsumed(header.sequence);
    // The last data frames may be lost, with none after them to show it.
    if (header.kind == FrameKind::kControl &&
        header.sequence > receive_.received_through()) {
      gap_due_ = ack_due_ = true;
    }
  }
  if (header.kind == FrameKind::kData) {
    if (holding_ > 0) TakeHeld();
    if (!handshake_.established()) return;
    OnData(header, std::move(body));
  }
  if (header.flags & kAckRequest) ack_due_ = true;
  if (ConsumptionDue()) ack_due_ = true;
}

void Session::WantConsumed(std::uint64_t sequence) {
  consume_wanted_last_ = std::max(consume_wanted_last_, sequence);
  if (consume_wanted_ == 0) consume_wanted_ = consume_wanted_last_;
}

// Whether the peer asked for an acknowledgement of what is consumed by now.
bool Session::ConsumptionDue() {
  const std::uint64_t consumed = receive_.consumed_through();
  if (consume_wanted_ == 0 || consumed < consume_wanted_) return false;
  consume_wanted_ = consume_wanted_last_ > consumed ? consume_wanted_last_ : 0;
  return true;
}

// A frame that was overtaken, or replayed, says nothing of the peer as it is now.
// RFC 1982, section 3.2: comparison of serial numbers that wrap around.
bool Session::Fresh(const FrameHeader& header) {
  if (static_cast<std::int32_t>(header.stamp - heard_stamp_) <= 0) return false;
  heard_stamp_ = header.stamp;
  return true;
}

void Session::Heard(absl::Time now) {
  last_heard_ = now;
  if (heard_) return;
  heard_ = true;
  ack_due_ = true;  // the peer wants to know
  if (unproven_) handshake_.Challenge(now);
}

bool Session::FlagsAgreed(const FrameHeader& header) {
  if (ABSL_PREDICT_TRUE((header.flags & kStandsStill) == 0) ||
      (handshake_.features() & kFeatureStandstill) != 0) {
    return true;
  }
  Refuse(RefusalReason::kMalformed,
         "a frame with a flag that this session does not have");
  return false;
}

void Session::UpOrDown(const FrameHeader& header) {
  const bool hears_us = (header.flags & kHearsYou) != 0;
  const bool still = (header.flags & kStandsStill) != 0;
  const bool goes_on = peer_still_ && !still;
  peer_still_ = still && hears_us;
  if (!up_ && hears_us && !still && !unproven_)
    SetUp(goes_on ? "its application goes on" : "heard again");
  if (up_ && still) SetDown("its application stands still");
  // Frames of before it heard this server may be on their way.
  if (up_ && !hears_us && now_ - up_at_ > kHearingGrace)
    SetDown("it does not hear this server");
}

void Session::OnHello(const FrameHeader& header, absl::string_view body,
                      const FrameSource* source, absl::Time now) {
  Hello hello;
  if (!DecodeHello(body, &hello)) {
    Refuse(RefusalReason::kMalformed, "a hello that does not parse");
    return;
  }
  const std::uint64_t incarnation_before = handshake_.peer().incarnation;
  const std::uint32_t heartbeat_before = handshake_.peer().heartbeat_ms;
  const std::uint32_t timeout_before = handshake_.peer().peer_timeout_ms;
  const HelloResult result = handshake_.Receive(hello, header.session, now);
  LookForOthers(hello, result, incarnation_before, source, now);
  switch (result) {
    case HelloResult::kHeard:
      last_hello_ = now;
      HeardAgain();
      if (!up_) {
        greets_from_ = OriginText(hello, source);
      }
      return;
    case HelloResult::kWrongCluster:
      RefuseHello(RefusalReason::kWrongCluster, RefusalCode::kWrongCluster,
                  hello.nonce,
                  absl::StrCat("server ", config_.self_id, " is of ",
                               Quoted(config_.cluster), ", server ",
                               config_.peer_id, " of ", Quoted(hello.cluster)),
                  now);
      return;
    case HelloResult::kNoCommonVersion:
      RefuseHello(RefusalReason::kVersion, RefusalCode::kNoCommonVersion,
                  hello.nonce, NoCommonVersion(config_, hello.versions), now);
      return;
    case HelloResult::kIncomplete:
      Refuse(RefusalReason::kMalformed, "a hello without limits");
      return;
    case HelloResult::kSame:
      if (handshake_.round_trip()) AddRoundTrip(*handshake_.round_trip());
      Heard(now);
      // It lives. Its answer to a frame of the session says whether it hears them.
      if (std::exchange(unproven_, false)) probe_due_ = true;
      if ((features() & kFeatureLiveTimes) != 0 &&
          (heartbeat_before != handshake_.peer().heartbeat_ms ||
           timeout_before != handshake_.peer().peer_timeout_ms)) {
        FitHeartbeat();
      }
      if (!handshake_.telling_times()) patience_ = config_.peer_timeout;
      return;
    case HelloResult::kFirst:
    case HelloResult::kRenewed:
    case HelloResult::kRestarted:
      Heard(now);
      BeginSession(result);
      if (!handshake_.telling_times()) patience_ = config_.peer_timeout;
      return;
  }
}

// Two live processes of the peer's id: one has the session and answers a
// challenge, which it hears over the connection to the peer's address. The other
// one greets before that and again later. Or each wins the session in turn. A
// process that is gone answers nothing, and its last frames are not that late. In
// plaintext a recorded hello passes for another process.
void Session::LookForOthers(const Hello& hello, HelloResult result,
                            std::uint64_t incarnation_before,
                            const FrameSource* source, absl::Time now) {
  const absl::Duration kept =
      std::max(config_.peer_timeout, kOtherForgottenMin);
  if (result == HelloResult::kRestarted) {
    if (hello.incarnation == incarnation_before_ && now - restarted_at_ <= kept)
      ReportOther(hello, source);
    incarnation_before_ = incarnation_before;
    restarted_at_ = now;
    other_ = Other();
    other_.origin = OriginText(hello, source);
    return;
  }
  if (result == HelloResult::kSame) {
    other_.peer_lives = true;
    if (now - other_.last <= kept && other_.last - other_.first > kLateFrameMax)
      ReportOther(hello, source);
    return;
  }
  if (result != HelloResult::kHeard || !handshake_.established() ||
      hello.incarnation == incarnation_before) {
    return;
  }
  if (hello.incarnation != other_.incarnation || now - other_.last > kept) {
    other_ = Other();
    other_.incarnation = hello.incarnation;
    other_.first = now;
    handshake_.Challenge(now);
  } else if (other_.peer_lives && now - other_.first > kLateFrameMax) {
    // Now the session's process has to live still.
    handshake_.Challenge(now);
  }
  other_.last = now;
  other_.origin = OriginText(hello, source);
}

// To the application, and to the process that said this hello.
void Session::ReportOther(const Hello& hello, const FrameSource* source) {
  const std::string text =
      absl::StrCat("two processes have the id ", config_.peer_id,
                   ": one greets ", OriginText(hello, source), ", another one ",
                   other_.origin, "; stop one of them, or give it another id");
  other_ = Other();
  ++stats_.two_processes;
  AnswerLater(RefusalCode::kTwoProcesses, hello.nonce, text);
  SetTrouble(text);
  ReportRationed(PeerEvent::kWarning, text, &other_ration_);
}

// A refusal is not only counted: the peer should know. How often it says hello is
// its own decision.
void Session::RefuseHello(RefusalReason reason, RefusalCode code,
                          std::uint64_t nonce, absl::string_view text,
                          absl::Time now) {
  Refuse(reason, text);
  refusal_text_ = stats_.last_trouble;
  refused_at_ = now;
  if (now < refuse_after_) return;
  refuse_after_ = now + kRefusalInterval;
  AnswerLater(code, nonce, refusal_text_);
}

void Session::AnswerLater(RefusalCode code, std::uint64_t nonce,
                          absl::string_view text) {
  refusal_due_ = true;
  refusal_.code = code;
  refusal_.text = std::string(text);
  refusal_.echo_nonce = nonce;
  refusal_.versions = config_.versions;
}

void Session::OnForeignVersion(const FrameHeader& header, absl::Time now) {
  now_ = now;
  if (!IsHere(header)) return;
  // Nothing but its header can be read, so there is no nonce to echo.
  RefuseHello(RefusalReason::kVersion, RefusalCode::kNoCommonVersion,
              /*nonce=*/0,
              NoCommonVersion(config_, {header.version, header.version}), now);
}

// A refusal of a hello that this server has not said, or of one of long ago,
// says nothing.
void Session::OnRefusal(absl::string_view body, absl::Time now) {
  Refusal refusal;
  if (!DecodeRefusal(body, &refusal)) {
    Refuse(RefusalReason::kMalformed, "a refusal that does not parse");
    return;
  }
  if (!handshake_.Echoes(refusal.echo_nonce)) {
    Refuse(RefusalReason::kUnknownSession, "a refusal of no hello of ours");
    return;
  }
  const std::string why =
      refusal.text.empty()
          ? absl::StrCat("code ", static_cast<int>(refusal.code))
          : Printable(refusal.text);
  if (refusal.code == RefusalCode::kTwoProcesses) {
    ++stats_.two_processes;
    ReportRationed(
        PeerEvent::kWarning,
        absl::StrCat("server ", config_.peer_id, " reports that ", why),
        &other_ration_);
    return;
  }
  refusal_text_ =
      absl::StrCat("server ", config_.peer_id, " refuses this server: ", why);
  refused_at_ = now;
  SetTrouble(refusal_text_);
  ReportRationed(PeerEvent::kRejected, refusal_text_, &refused_us_ration_);
}

void Session::OnGoodbye(absl::string_view body) {
  Goodbye goodbye;
  if (!DecodeGoodbye(body, &goodbye)) {
    Refuse(RefusalReason::kMalformed, "a goodbye that does not parse");
    return;
  }
  std::string reason = goodbye.reason == GoodbyeReason::kStopped ? "it stopped"
                       : goodbye.reason == GoodbyeReason::kRemovedYou
                           ? absl::StrCat("removed by server ", config_.peer_id)
                       : goodbye.text.empty()
                           ? "it left"
                           : absl::StrCat("it left: ", Printable(goodbye.text));
  if (!up_) SetTrouble(reason);
  SetDown(std::move(reason));
  left_ = true;
  peer_still_ = false;
}

void Session::HeardAgain() {
  if (left_) look_ = true;
  left_ = false;
}

// The first time, all is sent again at once. A peer that goes on asking, and
// gets nothing of it, draws less and less.
void Session::OnGap(absl::Time now) {
  gap_waits_ = now < gap_answer_after_;
  if (gap_waits_) return;
  one_at_a_time_ = gap_answer_after_ != absl::InfinitePast();
  gap_answer_after_ = now + gap_interval_;
  gap_interval_ = std::min(2 * gap_interval_, kGapIntervalMax);
  Rewind();
}

void Session::ForgetGaps() {
  gap_answer_after_ = absl::InfinitePast();
  gap_interval_ = kGapInterval;
  gap_waits_ = one_at_a_time_ = false;
}

bool Session::OnAcknowledgement(const FrameHeader& header, absl::Time now) {
  const std::uint64_t before = window_.received_through();
  switch (
      window_.Acknowledge(header.received_through, header.consumed_through)) {
    case AckResult::kImpossible:
      BreakSession(RefusalReason::kImpossibleAck,
                   "it acknowledged what was never sent");
      return false;
    case AckResult::kNothingNew:
      return true;
    case AckResult::kProgress:
      break;
  }
  look_ = true;
  const bool received = window_.received_through() > before;
  if (received) ForgetGaps();
  // The next Take says so too, with one lock less; but now none follows.
  if (!writable_ || window_.Rewound() != nullptr)
    queue_->SetTransmitted(window_.held_bytes());
  timer_start_ = now;
  const absl::optional<absl::Duration> round_trip =
      received ? flight_limit_.OnReceived(window_.received_through(),
                                          window_.last_departure(),
                                          window_.received_bytes(), now)
               : absl::nullopt;
  if (round_trip) {
    AddRoundTrip(*round_trip);
    // The line is to be empty for a moment, soon.
    if (flight_limit_.draining()) probe_due_ = true;
  }
  probe_timeout_ = std::clamp(4 * stats_.rtt, kProbeTimeout, kProbeTimeoutMax);
  return true;
}

void Session::OnData(const FrameHeader& header, Slice body) {
  switch (receive_.Receive(header.sequence, body.bytes.size())) {
    case ReceiveResult::kDuplicate:
      Refuse(RefusalReason::kDuplicate, "");
      // Its acknowledgement was lost, or is on its way.
      ack_due_ = true;
      return;
    case ReceiveResult::kGap:
      Refuse(RefusalReason::kGap, "");
      gap_due_ = true;
      ack_due_ = true;
      return;
    case ReceiveResult::kGapAgain:
      Refuse(RefusalReason::kGap, "");
      return;
    case ReceiveResult::kOverrun:
      BreakSession(RefusalReason::kOverrun, "it sent more than its window");
      return;
    case ReceiveResult::kNext:
      break;
  }
  AckSoon();
  stats_.received += header.records;
  Ring<Held>& held = held_[static_cast<std::size_t>(header.lane)];
  if (held.empty() && TakeData(header, &body)) return;
  held.PushBack({header, std::move(body)});
  ++holding_;
}

// False: it has to wait, and so has all that follows in its lane.
bool Session::TakeData(const FrameHeader& header, Slice* body) {
  Arrival arrival;
  arrival.sender = config_.peer_id;
  arrival.session = header.session;
  arrival.sequence = header.sequence;
  arrival.codec = header.codec;
  arrival.records = header.records;
  arrival.lane = header.lane;
  if (header.chunk != ChunkState::kWhole)
    return TakeChunk(header, *body, std::move(arrival));
  if (reassembly_[static_cast<std::size_t>(header.lane)].unfinished()) {
    BreakSession(RefusalReason::kBadRecord,
                 "whole records amid the chunks of another");
    return true;
  }
  arrival.body = std::move(*body);
  receive_.Deliver(header.sequence);
  sink_->OnArrival(std::move(arrival));
  return true;
}

bool Session::TakeChunk(const FrameHeader& header, const Slice& body,
                        Arrival arrival) {
  const auto lane = static_cast<std::size_t>(header.lane);
  Reassembly& reassembly = reassembly_[lane];
  ReassemblyClaim claim;
  if (header.chunk == ChunkState::kFirst &&
      reassembly.MayBegin(header.chunk_total_bytes)) {
    claim = share_.Claim(static_cast<std::size_t>(header.chunk_total_bytes));
    if (!claim) return false;
  }
  grown_[lane] = now_;
  const Reassembly::Result result =
      reassembly.Add(header.chunk, header.chunk_total_bytes, body.bytes,
                     &arrival.body, std::move(claim));
  if (result == Reassembly::Result::kBroken) {
    BreakSession(RefusalReason::kBadRecord, "chunks that make no record");
    return true;
  }
  receive_.Deliver(header.sequence);
  if (result == Reassembly::Result::kWhole) {
    arrival.records = 1;
    arrival.claimed = true;
    sink_->OnArrival(std::move(arrival));
  } else {
    // Reassembly has a bound of its own, so a payload larger than the window
    // completes.
    Consume(header.sequence);
  }
  return true;
}

// Goes on with the frames that waited, as far as there is room now.
void Session::TakeHeld() {
  if (holding_ == 0) return;
  for (Ring<Held>& held : held_) {
    while (!held.empty() && TakeData(held.front().header, &held.front().body)) {
      if (held.empty()) return;  // the session is over
      held.DropFront();
      --holding_;
    }
  }
  AckSoon();
}

bool Session::Reassembling() const {
  return std::any_of(
      reassembly_.begin(), reassembly_.end(),
      [](const Reassembly& reassembly) { return reassembly.unfinished(); });
}

// A record that does not go on keeps room that others wait for. It is not the
// peer's fault while this server has not taken frames, and withholds the credit.
void Session::LookForStall(absl::Time now) {
  if (!Reassembling()) return;
  if (receive_.bytes() > 0) grown_.fill(now);
  for (int lane = 0; lane < kLanes; ++lane) {
    const auto at = static_cast<std::size_t>(lane);
    if (!reassembly_[at].unfinished() ||
        now - grown_[at] <= config_.peer_timeout || !share_.OthersWait()) {
      continue;
    }
    BreakSession(RefusalReason::kStalled,
                 absl::StrCat("a large payload of its stood still for ",
                              absl::FormatDuration(config_.peer_timeout),
                              " while others waited for its room "
                              "(memory_bytes_max)"));
    return;
  }
}

void Session::ResetReceiving() {
  receive_.Reset();
  for (Reassembly& reassembly : reassembly_) reassembly.Reset();
  if (holding_ == 0) return;
  for (Ring<Held>& held : held_) held.Clear();
  holding_ = 0;
  share_.LeaveLine();
}

}  // namespace cluster::internal
