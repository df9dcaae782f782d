// Session: the reliable state between this server and one peer, without I/O.
//
// It numbers, acknowledges and repeats frames, keeps windows, and notices when
// the peer falls silent. It begins anew, under another id, when either server
// does, or when the peer breaks the protocol. It reads the peer's SendQueue, and
// calls a SessionSink with arrivals and events. There is no thread, socket or
// clock in it, so cluster/sim/ can run thousands with a seed.
//
// Not thread-safe: the caller holds one lock around each call. Senders append to
// the queue without that lock. Queue and sink outlive it; the queue is open while
// it lives. Where memory ends, NextFrame and Tick throw std::bad_alloc, change
// nothing and may be called again.
//
//   Session session(config, random, &sink, &queue);
//   session.OnConnected(now);
//   Frame frame;
//   while (session.NextFrame(now, &frame)) {
//     if (transport->Send(peer, frame) == SendResult::kBackPressured) {
//       session.FrameNotTaken();
//       break;
//     }
//   }

#ifndef CLUSTER_SESSION_SESSION_H_
#define CLUSTER_SESSION_SESSION_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cluster/base/ring.h"
#include "cluster/codec/frame_header.h"
#include "cluster/codec/hello.h"
#include "cluster/envelope.h"
#include "cluster/peer_event.h"
#include "cluster/session/event_ration.h"
#include "cluster/session/flight_limit.h"
#include "cluster/session/handshake.h"
#include "cluster/session/memory_budget.h"
#include "cluster/session/reassembly.h"
#include "cluster/session/receive_window.h"
#include "cluster/session/send_queue.h"
#include "cluster/session/send_window.h"
#include "cluster/session/session_config.h"
#include "cluster/stats.h"
#include "cluster/transport/frame.h"

namespace cluster::internal {

// Records that arrived in order. The application takes them and then says
// Consumed(session, sequence).
struct Arrival {
  int sender = 0;
  std::uint64_t session = 0;
  std::uint64_t sequence = 0;
  std::uint8_t codec = 0;
  std::uint32_t records = 0;
  Lane lane = Lane::kNormal;
  bool claimed = false;  // a large record, whose bytes have a claim
  Slice body;
};

// A session calls it from within OnFrame, Tick and the like. It must not call the
// session.
class SessionSink {
 public:
  virtual ~SessionSink() = default;
  virtual void OnArrival(Arrival arrival) = 0;
  virtual void OnSessionEvent(PeerEvent event) = 0;
};

class Session {
 public:
  // `random` gives nonces and epochs: unpredictable in production, seeded in a
  // simulation.
  Session(const SessionConfig& config, std::function<std::uint64_t()> random,
          SessionSink* sink, SendQueue* queue);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // --- the application's side ---

  // The arrival with this sequence has been taken. In the order of the
  // deliveries; those of earlier sessions are ignored.
  void Consumed(std::uint64_t session, std::uint64_t sequence);

  // The records of an arrival of `session` made no sense: the session is worth
  // nothing any more.
  void RejectRecords(std::uint64_t session, RefusalReason reason,
                     absl::string_view text);

  // Whether all of a mark of the queue is acknowledged or dropped, whatever was
  // accepted since.
  bool Settled(const SendMark& mark) const;
  // Asks the peer to tell as soon as it has consumed all that was accepted so
  // far.
  void RequestConsumed();
  // Whether all that was accepted is acknowledged or dropped.
  bool Drained() const { return queue_->Empty() && window_.empty(); }

  // Drops all that is not acknowledged, counted by `reason`, and returns how
  // many had been transmitted. Closes the queue.
  std::uint64_t Abandon(DropReason reason);

  // From now on the only frame is one goodbye: a peer that gets it need not wait
  // for the timeout, and knows why.
  void SayGoodbye(GoodbyeReason reason) {
    goodbye_ = GoodbyeState::kDue;
    goodbye_reason_ = reason;
  }

  // Takes the live ones of these limits. It is more patient with the peer at once,
  // and less once the peer goes by the new times.
  void Take(const SessionLimits& limits, absl::Time now);

  // --- the transport's side ---

  void OnConnected(absl::Time now);
  void OnDisconnected(absl::string_view reason, absl::Time now);
  // The connection is given up, to dial anew: it may be half-open.
  void OnRedial();
  // Nobody listens at the peer's address: its host refused an attempt.
  void OnRefused(absl::Time now);
  void OnWritable() { writable_ = look_ = true; }

