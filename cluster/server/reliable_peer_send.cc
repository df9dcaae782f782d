// The sending half of ReliablePeer.
//
// While the link is busy, envelopes of the normal lane are staged: under a lock
// that nothing but their encoding is done under. All that may end that (a
// frame, a connection, a tick, room that others take) happens under the peer's
// lock, and before that is given back either staging is closed or the link
// would only let them wait, or OnDrained is still to come.

#include <new>
#include <utility>

#include "absl/base/optimization.h"
#include "cluster/base/clock.h"
#include "cluster/server/reliable_peer.h"
#include "cluster/session/large_record.h"

namespace cluster {

SendOutcome ReliablePeer::Send(int id, const EnvelopeView& envelope) {
  const Staging::Result staged = staging_.Append(id, envelope);
  return ABSL_PREDICT_TRUE(staged == Staging::Result::kTaken)
             ? SendOutcome::kAccepted
             : SendUnstaged(id, envelope, staged);
}

// What Staging did not simply take.
SendOutcome ReliablePeer::SendUnstaged(int id, const EnvelopeView& envelope,
                                       Staging::Result staged) {
  if (staged == Staging::Result::kNoRoom) {
    HandOver();
    staged = staging_.Append(id, envelope);
  }
  if (staged == Staging::Result::kTaken) return SendOutcome::kAccepted;
  if (staged == Staging::Result::kFilled) {
    // Without memory it stays: the next envelope finds no room and tries again.
    try {
      HandOver();
    } catch (const std::bad_alloc&) {
    }
    return SendOutcome::kAccepted;
  }
  if (envelope.payload.size() > LoneBytes(config_.frame_bytes)) {
    return SendEncoded(id, envelope,
                       [&] { return EncodeLarge(config_, envelope); });
  }
  const std::unique_lock<std::mutex> lock = Touch();
  if (!Takes(id)) return SendOutcome::kRemoved;
  MakeWay(envelope.lane, config_.codec->RecordBytesMax(envelope));
  return Settle(link_->Append(envelope), envelope.lane);
}

// Encodes without the lock: acknowledgements and urgent envelopes do not wait
// for it.
template <typename Encode>
SendOutcome ReliablePeer::SendEncoded(int id, const EnvelopeView& envelope,
                                      Encode encode) {
  std::unique_lock<std::mutex> lock = Touch();
  if (!Takes(id)) return SendOutcome::kRemoved;
  const AppendResult may = link_->MayAppend(envelope);
  if (may != AppendResult::kAccepted) return Settle(may, envelope.lane);
  lock.unlock();
  Batch batch = encode();
  lock.lock();
  if (!Takes(id)) return SendOutcome::kRemoved;
  MakeWay(envelope.lane, batch.body_bytes);
  return Settle(link_->AppendEncoded(std::move(batch)), envelope.lane);
}

SendOutcome ReliablePeer::SendLarge(int id, const EnvelopeView& envelope,
                                    absl::optional<Batch>* encoded) {
  return SendEncoded(id, envelope, [&] {
    if (!*encoded) *encoded = EncodeLarge(config_, envelope, /*shared=*/true);
    return **encoded;
  });
}

bool ReliablePeer::Gathers(Lane lane, std::size_t bytes) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return link_ == nullptr || left_ ||
         link_->Gathers(lane, bytes + (staging_.open() ? batch_bytes_ : 0));
}

void ReliablePeer::SendShared(const Batch& batch, const EncodeState& encode) {
  const std::unique_lock<std::mutex> lock = Touch();
  if (link_ == nullptr || left_) return;
  MakeWay(batch.lane, batch.body_bytes);
  link_->AppendShared(batch, encode);
  Appended(batch.lane);
}

SendOutcome ReliablePeer::Settle(AppendResult result, Lane lane) {
  TellDrops();  // even where they did not make enough room
  switch (result) {
    case AppendResult::kAccepted:
      Appended(lane);
      return SendOutcome::kAccepted;
    case AppendResult::kFull:
      return SendOutcome::kFull;
    case AppendResult::kNoMemory:
      return SendOutcome::kNoMemory;
    case AppendResult::kTooLarge:
      return SendOutcome::kTooLarge;
  }
  return SendOutcome::kFull;
}

void ReliablePeer::Appended(Lane lane) {
  OrAtNextTick([&] {
    if (link_->MayTransmit(lane) || SettleStaging()) Pump();
  });
}

// Before `bytes` more go to the queue: what is staged came before them if it is
// of the same lane, and in any case there is to be room for a batch of it.
void ReliablePeer::MakeWay(Lane lane, std::size_t bytes) {
  if (!staging_.open()) return;
  if (!link_->Gathers(kGatheringLane, batch_bytes_ + bytes)) {
    CloseStaging();
  } else if (lane == kGatheringLane) {
    TakeStaged();
  }
}

// What is staged fills a frame.
void ReliablePeer::HandOver() {
  const std::unique_lock<std::mutex> lock = Touch();
  if (link_ == nullptr) return;
  TakeStaged();
  Pump();
}

