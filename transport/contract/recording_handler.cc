#include "cluster/transport/contract/recording_handler.h"

#include <algorithm>
#include <utility>

namespace cluster {
namespace {

constexpr std::chrono::seconds kDeadline{30};

}  // namespace

int Recorded::Count(const std::map<int, int>& calls, int peer) {
  const auto found = calls.find(peer);
  return found == calls.end() ? 0 : found->second;
}

bool Recorded::HasFrame(absl::string_view text) const {
  return std::any_of(
      frames.begin(), frames.end(),
      [&](const ReceivedFrame& frame) { return frame.ToString() == text; });
}

bool Recorded::HasRejection(RefusalReason kind) const {
  return std::any_of(rejections.begin(), rejections.end(),
                     [kind](const Rejection& r) { return r.kind == kind; });
}

bool RecordingHandler::WaitFor(const Condition& condition) const {
  return WaitFor(kDeadline, condition);
}

bool RecordingHandler::WaitFor(std::chrono::milliseconds at_most,
                               const Condition& condition) const {
  internal::MutexLock lock(&mutex_);
  return changed_.WaitFor(&mutex_, at_most,
                          [&] { return condition(recorded_); });
}

bool RecordingHandler::WaitForFrames(std::size_t count) const {
  return WaitFor([&](const Recorded& r) { return r.frame_count >= count; });
}

bool RecordingHandler::WaitForWritable(int peer, int count) const {
  return WaitFor([&](const Recorded& r) {
    return Recorded::Count(r.writable, peer) >= count;
  });
}

bool RecordingHandler::WaitForConnected(int peer, int count) const {
  return WaitFor([&](const Recorded& r) {
    return Recorded::Count(r.connected, peer) >= count;
  });
}

bool RecordingHandler::WaitForDisconnected(int peer, int count) const {
  return WaitFor([&](const Recorded& r) {
    return Recorded::Count(r.disconnected, peer) >= count;
  });
}

bool RecordingHandler::WaitForRejection(RefusalReason kind) const {
  return WaitFor([&](const Recorded& r) { return r.HasRejection(kind); });
}

Recorded RecordingHandler::Get() const {
  internal::MutexLock lock(&mutex_);
  return recorded_;
}

int RecordingHandler::writable(int peer) const {
  internal::MutexLock lock(&mutex_);
  return Recorded::Count(recorded_.writable, peer);
}

std::vector<std::string> RecordingHandler::Texts() const {
  internal::MutexLock lock(&mutex_);
  std::vector<std::string> texts;
  for (const ReceivedFrame& frame : recorded_.frames) {
    texts.push_back(frame.ToString());
  }
  return texts;
}

void RecordingHandler::ClearFrames() {
  std::vector<ReceivedFrame> frames;
  internal::MutexLock lock(&mutex_);
  frames.swap(recorded_.frames);
}

void RecordingHandler::Seal() {
  internal::MutexLock lock(&mutex_);
  sealed_ = true;
  recorded_.late += recorded_.running;
}

FrameVerdict RecordingHandler::OnFrame(ReceivedFrame frame) {
  Begin([](Recorded*) {});
  const FrameVerdict verdict =
      on_frame ? on_frame(frame) : FrameVerdict::kAccepted;
  End([&](Recorded* r) {
    r->frames.push_back(std::move(frame));
    ++r->frame_count;
  });
  return verdict;
}

void RecordingHandler::OnDrained() {
  Begin([](Recorded* r) {
    ++r->drained_count;
    r->drained_frames = r->frame_count;
  });
  if (on_drained) on_drained();
  End([](Recorded*) {});
}

void RecordingHandler::OnWritable(int peer) {
  Begin([&](Recorded* r) { ++r->writable[peer]; });
  if (on_writable) on_writable(peer);
  End([](Recorded*) {});
}

void RecordingHandler::OnConnected(int peer, std::uint64_t generation) {
  Begin([&](Recorded* r) {
    ++r->connected[peer];
    r->connected_generation[peer] = generation;
  });
  if (on_connected) on_connected(peer, generation);
  End([](Recorded*) {});
}

void RecordingHandler::OnDisconnected(int peer, std::uint64_t generation,
                                      absl::string_view reason) {
  Begin([&](Recorded* r) {
    ++r->disconnected[peer];
    r->disconnected_generation[peer] = generation;
    r->reason = std::string(reason);
  });
  if (on_disconnected) on_disconnected(peer, generation);
  End([](Recorded*) {});
}

void RecordingHandler::OnRejected(Rejection rejection) {
  Begin([](Recorded*) {});
  End([&](Recorded* r) { r->rejections.push_back(std::move(rejection)); });
}

void RecordingHandler::Begin(const std::function<void(Recorded*)>& record) {
  internal::MutexLock lock(&mutex_);
  ++recorded_.running;
  if (sealed_) ++recorded_.late;
  record(&recorded_);
  changed_.NotifyAll();
}

// Notifies under the lock: a test may destroy the handler as soon as it sees
// the record.
void RecordingHandler::End(const std::function<void(Recorded*)>& record) {
  internal::MutexLock lock(&mutex_);
  --recorded_.running;
  record(&recorded_);
  changed_.NotifyAll();
}

void Gate::Open() {
  internal::MutexLock lock(&mutex_);
  open_ = true;
  changed_.NotifyAll();
}

void Gate::Wait() {
  internal::MutexLock lock(&mutex_);
  changed_.Wait(&mutex_, [this] { return open_; });
}

bool Gate::is_open() {
  internal::MutexLock lock(&mutex_);
  return open_;
}

}  // namespace cluster