  // A frame whose header names the peer as its sender and whose checksums are
  // right. `source` may be null.
  void OnFrame(const FrameHeader& header, Slice body, absl::Time now,
               const FrameSource* source = nullptr);
  // A frame of the peer in a version that this library does not speak.
  void OnForeignVersion(const FrameHeader& header, absl::Time now);

  // Measures a round trip now, if the peer is up: Stats().round_trips will have it.
  void Probe(absl::Time now);

  // Lets time pass. Times are kept as exactly as it is called.
  void Tick(absl::Time now);

  // The next frame to hand to the transport, if there is one. After any other
  // call, call it until there is none or nothing is Due: so the queue learns what
  // to tell senders.
  bool NextFrame(absl::Time now, Frame* frame);
  // The transport did not take it. There is no frame until OnWritable. Hold the
  // lock over NextFrame, the transport's Send and this.
  void FrameNotTaken();

  // Whether NextFrame may have one, or the queue should hear what it waits for.
  // Cheap.
  bool Due() const {
    return look_ || ack_due_ || probe_due_ || refusal_due_ || AskDue() ||
           handshake_.MayBeDue();
  }
  // Whether a Tick is wanted soon: something waits for an acknowledgement, or
  // for one to be said.
  bool Busy() const {
    return window_.inflight() || ack_at_ != absl::InfiniteFuture() ||
           (connected_ && (!up_ || handshake_.MayBeDue())) || holding_ > 0 ||
           heartbeat_ < config_.heartbeat;
  }
  // When a session that is not busy wants the next Tick, if nothing happens
  // before.
  absl::Time IdleUntil() const;
  // Whether all that was accepted has arrived, though the application there may
  // not have taken it.
  bool AllReceived() const { return queue_->Empty() && window_.all_received(); }

  // --- facts ---

  bool up() const { return up_; }
  // Whether the peer lives and hears this server. It is up unless its application
  // stands still.
  bool peer_answers() const { return up_ || peer_still_; }
  bool connected() const { return connected_; }
  std::uint64_t id() const { return handshake_.session(); }
  // Of the session; 0: there is none.
  std::uint64_t features() const {
    return handshake_.established() ? handshake_.features() : 0;
  }
  // Of memory_bytes_max: what is for the peer, queued or not consumed; and what
  // came from it and is not taken, as charged to the window.
  std::size_t held_bytes() const { return queue_->held_bytes(); }
  std::size_t received_bytes() const { return receive_.bytes(); }
  // Whether a large payload waits for room to be put together.
  bool holding() const { return holding_ > 0; }
  // Its last_trouble_at and `since` are of the session's clock.
  PeerStats Stats() const;

 private:
  enum class GoodbyeState { kNo, kDue, kSaid };
  // Another process that greets with the peer's id.
  struct Other {
    std::uint64_t incarnation = 0;
    std::string origin;                       // for people
    absl::Time first = absl::InfinitePast();  // heard
    absl::Time last = absl::InfinitePast();
    bool peer_lives = false;  // the session's process answered since `first`
  };

  // Receiving (session_receive.cc).
  void OnHello(const FrameHeader& header, absl::string_view body,
               const FrameSource* source, absl::Time now);
  void AddRoundTrip(absl::Duration round_trip);
  void LookForOthers(const Hello& hello, HelloResult result,
                     std::uint64_t incarnation_before,
                     const FrameSource* source, absl::Time now);
  void ReportOther(const Hello& hello, const FrameSource* source);
  void RefuseHello(RefusalReason reason, RefusalCode code, std::uint64_t nonce,
                   absl::string_view text, absl::Time now);
  void AnswerLater(RefusalCode code, std::uint64_t nonce,
                   absl::string_view text);
  void OnRefusal(absl::string_view body, absl::Time now);
  void OnGoodbye(absl::string_view body);
  void HeardAgain();
  void OnGap(absl::Time now);
  void OnData(const FrameHeader& header, Slice body);
  bool TakeData(const FrameHeader& header, Slice* body);
  bool TakeChunk(const FrameHeader& header, const Slice& body, Arrival arrival);
  bool Consume(std::uint64_t sequence);
  void TakeHeld();
  void ResetReceiving();
  bool Reassembling() const;
  void LookForStall(absl::Time now);
  bool OnAcknowledgement(const FrameHeader& header, absl::Time now);
  bool IsHere(const FrameHeader& header);
  bool Fresh(const FrameHeader& header);
  void Heard(absl::Time now);
  bool FlagsAgreed(const FrameHeader& header);
  void UpOrDown(const FrameHeader& header);
  void WantConsumed(std::uint64_t sequence);
  bool ConsumptionDue();
  void Refuse(RefusalReason reason, absl::string_view trouble);
  void SetTrouble(std::string trouble);
  void ReportRationed(PeerEvent::Type type, std::string reason,
                      EventRation* ration);

