#include "cluster/server/inbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/codec/registry.h"

namespace cluster::internal {
namespace {

// The cost of an envelope beyond its payload.
constexpr std::size_t kEnvelopeChargeBytes = 128;

// The memory that unescaped payloads may keep until the next one.
constexpr std::size_t kScratchBytesKept = 256u << 10;

}  // namespace

Inbox::Inbox(int self_id, std::size_t payload_bytes_max, std::size_t bytes_max)
    : self_id_(self_id),
      payload_bytes_max_(payload_bytes_max),
      bytes_max_(bytes_max) {}

Inbox::~Inbox() {
  if (notify_fd_ >= 0) close(notify_fd_);
}

bool Inbox::EventIsNext() const {
  const std::uint64_t next = pushed_ - items_.size();
  return (reporting_ && *reporting_ <= next) ||
         (!events_.empty() && events_.first_place() <= next);
}

bool Inbox::Readable() const {
  if (fates_by_reader_ && !fates_.empty()) return true;
  return EventIsNext() ? event_taker_ == EventTaker::kReader : !items_.empty();
}

// Whether somebody waits who may read now. While another one reads, the end of
// that wakes them.
bool Inbox::ReaderIsDue() const {
  return readers_waiting_ > 0 &&
         role_.load(std::memory_order_relaxed) <= Role::kBegun && Readable();
}

void Inbox::PushItem(Item item) {
  const bool own = item.own;
  const std::size_t bytes = item.bytes;
  items_.PushBack(std::move(item));
  ++pushed_;
  if (own) {
    ++own_.accepted;
    ++own_.queued;
    own_.queued_bytes += bytes;
  }
  if (ReaderIsDue()) wake_due_.store(true, std::memory_order_relaxed);
  Notify();
}

void Inbox::Push(ArrivalSource* source, Arrival arrival) {
  Item item;
  item.source = source;
  item.bytes = arrival.body.bytes.size();
  item.arrival = std::move(arrival);
  // After Close too: it counts as received and not delivered, like the arrivals
  // before it, and is not acknowledged as consumed.
  const std::size_t bytes = item.bytes;
  MutexLock lock(&mutex_);
  PushItem(std::move(item));
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

// Where no other envelope is, one of any size is taken.
bool Inbox::HasRoom(std::size_t payload_bytes) const {
  return envelope_bytes_ == 0 ||
         envelope_bytes_ + payload_bytes + kEnvelopeChargeBytes <= bytes_max_;
}

bool Inbox::PushEnvelope(const EnvelopeView& envelope, bool fate,
                         std::string* moved) {
  const std::size_t bytes = envelope.payload.size() + kEnvelopeChargeBytes;
  {
    MutexLock lock(&mutex_);
    if (closed_ || !HasRoom(envelope.payload.size())) return false;
    // Taken while the payload is copied without the lock.
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
    envelope_bytes_ += bytes;
  }
  try {
    EnvelopeView copied = envelope;
    if (moved != nullptr) copied.payload = absl::string_view();
    Item item;
    item.envelope = copied.ToEnvelope();
    item.own = envelope.sender_id == self_id_;
    item.fate = fate;
    item.bytes = bytes;
    MutexLock lock(&mutex_);
    if (closed_) {
      GiveRoom(bytes);
      return false;
    }
    items_.Reserve(1);
    if (moved != nullptr) item.envelope->payload = std::move(*moved);
    PushItem(std::move(item));
  } catch (const std::bad_alloc&) {
    MutexLock lock(&mutex_);
    GiveRoom(bytes);
    throw;
  }
  WakeReader();
  return true;
}

void Inbox::SetBytesMax(std::size_t bytes_max) {
  MutexLock lock(&mutex_);
  bytes_max_ = bytes_max;
  room_.NotifyAll();
}

void Inbox::GiveRoom(std::size_t bytes) {
  bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  envelope_bytes_ -= bytes;
  if (senders_waiting_ > 0) room_.NotifyAll();
}

bool Inbox::WaitForRoom(std::size_t payload_bytes,
                        std::chrono::steady_clock::time_point deadline) {
  MutexLock lock(&mutex_);
  ++senders_waiting_;
  while (!closed_ && !HasRoom(payload_bytes)) {
    if (!room_.WaitUntil(&mutex_, deadline)) break;
  }
  --senders_waiting_;
  return !closed_ && HasRoom(payload_bytes);
}

void Inbox::PushEvent(PeerEvent event) {
  if (log_ != nullptr) log_->Add(event);
  if (event_taker_ == EventTaker::kNobody) return;
  MutexLock lock(&mutex_);
  if (closed_) return;
  events_.Push(std::move(event), pushed_);
  event_waits_ = true;
  // Also where it took the place of an earlier one, and with that frees items.
  if (ReaderIsDue()) wake_due_.store(true, std::memory_order_relaxed);
  Notify();
  WriteNotification();  // rare, so it need not wait for WakeReader
}

bool Inbox::TryContinueReading() {
  Role role = Role::kBegun;
  if (!role_.compare_exchange_strong(role, Role::kReading,
                                     std::memory_order_acquire,
                                     std::memory_order_relaxed)) {
    return false;
  }
  if (!closed_.load(std::memory_order_relaxed)) return true;
  LeaveRole(Role::kBegun);
  return false;
}

// A thread that does not get the role asks for a wake-up at its end. So one that
// stops to wait has asked for those that still wait.
bool Inbox::TakeRole() {
  if (closed_) return false;
  Role role = role_.load(std::memory_order_acquire);
  while (true) {
    switch (role) {
      case Role::kFree:
        if (!Readable()) return false;
        [[fallthrough]];
      case Role::kBegun:
        if (role_.compare_exchange_weak(
                role, readers_waiting_ > 0 ? Role::kWanted : Role::kReading,
                std::memory_order_acquire)) {
          return true;
        }
        break;
      case Role::kReading:
        if (role_.compare_exchange_weak(role, Role::kWanted,
                                        std::memory_order_acquire)) {
          return false;
        }
        break;
      case Role::kWanted:
        return false;
    }
  }
}

void Inbox::LeaveRole(Role left) {
  if (role_.exchange(left, std::memory_order_acq_rel) != Role::kWanted) return;
  // The waiter holds mutex_ until it blocks; taking it here ensures that the
  // notification is not lost.
  { MutexLock lock(&mutex_); }
  readable_.NotifyOne();
}

bool Inbox::BeginReading(std::chrono::steady_clock::time_point deadline) {
  MutexLock lock(&mutex_);
  if (TakeRole()) return true;
  ++readers_waiting_;
  bool taken = false;
  bool in_time = true;
  while (!(taken = TakeRole()) && !closed_ && in_time)
    in_time = readable_.WaitUntil(&mutex_, deadline);
  --readers_waiting_;
  return taken;
}

bool Inbox::TryBeginReading() {
  if (TryContinueReading()) return true;
  MutexLock lock(&mutex_);
  return TakeRole();
}

const EnvelopeView* Inbox::Next() {
  while (!NextOfCurrent()) {
    if (has_current_) Settle();
    if (!NextItem()) return nullptr;
  }
  delivered_.store(delivered_.load(std::memory_order_relaxed) + 1,
                   std::memory_order_relaxed);
  return &decode_.envelope;
}

// NextWithoutRecord finds it.
void Inbox::PutBack() {
  delivered_.store(delivered_.load(std::memory_order_relaxed) - 1,
                   std::memory_order_relaxed);
  --taken_;
  put_back_ = true;
  behind_ = std::exchange(rest_, absl::string_view());
}

bool Inbox::NextItem() {
  MutexLock lock(&mutex_);
  if (closed_ || items_.empty() || EventIsNext()) return false;
  current_ = std::move(items_.front());
  items_.DropFront();
  has_current_ = true;
  // Read from here on: a thread that takes it may look at bytes() at once.
  if (current_.envelope) {
    if (current_.own) {
      --own_.queued;
      own_.queued_bytes -= current_.bytes;
    }
    GiveRoom(std::exchange(current_.bytes, 0));
  }
  taken_ = 0;
  rest_ = current_.arrival.body.bytes;
  decode_.first = true;
  sender_ = current_.arrival.sender;
  codec_ = current_.envelope ? nullptr : FindCodec(current_.arrival.codec);
  return true;
}

// Every envelope that arrives is through here, and all that is rare elsewhere.
bool Inbox::NextOfCurrent() {
  if (ABSL_PREDICT_FALSE(rest_.empty() || codec_ == nullptr))
    return NextWithoutRecord();
  const absl::Status status = codec_->NextRecord(&rest_, &decode_);
  const EnvelopeView& envelope = decode_.envelope;
  if (ABSL_PREDICT_TRUE(
          status.ok() && envelope.sender_id == sender_ &&
          (envelope.pid == self_id_ || envelope.pid == kBroadcast) &&
          envelope.payload.size() <= payload_bytes_max_)) {
    ++taken_;
    return true;
  }
  RejectRecord(status);
  return false;
}

// The end of an arrival, a single envelope, one that was put back, or nothing
// at all.
bool Inbox::NextWithoutRecord() {
  if (!has_current_) return false;
  if (put_back_) {
    put_back_ = false;
    rest_ = behind_;
    ++taken_;
    return true;
  }
  if (current_.envelope) {
    if (taken_ > 0) return false;
    ++taken_;
    decode_.envelope = EnvelopeView(*current_.envelope);
    return true;
  }
  const std::uint32_t claimed = current_.arrival.records;
  if (!rest_.empty()) {
    Reject(
        absl::StrCat("a codec with the unknown id ", current_.arrival.codec));
  } else if (taken_ != claimed) {
    Reject(absl::StrCat("a frame with ", taken_, " records claims ", claimed));
  }
  return false;
}

// The record that was read last, or was not.
void Inbox::RejectRecord(const absl::Status& status) {
  const EnvelopeView& envelope = decode_.envelope;
  if (!status.ok()) {
    Reject(status.message());
  } else if (envelope.sender_id != sender_) {
    Reject(
        absl::StrCat("an envelope in the name of server ", envelope.sender_id),
        RefusalReason::kWrongIdentity);
  } else if (envelope.payload.size() > payload_bytes_max_) {
    Reject(absl::StrCat("a payload of ", envelope.payload.size(),
                        " bytes, over payload_bytes_max"));
  } else {
    Reject(absl::StrCat("an envelope for server ", envelope.pid));
  }
}

void Inbox::Reject(absl::string_view text, RefusalReason reason) {
  rest_ = absl::string_view();
  taken_ = current_.arrival.records;
  current_.source->OnBadRecords(current_.arrival, reason, text);
}

// The bytes first: once the peer hears that all was consumed, none are left, and
// what waits for their room may have it.
void Inbox::Settle() {
  bytes_.fetch_sub(current_.bytes, std::memory_order_relaxed);
  if (current_.own) AcknowledgeOwn();
  if (current_.fate) {
    Fate fate;
    fate.message_id = current_.envelope->message_id;
    fate.pid = self_id_;
    fate_sink_->OnFate(fate);
  }
  current_.arrival.body = Slice();  // the frame is the transport's again
  if (current_.source != nullptr) current_.source->OnConsumed(current_.arrival);
  current_.envelope.reset();
  has_current_ = false;
  settled_.store(settled_.load(std::memory_order_relaxed) + 1,
                 std::memory_order_relaxed);
  // A large payload that was unescaped leaves no memory behind.
  if (decode_.scratch.capacity() > kScratchBytesKept)
    std::string().swap(decode_.scratch);
}

// Without the lock, but where somebody waits: either this sees the waiter, or
// the waiter sees the count.
void Inbox::AcknowledgeOwn() {
  own_acknowledged_.fetch_add(1, std::memory_order_seq_cst);
  if (own_waiters_.load(std::memory_order_seq_cst) == 0) return;
  { MutexLock lock(&mutex_); }
  own_settled_.NotifyAll();
}

Inbox::Progress Inbox::progress() const {
  Progress progress;
  progress.taken = settled_.load(std::memory_order_relaxed);
  MutexLock lock(&mutex_);
  progress.pushed = pushed_;
  return progress;
}

PeerStats Inbox::OwnStats() const {
  MutexLock lock(&mutex_);
  PeerStats stats = own_;
  stats.peer = self_id_;
  stats.acknowledged = own_acknowledged_.load(std::memory_order_relaxed);
  stats.in_flight = stats.accepted - stats.acknowledged - stats.queued -
                    stats.Dropped(DropReason::kStopped);
  return stats;
}

bool Inbox::WaitOwn(std::uint64_t accepted,
                    std::chrono::steady_clock::time_point deadline) {
  MutexLock lock(&mutex_);
  own_waiters_.fetch_add(1, std::memory_order_seq_cst);
  const bool settled = own_settled_.WaitUntil(&mutex_, deadline, [&] {
    return closed_ ||
           own_acknowledged_.load(std::memory_order_seq_cst) >= accepted;
  });
  own_waiters_.fetch_sub(1, std::memory_order_relaxed);
  return settled;
}

bool Inbox::ReportEvent(absl::FunctionRef<void(const PeerEvent&)> report) {
  if (!event_waits_) return false;
  MutexLock lock(&mutex_);
  if (closed_ || reporting_ || telling_ || events_.empty()) return false;
  if (event_taker_ == EventTaker::kReader && !EventIsNext()) return false;
  reporting_ = events_.first_place();
  const PeerEvent event = events_.Pop();
  event_waits_ = !events_.empty();
  lock.Unlock();
  report(event);
  lock.Lock();
  reporting_.reset();
  const bool due = ReaderIsDue();
  Notify();
  lock.Unlock();
  WriteNotification();
  if (due) readable_.NotifyOne();
  return true;
}

absl::optional<PeerEvent> Inbox::TakeEvent() {
  MutexLock lock(&mutex_);
  if (closed_ || events_.empty() || !EventIsNext()) return absl::nullopt;
  PeerEvent event = events_.Pop();
  event_waits_ = !events_.empty();
  return event;
}

absl::StatusOr<int> Inbox::NotifyFd() {
  MutexLock lock(&mutex_);
  if (notify_fd_ >= 0) return notify_fd_.load();
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("NotifyFd: no descriptor: ", std::strerror(errno),
                     "; raise the limit of open files (ulimit -n)"));
  }
  notify_fd_ = fd;
  // A reader may be in the middle of an arrival.
  if (role_.load() != Role::kFree || Readable() || closed_) {
    notified_ = true;
    eventfd_write(fd, 1);
  }
  return fd;
}

