#include "tests/hostile/wire_tap.h"

#include <chrono>
#include <cstddef>
#include <map>
#include <utility>

#include "cluster/base/mutex.h"
#include "cluster/transport/testing/forwarding_transport.h"

namespace cluster::internal {
namespace {

// Per direction; it does not keep later frames.
constexpr std::size_t kFramesMax = 1000;
constexpr std::chrono::seconds kPatience(30);

}  // namespace

class WireTap::State {
 public:
  void Sent(int from, int to, const Frame& frame) {
    std::string bytes;
    for (const Slice& slice : frame.slices)
      bytes.append(slice.bytes.data(), slice.bytes.size());
    MutexLock lock(&mutex_);
    std::vector<std::string>& kept = sent_[{from, to}];
    if (kept.size() < kFramesMax) kept.push_back(std::move(bytes));
    changed_.NotifyAll();
  }

  void Handled(int server, const std::string& frame) {
    MutexLock lock(&mutex_);
    const auto watched = handled_.find({server, frame});
    if (watched == handled_.end()) return;
    ++watched->second;
    changed_.NotifyAll();
  }

  bool Watches(int server, absl::string_view frame) {
    MutexLock lock(&mutex_);
    return handled_.count({server, std::string(frame)}) > 0;
  }

  void Watch(int server, const std::string& frame) {
    MutexLock lock(&mutex_);
    handled_[{server, frame}] = 0;
  }

  bool WaitUntilHandled(int server, const std::string& frame, int times) {
    MutexLock lock(&mutex_);
    return changed_.WaitFor(&mutex_, kPatience, [&] {
      return handled_[{server, frame}] >= times;
    });
  }

  bool WaitUntilSent(int from, int to, std::size_t count) {
    MutexLock lock(&mutex_);
    return changed_.WaitFor(&mutex_, kPatience, [&] {
      return sent_[{from, to}].size() >= count;
    });
  }

  std::vector<std::string> Sent(int from, int to) {
    MutexLock lock(&mutex_);
    return sent_[{from, to}];
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::map<std::pair<int, int>, std::vector<std::string>> sent_;
  std::map<std::pair<int, std::string>, int> handled_;
};

namespace {

class TappedTransport final : public ForwardingTransport {
 public:
  TappedTransport(int self, std::shared_ptr<WireTap::State> state,
                  std::unique_ptr<Transport> around)
      : ForwardingTransport(std::move(around)),
        self_(self),
        state_(std::move(state)) {}
  ~TappedTransport() override { Stop(absl::ZeroDuration()); }

  SendResult Send(int peer, const Frame& frame) override {
    const SendResult result = inner()->Send(peer, frame);
    if (result == SendResult::kSent) state_->Sent(self_, peer, frame);
    return result;
  }

 private:
  FrameVerdict OnFrame(ReceivedFrame frame) override {
    const std::string bytes = frame.ToString();
    const bool watched = state_->Watches(self_, bytes);
    const FrameVerdict verdict = handler()->OnFrame(std::move(frame));
    if (watched) state_->Handled(self_, bytes);
    return verdict;
  }

  const int self_;
  const std::shared_ptr<WireTap::State> state_;
};

}  // namespace

WireTap::WireTap() : state_(std::make_shared<State>()) {}

TransportFactory WireTap::Around(TransportFactory inner) const {
  return
      [state = state_, inner = std::move(inner)](const TransportConfig& config)
          -> absl::StatusOr<std::unique_ptr<Transport>> {
        absl::StatusOr<std::unique_ptr<Transport>> transport = inner(config);
        if (!transport.ok()) return transport.status();
        return std::make_unique<TappedTransport>(config.server_id, state,
                                                 *std::move(transport));
      };
}

std::vector<std::string> WireTap::Sent(int from, int to) const {
  return state_->Sent(from, to);
}
bool WireTap::WaitUntilSent(int from, int to, std::size_t count) const {
  return state_->WaitUntilSent(from, to, count);
}
void WireTap::Watch(int server, const std::string& frame) {
  state_->Watch(server, frame);
}
bool WireTap::WaitUntilHandled(int server, const std::string& frame,
                               int times) {
  return state_->WaitUntilHandled(server, frame, times);
}

}  // namespace cluster::internal