  // How sessions begin and end.
  void BeginSession(HelloResult how);
  void BreakSession(RefusalReason refusal, absl::string_view reason);
  void SetUp(std::string reason);
  void SetDown(std::string reason);
  void ReportDown(std::string reason);
  void LookForSilence(absl::Time now);
  void LookForAbsence(absl::Time now);
  std::string WhyAbsent() const;
  absl::Time UnansweredSince() const;
  void FitHeartbeat();
  void Event(PeerEvent::Type type, std::string reason,
             std::uint64_t withheld = 0);

  // Transmitting (session_transmit.cc).
  bool NextData(absl::Time now, Frame* frame);
  Want WantOf(Lane lane, std::size_t body_bytes,
              const SendWindow::Sent* ahead) const;
  int EagerFrames(Lane lane) const {
    return gathered_[static_cast<std::size_t>(lane)] ? 1 : kEagerFrames;
  }
  std::size_t WindowFor(Lane lane) const;
  bool FitsInFlight(Lane lane, std::size_t inflight_bytes,
                    std::size_t charge) const;
  std::size_t AskEvery() const;
  void Transmit(SendQueue::Taken taken, absl::Time now, Frame* frame);
  void AskIfTransmitted();
  void AskAgain();
  // Whether the next frame should ask for consumption: none that was made
  // before is still to leave again.
  bool AskDue() const { return ask_consumed_ && window_.Rewound() == nullptr; }
  std::uint8_t AskNow();
  std::uint8_t DataFlags(Lane lane, std::size_t charge, bool full_behind,
                         bool asks = false);
  void TransmitAgain(const SendWindow::Sent& sent, absl::Time now,
                     Frame* frame);
  // Whether to tell the peer that this server's application stands still.
  bool SaysStill() const {
    return (handshake_.features() & kFeatureStandstill) != 0 &&
           config_.stands_still->load(std::memory_order_relaxed);
  }
  FrameHeader Header(FrameKind kind, absl::Time now);
  void Stamp(absl::Time now, FrameHeader* header);
  Frame HelloFrame(absl::Time now);
  Frame Lone(FrameKind kind, absl::Time now, absl::string_view body = "");
  void Rewind();
  void ForgetGaps();
  void AckSoon();
  absl::Time HeartbeatBefore(absl::Time now) const;

  MemoryShare share_;
  SessionConfig config_;  // with the window that was granted
  SessionSink* const sink_;
  Handshake handshake_;
  SendQueue* const queue_;
  SendWindow window_;
  ReceiveWindow receive_;
  std::array<Reassembly, kLanes> reassembly_;
  // Frames that wait, with all that follows in their lane, for room to put a
  // record together. They are not taken, so the peer gets no credit for them.
  struct Held {
    FrameHeader header;
    Slice body;
  };
  std::array<Ring<Held>, kLanes> held_;
  std::size_t holding_ = 0;
  // When each unfinished record last grew, or this server last kept it from that.
  std::array<absl::Time, kLanes> grown_{};

