// Wires: a transport whose frames a test carries itself: a list, per peer, of the
// frames that were sent to it.
//
// Send and Take are thread-safe; a test whose threads send looks at the rest when
// they are gone.
//
//   Wires wires;
//   ReliablePeer peer(config, &wires, ...);
//   for (const Frame& frame : wires.Take(2)) far.Hear(BytesOf(frame));

#ifndef CLUSTER_SERVER_TESTING_WIRES_H_
#define CLUSTER_SERVER_TESTING_WIRES_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cluster/base/check.h"
#include "cluster/base/mutex.h"
#include "cluster/codec/frame_header.h"
#include "cluster/server/reliable_peer.h"
#include "cluster/session/testing/session_pair.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {

class Wires : public Transport {
 public:
  absl::Status Start(TransportHandler*, const std::string&) override {
    return absl::OkStatus();
  }
  std::string Address() const override { return "wires"; }
  absl::Status Connect(int, const std::string&,
                       std::uint64_t generation) override {
    if (!dialable) return absl::UnavailableError("nobody dials here");
    dialled.push_back(generation);
    return absl::OkStatus();
  }
  void Disconnect(int) override {}
  SendResult Send(int peer, const Frame& frame) override {
    if (full) return SendResult::kBackPressured;
    MutexLock lock(&mutex_);
    sent[peer].push_back(frame);
    return SendResult::kSent;
  }
  absl::Status ReloadSecurity(const SecurityFiles&) override {
    return absl::OkStatus();
  }
  void Stop(absl::Duration) override {}

  // The frames that were sent and not taken yet.
  std::vector<Frame> Take(int peer) {
    MutexLock lock(&mutex_);
    return std::exchange(sent[peer], {});
  }

  bool full = false;                   // takes nothing
  bool dialable = true;                // Connect succeeds
  std::vector<std::uint64_t> dialled;  // generations, of one peer's
  std::map<int, std::vector<Frame>> sent;

 private:
  Mutex mutex_;
};

// The end hears the frames that were sent to `peer` and not taken yet. Returns how
// many.
inline int Carry(int peer, Wires* wires, SessionEnd* end) {
  const std::vector<Frame> frames = wires->Take(peer);
  for (const Frame& frame : frames) end->Hear(BytesOf(frame));
  return static_cast<int>(frames.size());
}

// The peer hears good frames. True: OnDrained should follow.
inline bool Hear(const std::vector<std::string>& frames, ReliablePeer* peer) {
  bool drain = false;
  for (const std::string& bytes : frames) {
    const Slice slice = MakeSlice(bytes);
    FrameHeader header;
    absl::string_view body;
    CLUSTER_CHECK(DecodeFrame(slice.bytes, &header, &body) == FrameError::kNone,
                  "a frame of the other end is no good");
    bool may_pump = false;
    peer->OnFrame(header, Slice{slice.owner, body}, &may_pump);
    drain = drain || may_pump;
  }
  return drain;
}

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_TESTING_WIRES_H_
