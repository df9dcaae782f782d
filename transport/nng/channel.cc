#include "cluster/transport/nng/channel.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include "absl/memory/memory.h"
#include "cluster/transport/stream/preamble.h"

namespace cluster::internal {
namespace nng {
namespace {

// Bytes to encrypt for one write: a few frames of 64 KiB. A write ends with a
// whole record, so it may be one record larger.
constexpr std::size_t kSealBytes = 256u << 10;
constexpr std::size_t kRecordBytes = stream::TlsSession::kRecordBytesMax;
static_assert(kSealBytes + kRecordBytes + kSealBytes / 128 <=
                  stream::TlsSession::kOutBytes,
              "what is sealed for one write, and its records, have room");

// The next bytes to encrypt, about `bytes_max`. Small records are costly, so it
// takes whole ones where it can. A segment's rest goes into `record`, together
// with the segments behind it.
absl::string_view NextPlaintext(const stream::WriteBatch& batch,
                                std::size_t bytes_max, char* record) {
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

nng_iov Segment(absl::string_view bytes) {
  return nng_iov{const_cast<char*>(bytes.data()), bytes.size()};
}

}  // namespace

nng_duration ToTimeout(Clock::duration time) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(time).count();
  return static_cast<nng_duration>(
      std::min<std::int64_t>(std::max<std::int64_t>(ms, 0), INT32_MAX));
}

void Channel::Open(nng_stream* stream, stream::TlsSession::Role role,
                   absl::optional<int> wanted) {
  deadline_ = Clock::now() + context_->handshake_timeout;
  {
    MutexLock lock(&mutex_);
    if (is_secured()) {
      tls_ = absl::make_unique<stream::TlsSession>(
          context_->admission->material(), role, context_->config.buffers,
          wanted);
    }
    // From here on either Close sees stream_, or Begin sees that it is closed.
    stream_.store(stream);
    Pump();
  }
  StartRead();
}

void Channel::StartRead() {
  if (!MayReceive()) return;
  nng_iov segment;
  if (tls_ != nullptr || draining_) {
    if (sealed_ == nullptr)
      sealed_ = context_->config.buffers->Lend(sealed_bytes_);
    segment = nng_iov{sealed_.get(), sealed_bytes_};
  } else {
    const absl::Span<char> room = Room();
    segment = nng_iov{room.data(), room.size()};
  }
  nng_aio_set_iov(receive_aio_.get(), 1, &segment);
  // From here on, the callback may run on another thread.
  Begin(&receive_aio_,
        [this] { nng_stream_recv(stream_, receive_aio_.get()); });
}

bool Channel::MayReceive() {
  nng_duration timeout = NNG_DURATION_INFINITE;
  if (deadline_ != Clock::time_point::max())
    timeout = ToTimeout(deadline_ - Clock::now());
  nng_aio_set_timeout(receive_aio_.get(), timeout);
  if (!closed() && timeout != 0) return true;
  End(closed() ? NNG_ECLOSED : NNG_ETIMEDOUT);
  return false;
}

void Channel::OnReceived() {
  bool done = false;
  if (TakeRead(&done)) StartRead();
  if (done) OnReadDone();
}

void Channel::End(int error) {
  if (error == NNG_ECLOSED) {
    MutexLock lock(&mutex_);
    if (send_error_ != 0) error = send_error_;
  }
  OnEnd(error);
}

bool Channel::TakeRead(bool* done) {
  const int error = nng_aio_result(receive_aio_.get());
  if (error != 0) {
    End(error);
    return false;
  }
  if (draining_) return true;
  const std::size_t bytes = nng_aio_count(receive_aio_.get());
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
  if (!shaken_ && in[0] == stream::kTlsFirstByte && !MayShakeHands()) {
    AwaitTurn(in);
    return false;
  }
  shaken_ = true;
  while (!draining_ && !closed()) {
    const absl::Span<char> room = opened_ ? Room() : absl::Span<char>();
    MutexLock lock(&mutex_);
    // Once set, its failure and identity never change: they are read unlocked.
    stream::TlsSession& tls = *tls_;
    const std::size_t got = tls.Read(&in, room);
    const stream::TlsSession::State state = tls.state();
    const bool peer_knows = tls.is_refused() || tls.out().bytes.empty();
    Pump();
    lock.Unlock();
    if (got > 0 && OnBytes(got)) *done = true;
    if (state == stream::TlsSession::State::kFailed) {
      draining_ = true;
      OnTlsFailed(tls.failure(), peer_knows);
    } else if (state == stream::TlsSession::State::kEnded) {
      End(NNG_ECONNSHUT);
      return false;
    } else if (state == stream::TlsSession::State::kOpen && !opened_) {
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

// After a sleep, nng reports a time-out of this aio as a read of no bytes.
// StartRead then finds that the deadline has passed.
void Channel::AwaitTurn(absl::string_view unread) {
  unread_ = unread;
  if (!MayReceive()) return;
  Begin(&receive_aio_, [this] {
    nng_sleep_aio(ToTimeout(stream::HandshakeBudget::kHandshakeTime),
                  receive_aio_.get());
  });
}

void Channel::Say(absl::string_view bytes) {
  MutexLock lock(&mutex_);
  if (tls_ == nullptr) {
    said_.append(bytes.data(), bytes.size());
  } else if (tls_->state() == stream::TlsSession::State::kOpen) {
    tls_->Write(bytes);
  }
  Pump();
}

void Channel::WriteOut(stream::WriteBatch* batch) {
  MutexLock lock(&mutex_);
  batch_ = batch;
  Pump();
}

void Channel::Pump() {
  if (stream_ == nullptr || sending_ || send_error_ != 0) return;
  nng_iov segments[stream::WriteBatch::kSegmentsMax];
  const unsigned count = Gather(segments);
  if (count > 0) {
    sending_ = true;
    nng_aio_set_iov(send_aio_.get(), count, segments);
    // nng calls back on threads of its own, so the lock may be held.
    Begin(&send_aio_, [this] { nng_stream_send(stream_, send_aio_.get()); });
  } else if (batch_ != nullptr) {
    // The batch can no longer be written.
    if (send_error_ == 0) send_error_ = NNG_ECRYPTO;
    Close();
  }
}

unsigned Channel::Gather(nng_iov* segments) {
  if (tls_ != nullptr) {
    SealBatch();
    sent_slice_ = tls_->out();
  } else if (!said_.empty()) {
    sent_slice_ = MakeSlice(std::exchange(said_, std::string()));
  } else if (batch_ != nullptr) {
    unsigned count = 0;
    for (const absl::string_view bytes : batch_->segments()) {
      segments[count++] = Segment(bytes);
    }
    return count;
  }
  segments[0] = Segment(sent_slice_.bytes);
  return sent_slice_.bytes.empty() ? 0 : 1;
}

void Channel::SealBatch() {
  if (batch_ == nullptr) return;
  char record[kRecordBytes];
  while (!batch_->done() && tls_->out().bytes.size() < kSealBytes &&
         tls_->state() == stream::TlsSession::State::kOpen) {
    const absl::string_view part =
        NextPlaintext(*batch_, kSealBytes - tls_->out().bytes.size(), record);
    try {
      tls_->Write(part);
    } catch (const std::bad_alloc&) {
      // The sealed part goes out first; without one the connection ends.
      if (tls_->out().bytes.empty()) send_error_ = NNG_ENOMEM;
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

void Channel::OnSent() {
  MutexLock lock(&mutex_);
  sending_ = false;
  // nng makes one system call for each operation, so after an error nothing of
  // this one was written.
  send_error_ = nng_aio_result(send_aio_.get());
  if (send_error_ != 0) {
    lock.Unlock();
    return Close();
  }
  NoteSent(nng_aio_count(send_aio_.get()));
  sent_slice_ = Slice();
  const bool is_written = batch_ != nullptr && batch_->done() &&
                          (tls_ == nullptr || tls_->out().bytes.empty());
  if (is_written) {
    batch_ = nullptr;
  } else {
    Pump();
  }
  lock.Unlock();
  if (is_written) OnWritten();
}

void Channel::CloseHandles() {
  if (stream_ != nullptr) nng_stream_close(stream_);
  nng_aio_abort(receive_aio_.get(), NNG_ECLOSED);
  nng_aio_abort(send_aio_.get(), NNG_ECLOSED);
}

}  // namespace nng
}  // namespace cluster::internal