  absl::Time now_ = absl::InfinitePast();  // the time of the last input
  bool connected_ = false;
  bool writable_ = true;
  bool up_ = false;
  bool left_ = false;  // the peer's goodbye was the last that came from it
  bool peer_still_ =
      false;  // it hears this server, but its application does not
  bool said_still_ = false;  // in the last frame, of this server's application
  absl::Time up_at_ = absl::InfinitePast();  // the last time that it came up
  // The last round trip, or the begin of the session.
  absl::Time measured_at_ = absl::InfinitePast();
  // Something has changed since neither the queue nor the window had a frame.
  bool look_ = true;
  GoodbyeState goodbye_ = GoodbyeState::kNo;
  GoodbyeReason goodbye_reason_ = GoodbyeReason::kStopped;
  // Whether frames of the peer come in; false after peer_timeout without any.
  // Every frame says so (kHearsYou).
  bool heard_ = false;
  // After such a silence the peer's frames may be old: it is up once it answers a
  // challenge.
  bool unproven_ = false;
  absl::Time last_heard_ = absl::InfinitePast();
  absl::Time last_sent_ = absl::InfinitePast();

  // Absence of the peer, and the events about it.
  absl::Time begun_ = absl::InfinitePast();  // the first Tick
  // Something has taken the connections since then; infinite: nothing has.
  absl::Time connected_since_ = absl::InfiniteFuture();
  bool down_reported_ = false;  // since it was up
  bool unreachable_reported_ =
      false;  // as the reason; an answer may still be missed
  absl::Time last_hello_ =
      absl::InfinitePast();  // of the peer, for this cluster
  std::string greets_from_;  // where the last one came from, as it says
  // The latest refusal of either side by the other, for people.
  std::string refusal_text_;
  absl::Time refused_at_ = absl::InfinitePast();
  // The first of the attempts that were refused with nothing heard since.
  absl::Time nobody_since_ = absl::InfiniteFuture();

  Other other_;
  // Of the session before this one, and when it ended.
  std::uint64_t incarnation_before_ = 0;
  absl::Time restarted_at_ = absl::InfinitePast();

  // The peer is silent after this: peer_timeout, or a longer one by which the peer
  // may still go.
  absl::Duration patience_ = config_.peer_timeout;
  // The peer may want heartbeats sooner than the config says.
  absl::Duration heartbeat_ = config_.heartbeat;

  // Of the last frame made, and of the latest that was heard, in this session.
  std::uint32_t stamp_ = 0;
  std::uint32_t heard_stamp_ = 0;

  // Whether envelopes had gathered in the last frame of each lane.
  std::array<bool, kLanes> gathered_{};

  // Acknowledgements to send.
  bool ack_due_ = false;  // as soon as the input is drained
  // Else then, unless a frame carries it before.
  absl::Time ack_at_ = absl::InfiniteFuture();
  bool gap_due_ = false;  // send kGap
  // The peer asks for an acknowledgement when all through the first of these is
  // consumed, and then through the last; 0: neither. A single goal that moved
  // with each request might never be reached.
  std::uint64_t consume_wanted_ = 0;
  std::uint64_t consume_wanted_last_ = 0;
  std::size_t consumed_unreported_bytes_ = 0;

  // Acknowledgements to hear. Of consumption: ask with the next frame; or with
  // the frame that transmits the last of `ask_mark_`, then of `ask_mark_last_`.
  bool ask_consumed_ = false;
  bool ask_later_ = false;
  SendMark ask_mark_{};
  SendMark ask_mark_last_{};
  std::size_t unasked_bytes_ = 0;  // transmitted since the last kAckRequest
  absl::Time timer_start_ = absl::InfinitePast();
  absl::Duration probe_timeout_ = kProbeTimeout;
  bool probe_due_ = false;  // ask for the arrivals, with the next frame
  FlightLimit flight_limit_{config_.rtt_memory};

  // Gaps that the peer shows. After an answer, and until something new arrives
  // there, the next answer waits until gap_answer_after_. It is one frame; the
  // rest follows when that has arrived.
  absl::Time gap_answer_after_ = absl::InfinitePast();
  absl::Duration gap_interval_ = kGapInterval;
  bool gap_waits_ = false;
  bool one_at_a_time_ = false;

  // The refusal of the peer's hello, and when the next may follow.
  Refusal refusal_;
  bool refusal_due_ = false;
  absl::Time refuse_after_ = absl::InfinitePast();
  std::array<EventRation, kRefusalReasons> refused_rations_;
  EventRation refused_us_ration_;
  EventRation other_ration_;
  EventRation heartbeat_ration_;

  FrameKind last_kind_ = FrameKind::kControl;  // of the last NextFrame
  std::uint8_t last_flags_ = 0;
  std::size_t last_bytes_ = 0;
  PeerStats stats_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SESSION_SESSION_H_