void ReliablePeer::TakeStaged() {
  if (!staging_.waiting()) return;
  link_->ReserveStaged(kGatheringLane);
  if (staging_.Take(&staged_)) link_->AppendStaged(&staged_);
}

bool ReliablePeer::CloseStaging() {
  if (!staging_.open()) return false;
  link_->ReserveStaged(kGatheringLane);
  const bool waited = staging_.Close(&staged_);
  if (waited) link_->AppendStaged(&staged_);
  staged_.Clear();  // an idle peer needs no buffer
  return waited;
}

// Nothing is staged or accepted any more once the lock is given back.
std::uint64_t ReliablePeer::AbandonAll(DropReason reason) {
  if (staging_.Close(&staged_)) link_->AbandonStaged(reason, &staged_);
  return link_->Abandon(reason);
}

// Opens or closes it. True: something was staged, and now may leave.
bool ReliablePeer::SettleStaging() {
  if (left_ || !link_->Gathers(kGatheringLane, batch_bytes_))
    return CloseStaging();
  staging_.Open();
  return false;
}

bool ReliablePeer::StagingDue() const {
  return staging_.open() && !link_->Gathers(kGatheringLane, 0);
}

bool ReliablePeer::MayPump() const {
  return link_->MayTransmit() || StagingDue();
}

// Transmits what may be. Who sends meanwhile goes on staging, and what they
// staged is looked after last.
void ReliablePeer::Pump() {
  OrAtNextTick([this] {
    if (StagingDue()) TakeStaged();
    do {
      Transmit();
    } while (SettleStaging());
  });
}

void ReliablePeer::Transmit() {
  if (!link_->MayTransmit()) return;
  const absl::Time now = MonotonicNow();
  Frame frame;
  do {
    if (!link_->NextFrame(now, &frame)) break;
    if (!GiveToTransport(frame)) break;
  } while (link_->MayTransmit());
  TellDrops();  // of what is too large for the peer
}

void ReliablePeer::TellDrops() {
  if (waiters_ == 0) return;
  const std::uint64_t dropped = link_->dropped();
  if (std::exchange(drops_told_, dropped) != dropped) changed_.notify_all();
}

// False: it did not take it, and says when it may.
bool ReliablePeer::GiveToTransport(const Frame& frame) {
  try {
    if (transport_->Send(config_.peer_id, frame) == SendResult::kSent)
      return true;
  } catch (const std::bad_alloc&) {
    link_->FrameNotTaken();
    link_->OnWritable();  // the transport does not say so
    throw;
  }
  link_->FrameNotTaken();
  return false;
}

template <typename Predicate>
bool ReliablePeer::WaitUntil(std::chrono::steady_clock::time_point deadline,
                             Predicate predicate) {
  std::unique_lock<std::mutex> lock(mutex_);
  ++waiters_;
  const bool done = changed_.wait_until(lock, deadline, predicate);
  --waiters_;
  return done;
}

bool ReliablePeer::WaitForRoom(int id, const EnvelopeView& envelope,
                               std::chrono::steady_clock::time_point deadline) {
  const auto done = [&] { return !Takes(id) || link_->HasRoom(envelope); };
  bool lacks_memory = false;
  const bool came = WaitUntil(deadline, [&] {
    if (done()) return true;
    lacks_memory = link_->HasRoomInQueue(envelope);
    return lacks_memory;
  });
  if (!came || !lacks_memory) return came;
  // Whoever gives memory back makes room, and this peer's own changes too.
  MemoryBudget* const memory = config_.memory.get();
  std::uint64_t ticket = memory->BeginWait();
  bool in_time = true;
  bool room = false;
  while (!room && in_time) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      room = done();
    }
    if (!room) in_time = memory->WaitForChange(&ticket, deadline);
  }
  memory->EndWait();
  return room;
}

FlushMark ReliablePeer::BeginFlush(int id) {
  const std::unique_lock<std::mutex> lock = Touch();
  if (!Serves(id)) return {};
  TakeStaged();
  const FlushMark mark = {links_, link_->Mark()};
  if (!link_->Settled(mark.mark)) {
    link_->RequestConsumed();
    Pump();
  }
  return mark;
}

bool ReliablePeer::WaitFlushed(const FlushMark& mark,
                               std::chrono::steady_clock::time_point deadline) {
  return WaitUntil(deadline, [&] {
    return link_ == nullptr || links_ != mark.link || link_->Settled(mark.mark);
  });
}

bool ReliablePeer::WaitReceived(
    std::chrono::steady_clock::time_point deadline) {
  return WaitUntil(deadline, [this] {
    // One that was there and went will hardly come back in time; one that was
    // not there yet may be about to.
    return link_ == nullptr || (link_->AllReceived() && !staging_.waiting()) ||
           (!link_->up() && link_->session() != 0);
  });
}

}  // namespace cluster
