#include "cluster/transport/stream/channel.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "absl/memory/memory.h"
#include "cluster/transport/stream/preamble.h"

namespace cluster::internal {
namespace stream {
namespace {

// Bytes to encrypt for one write: a few frames of 64 KiB. A write ends with a
// whole record, so it may be one record larger.
constexpr std::size_t kSealBytes = 256u << 10;
constexpr std::size_t kRecordBytes = TlsSession::kRecordBytesMax;
static_assert(kSealBytes + kRecordBytes + kSealBytes / 128 <=
                  TlsSession::kOutBytes,
              "what is sealed for one write, and its records, have room");

// The next bytes to encrypt, about `bytes_max`. Small records are costly, so it
// takes whole ones where it can. A segment's rest goes into `record`, together
// with the segments behind it.
absl::string_view NextPlaintext(const WriteBatch& batch, std::size_t bytes_max,
                                char* record) {
  const absl::string_view first = batch.segments().front();
  if (first.size() >= kRecordBytes) {
    const std::size_t records =
        std::min(first.size() / kRecordBytes, bytes_max / kRecordBytes + 1);
    return first.substr(0, records * kRecordBytes);
  }
  std::size_t bytes = 0;
  for (absl::string_view segment : batch.segments()) {
    segment = segment.substr(0, kRecordBytes - bytes);
    std::memcpy(record + bytes, segment.data(), segment.size());
    bytes += segment.size();
  }
  return absl::string_view(record, bytes);
}

}  // namespace

void Channel::Open(TlsSession::Role role, absl::optional<int> wanted) {
  EndAt(Clock::now() + context_->handshake_timeout);
  {
    MutexLock lock(&mutex_);
    if (is_secured()) {
      tls_ =
          absl::make_unique<TlsSession>(context_->admission->material(), role,
                                        context_->config.buffers, wanted);
    }
    is_open_ = true;
    Pump(/*at_once=*/true);
  }
  StartRead();
}

void Channel::EndAt(Clock::time_point deadline) {
  MutexLock lock(&mutex_);
  deadline_ = deadline;
  if (!timing_ && deadline != Clock::time_point::max()) SleepToDeadline();
}

void Channel::SleepToDeadline() {
  timing_ = true;
  const Clock::duration time = deadline_ - Clock::now();
  Begin(timer_.get(), [&] { timer_->Sleep(time); });
}

void Channel::OnDeadline(int error, std::size_t /*bytes*/) {
  MutexLock lock(&mutex_);
  timing_ = false;
  if (error != 0 || deadline_ == Clock::time_point::max()) return;
  if (Clock::now() < deadline_) return SleepToDeadline();
  timed_out_ = !closed();
  lock.Unlock();
  Close();
}

int Channel::ReasonOf(int error) {
  if (!closed()) return error;
  MutexLock lock(&mutex_);
  return timed_out_ ? ETIMEDOUT : send_error_ != 0 ? send_error_ : ECANCELED;
}

void Channel::StartRead() {
  if (closed()) return OnEnd(ReasonOf(0));
  absl::Span<char> room;
  if (tls_ != nullptr || draining_) {
    if (sealed_ == nullptr)
      sealed_ = context_->config.buffers->Lend(sealed_bytes_);
    room = absl::MakeSpan(sealed_.get(), sealed_bytes_);
  } else {
    room = Room();
  }
  // From here on, the callback may run on another thread.
  Begin(receive_.get(), [&] { stream_->Receive(receive_.get(), room); });
}

void Channel::OnReceived(int error, std::size_t bytes) {
  if (error != 0) return OnEnd(ReasonOf(error));
  bool done = false;
  if (TakeRead(bytes, &done)) StartRead();
  if (done) OnReadDone();
}

bool Channel::TakeRead(std::size_t bytes, bool* done) {
  if (draining_) return true;
  if (tls_ == nullptr) {
    *done = OnBytes(bytes);
    return true;
  }
  const absl::string_view waited = std::exchange(unread_, {});
  return TakeSealed(
      waited.empty() ? absl::string_view(sealed_.get(), bytes) : waited, done);
}

bool Channel::TakeSealed(absl::string_view in, bool* done) {
  const std::size_t bytes = in.size();
  // Only a handshake is costly, so only a peer that begins one waits its turn.
  if (!shaken_ && in[0] == kTlsFirstByte && !MayShakeHands()) {
    AwaitTurn(in);
    return false;
  }
  shaken_ = true;
  while (!draining_ && !closed()) {
    const absl::Span<char> room = opened_ ? Room() : absl::Span<char>();
    MutexLock lock(&mutex_);
    // Once set, its failure and identity never change: they are read unlocked.
    TlsSession& tls = *tls_;
    const std::size_t got = tls.Read(&in, room);
    const TlsSession::State state = tls.state();
    const bool peer_knows = tls.is_refused() || tls.out().bytes.empty();
    Pump(/*at_once=*/true);
    lock.Unlock();
    if (got > 0 && OnBytes(got)) *done = true;
    if (state == TlsSession::State::kFailed) {
      draining_ = true;
      OnTlsFailed(tls.failure(), peer_knows);
    } else if (state == TlsSession::State::kEnded) {
      OnEnd(ReasonOf(ESHUTDOWN));
      return false;
    } else if (state == TlsSession::State::kOpen && !opened_) {
      opened_ = true;
      OnSecured(*tls.identity(), tls.certificate());
    } else if (got == 0 || (in.empty() && got < room.size())) {
      break;
    }
  }
  AdaptSealedRoom(bytes);
  return true;
}

void Channel::AdaptSealedRoom(std::size_t bytes) {
  std::size_t wanted = sealed_bytes_;
  if (bytes == sealed_bytes_) {
    wanted = std::min(2 * sealed_bytes_, kSealedBytesMax);
  } else if (bytes < sealed_bytes_ / 8) {
    wanted = std::max(sealed_bytes_ / 2, kSealedBytesMin);
  }
  if (wanted == sealed_bytes_) return;
  sealed_ = nullptr;
  sealed_bytes_ = wanted;
}

// Takes the same bytes again after a while.
void Channel::AwaitTurn(absl::string_view unread) {
  unread_ = unread;
  Begin(receive_.get(),
        [this] { receive_->Sleep(HandshakeBudget::kHandshakeTime); });
}

void Channel::Say(absl::string_view bytes) {
  MutexLock lock(&mutex_);
  if (tls_ == nullptr) {
    said_.append(bytes.data(), bytes.size());
  } else if (tls_->state() == TlsSession::State::kOpen) {
    tls_->Write(bytes);
  }
  Pump(/*at_once=*/true);
}

bool Channel::WriteOut(WriteBatch* batch, bool at_once) {
  MutexLock lock(&mutex_);
  batch_ = batch;
  return Pump(at_once);
}

void Channel::ReportWritten(WriteBatch* batch) {
  MutexLock lock(&mutex_);
  batch_ = batch;
  sending_ = true;
  Begin(send_.get(), [this] { send_->Sleep(Clock::duration::zero()); });
}

bool Channel::Pump(bool at_once) {
  while (is_open_ && !sending_ && send_error_ == 0) {
    absl::string_view segments[WriteBatch::kSegmentsMax];
    const ByteStream::Segments all(segments, Gather(segments));
    if (all.empty()) {
      if (batch_ == nullptr) return false;
      // The batch can no longer be written.
      if (send_error_ == 0) send_error_ = EPROTO;
      Close();
      return false;
    }
    absl::optional<ByteStream::Sent> sent;
    if (at_once) sent = stream_->TrySend(all);
    if (!sent) {
      sending_ = true;
      // It calls back on other threads, so the lock may be held.
      Begin(send_.get(), [&] { stream_->Send(send_.get(), all); });
    } else {
      // A stream that took a part only takes nothing more at once.
      std::size_t offered = 0;
      for (const absl::string_view bytes : all) offered += bytes.size();
      at_once = sent->bytes == offered;
      if (TakeSent(sent->error, sent->bytes)) return true;
    }
  }
  return false;
}

std::size_t Channel::Gather(absl::string_view* segments) {
  if (tls_ != nullptr) {
    SealBatch();
    sent_slice_ = tls_->out();
  } else if (!said_.empty()) {
    sent_slice_ = MakeSlice(std::exchange(said_, std::string()));
  } else if (batch_ != nullptr) {
    const ByteStream::Segments all = batch_->segments();
    std::copy(all.begin(), all.end(), segments);
    return all.size();
  }
  segments[0] = sent_slice_.bytes;
  return sent_slice_.bytes.empty() ? 0 : 1;
}

void Channel::SealBatch() {
  if (batch_ == nullptr) return;
  char record[kRecordBytes];
  while (!batch_->done() && tls_->out().bytes.size() < kSealBytes &&
         tls_->state() == TlsSession::State::kOpen) {
    const absl::string_view part =
        NextPlaintext(*batch_, kSealBytes - tls_->out().bytes.size(), record);
    try {
      tls_->Write(part);
    } catch (const std::bad_alloc&) {
      // The sealed part goes out first; without one the connection ends.
      if (tls_->out().bytes.empty()) send_error_ = ENOMEM;
      return;
    }
    batch_->Advance(part.size());
  }
}

void Channel::NoteSent(std::size_t bytes) {
  if (tls_ != nullptr) {
    tls_->Sent(bytes);
  } else if (sent_slice_.owner != nullptr) {
    said_.insert(0, std::string(sent_slice_.bytes.substr(bytes)));
  } else {
    batch_->Advance(bytes);
  }
}

// A write is one system call, so after an error nothing of it was written.
bool Channel::TakeSent(int error, std::size_t bytes) {
  if (error != 0) {
    send_error_ = error;
    Close();
    return false;
  }
  NoteSent(bytes);
  sent_slice_ = Slice();
  if (batch_ == nullptr || !batch_->done()) return false;
  if (tls_ != nullptr && !tls_->out().bytes.empty()) return false;
  batch_ = nullptr;
  return true;
}

void Channel::OnSent(int error, std::size_t bytes) {
  MutexLock lock(&mutex_);
  sending_ = false;
  const bool is_written = TakeSent(error, bytes);
  if (!is_written) Pump(/*at_once=*/false);
  lock.Unlock();
  if (is_written) OnWritten();
}

void Channel::EndOperations() {
  stream_->Close();
  receive_->Abort();
  send_->Abort();
  timer_->Abort();
}

}  // namespace stream
}  // namespace cluster::internal
