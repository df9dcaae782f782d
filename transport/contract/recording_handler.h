// RecordingHandler: a TransportHandler for tests that records all calls and
// lets a test wait for them.
//
// Hooks let a test act inside a callback; set them before Start. They run
// without the record's mutex. Thread-safe. The handler must outlive its
// transport. A wait of more than 30 s returns false.
//
//   cluster::RecordingHandler handler;
//   ASSERT_TRUE(transport->Start(&handler, "127.0.0.1:0").ok());
//   ASSERT_TRUE(handler.WaitForFrames(3));
//   EXPECT_EQ(handler.Texts()[0], "first");

#ifndef CLUSTER_TRANSPORT_CONTRACT_RECORDING_HANDLER_H_
#define CLUSTER_TRANSPORT_CONTRACT_RECORDING_HANDLER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "cluster/base/mutex.h"
#include "cluster/transport/frame.h"
#include "cluster/transport/transport.h"

namespace cluster {

// The calls so far.
struct Recorded {
  std::vector<ReceivedFrame> frames;  // in the order of their arrival
  std::size_t frame_count = 0;        // all frames, cleared or not
  std::size_t drained_count = 0;      // calls of OnDrained that began
  std::size_t drained_frames = 0;     // frame_count at the last of them
  std::map<int, int> writable;        // calls, by peer
  std::map<int, int> connected;
  std::map<int, int> disconnected;
  // The latest generation in a callback of each kind, by peer.
  std::map<int, std::uint64_t> connected_generation;
  std::map<int, std::uint64_t> disconnected_generation;
  std::string reason;  // of the last OnDisconnected
  std::vector<Rejection> rejections;
  int running = 0;  // callbacks that have not ended
  int late = 0;     // callbacks that ran at or after Seal

  static int Count(const std::map<int, int>& calls, int peer);
  bool HasFrame(absl::string_view text) const;
  bool HasRejection(RefusalReason kind) const;
};

class RecordingHandler : public TransportHandler {
 public:
  using Condition = std::function<bool(const Recorded&)>;

  // Called with each frame before it is recorded; returns the verdict. Without
  // it the handler accepts all frames.
  std::function<FrameVerdict(const ReceivedFrame&)> on_frame;
  std::function<void()> on_drained;
  std::function<void(int peer)> on_writable;
  std::function<void(int peer, std::uint64_t generation)> on_connected;
  std::function<void(int peer, std::uint64_t generation)> on_disconnected;

  // Waits until `condition` holds, and returns whether it does. Calls it under
  // the record's lock, after each callback.
  bool WaitFor(const Condition& condition) const;
  bool WaitFor(std::chrono::milliseconds at_most,
               const Condition& condition) const;

  // Waits until `count` frames have come since the handler was made.
  bool WaitForFrames(std::size_t count) const;
  bool WaitForWritable(int peer, int count) const;
  bool WaitForConnected(int peer, int count = 1) const;
  bool WaitForDisconnected(int peer, int count = 1) const;
  bool WaitForRejection(RefusalReason kind) const;

  // A copy of the record, which shares the frames.
  Recorded Get() const;
  int writable(int peer) const;
  std::vector<std::string> Texts() const;

  // Drops the recorded frames, not their count.
  void ClearFrames();

  // Call it when Stop has returned. Recorded::late counts each callback that
  // runs then or later.
  void Seal();

  FrameVerdict OnFrame(ReceivedFrame frame) override;
  void OnDrained() override;
  void OnWritable(int peer) override;
  void OnConnected(int peer, std::uint64_t generation) override;
  void OnDisconnected(int peer, std::uint64_t generation,
                      absl::string_view reason) override;
  void OnRejected(Rejection rejection) override;

 private:
  void Begin(const std::function<void(Recorded*)>& record);
  void End(const std::function<void(Recorded*)>& record);

  mutable internal::Mutex mutex_;
  mutable internal::CondVar changed_;
  Recorded recorded_;
  bool sealed_ = false;
};

// Opens once; then every Wait returns.
class Gate {
 public:
  void Open();
  void Wait();
  bool is_open();

 private:
  internal::Mutex mutex_;
  internal::CondVar changed_;
  bool open_ = false;
};

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_CONTRACT_RECORDING_HANDLER_H_
