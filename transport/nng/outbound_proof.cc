// The part of Outbound that only a secured connection has: it says who we are,
// waits for the peer to ask for the proof, and carries the control messages.

#include <algorithm>
#include <utility>

#include "transport/nng/outbound.h"

namespace cluster {
namespace nng {
namespace {

// Pushes whatever was written before it out of TLS's buffer, which is smaller.
constexpr std::size_t kPaddingBytes = 17u << 10;

}  // namespace

void Outbound::BeginProof(Lock lock, nng_stream* stream) {
  const auto connection = std::make_shared<OutboundConnection>(
      context_.caretaker, stream, shared_from_this());
  connection_ = connection;
  connection->batch()->AddPreamble(/*secured=*/true);
  connection->batch()->AddControl(
      context_.authenticator->Dialled(peer_, &tag_));
  AddControls(connection->batch());
  state_ = State::kProving;
  dial_deadline_ = Clock::now() + context_.dial_timeout;
  loss_error_ = 0;
  reading_ = true;
  writing_ = true;
  lock.unlock();
  // Which wakes it, for the deadline too.
  context_.caretaker->Add(connection);
  connection->WatchEnd();
  connection->Write();
}

void Outbound::OnMessagesWaiting() {
  Lock lock(mutex_);
  if (gone_) return;
  if (state_ == State::kWaiting) {
    // Somebody says that the peer is there.
    dial_at_ = std::min(dial_at_, Clock::now() + Backoff::kDelayMin);
    lock.unlock();
    context_.caretaker->Wake();
    return;
  }
  controls_wanted_ = true;
  if (connection_ != nullptr && state_ != State::kLosing && !writing_) {
    WriteNext(std::move(lock));
  }
}

void Outbound::AddControls(WriteBatch* batch) {
  controls_wanted_ = false;
  if (!proof_.empty() && state_ == State::kConnected) {
    batch->AddControl(std::exchange(proof_, std::string()));
  }
  for (const std::string& message :
       context_.authenticator->TakeMessages(peer_)) {
    batch->AddControl(message);
  }
  if (std::exchange(padding_wanted_, false)) AddPadding(batch);
}

void Outbound::AddPadding(WriteBatch* batch) {
  const std::string padding = PaddingMessage();
  for (std::size_t bytes = 0; bytes < kPaddingBytes; bytes += padding.size()) {
    batch->AddControl(padding);
  }
}

void Outbound::OnAnswer(const Verdict::Answer& answer) {
  Lock lock(mutex_);
  if (gone_ || state_ != State::kProving || tag_ != answer.tag) return;
  state_ = State::kAnnouncing;
  announcing_ = true;
  const std::uint64_t generation = attempt_generation_;
  lock.unlock();
  // Before its loss can be told.
  context_.handler->OnConnected(peer_, generation);
  lock.lock();
  announcing_ = false;
  if (LossIsOver()) {
    FinishLoss(std::move(lock));
    return;
  }
  if (state_ == State::kLosing) return;
  connected_at_ = Clock::now();
  proven_ = true;
  proof_ = answer.message;
  controls_wanted_ = true;
  state_ = State::kConnected;
  if (!writing_) WriteNext(std::move(lock));
}

}  // namespace nng
}  // namespace cluster