void Inbox::Notify() {
  if (notify_fd_.load(std::memory_order_relaxed) < 0 || notified_) return;
  if (!Readable() && !closed_) return;
  notified_ = true;
  notify_due_.store(true, std::memory_order_relaxed);
}

void Inbox::WriteNotification() {
  if (notify_due_.exchange(false, std::memory_order_relaxed))
    eventfd_write(notify_fd_, 1);
}

// With the role, and nothing at hand: what is pushed from here on notifies again.
void Inbox::NotifyNoMore() {
  MutexLock lock(&mutex_);
  if (!notified_ || Readable() || closed_) return;
  notified_ = false;
  if (notify_due_.exchange(false, std::memory_order_relaxed)) return;
  // Another thread may be at the write.
  eventfd_t count = 0;
  while (eventfd_read(notify_fd_, &count) != 0 && errno == EAGAIN)
    std::this_thread::yield();
}

bool Inbox::ExpectFate() {
  MutexLock lock(&mutex_);
  if (fates_.size() + fates_expected_.size() >= kFatesMax) return false;
  fates_expected_.emplace_back();
  return true;
}

void Inbox::ExpectFateNoMore() {
  MutexLock lock(&mutex_);
  fates_expected_.pop_back();
}

bool Inbox::PushFate(const Fate& fate) {
  MutexLock lock(&mutex_);
  fates_.splice(fates_.end(), fates_expected_, fates_expected_.begin());
  fates_.back() = fate;
  return !fates_wait_.exchange(true, std::memory_order_relaxed);
}

