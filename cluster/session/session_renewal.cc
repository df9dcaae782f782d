// The sessions of Session: how one begins and ends, and what becomes of the frames
// in flight.

#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/session/session.h"

namespace cluster::internal {

void Session::Event(PeerEvent::Type type, std::string reason) {
  PeerEvent event;
  event.type = type;
  event.peer = config_.peer_id;
  event.reason = std::move(reason);
  sink_->OnSessionEvent(std::move(event));
}

void Session::SetUp(std::string reason) {
  if (up_) return;
  Event(PeerEvent::kUp, std::move(reason));
  up_ = true;
}

void Session::SetDown(std::string reason) {
  if (!up_) return;
  Event(PeerEvent::kDown, reason);
  up_ = false;
  stats_.last_trouble = std::move(reason);
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
  consumed_untold_bytes_ = unasked_bytes_ = 0;
  stamp_ = heard_stamp_ = 0;
  probe_timeout_ = kProbeTimeout;
  ForgetGaps();
  rtt_sequence_ = 0;
  ++stats_.sessions;

  if (how == HelloResult::kFirst) {
    SetUp("first session");
    return;
  }
  // Before anything is put in front of a record that is cut in part.
  queue_->Restart();
  // A frame that the transport did not take has never been transmitted.
  if (!unconsumed.empty() && unconsumed.back().transmissions == 0) {
    queue_->PutBack(std::move(unconsumed.back().batch));
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
      queue_->PutBack(std::move(sent->batch));
  } else {
    stats_.dropped[static_cast<std::size_t>(DropReason::kPeerRestart)] +=
        event.unknown_fate;
  }
  queue_->SetTransmitted(0);  // batches that are put back kept their memory
  AskAgain();
  SetDown("a new session begins");
  sink_->OnSessionEvent(std::move(event));
  SetUp("new session");
}

void Session::BreakSession(RefusalReason refusal, absl::string_view reason) {
  Refuse(refusal, reason);
  SetDown(std::string(reason));
  handshake_.Break();
  queue_->WantNothing();
  queue_->SetPeerLimits(config_.payload_bytes_max, /*features=*/0);
  ResetReceiving();
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