bool Inbox::ReportFate(absl::FunctionRef<void(const Fate&)> report) {
  if (!fates_wait()) return false;
  MutexLock lock(&mutex_);
  if (closed_ || reporting_ || telling_ || fates_.empty()) return false;
  telling_ = true;
  const Fate fate = fates_.front();
  fates_.pop_front();
  fates_wait_.store(!fates_.empty(), std::memory_order_relaxed);
  lock.Unlock();
  report(fate);
  lock.Lock();
  telling_ = false;
  return true;
}

void Inbox::EndReading() {
  const bool exhausted =
      has_current_ &&
      (current_.envelope ? taken_ > 0
                         : rest_.empty() && taken_ == current_.arrival.records);
  if (exhausted) Settle();
  if (!has_current_ && notify_fd_.load(std::memory_order_relaxed) >= 0)
    NotifyNoMore();
  LeaveRole(has_current_ ? Role::kBegun : Role::kFree);
}

void Inbox::Close() {
  MutexLock lock(&mutex_);
  closed_ = true;
  own_.dropped[static_cast<std::size_t>(DropReason::kStopped)] +=
      std::exchange(own_.queued, 0);
  own_.queued_bytes = 0;
  Notify();
  WriteNotification();
  readable_.NotifyAll();
  room_.NotifyAll();
  own_settled_.NotifyAll();
}

}  // namespace cluster::internal
