// RogueMember: a member of the cluster that obeys the protocol in the handshake
// only.
//
// It has a backend's real transport and makes frames by hand. It answers every
// hello with a valid one, so the server begins a session. Then it sends
// whatever the test wants. The others have it in their config. Use it from one
// thread.
//
//   RogueMember rogue(9, "nng", config.cluster);
//   rogue.Join(1, server.Address());              // and server.AddPeer(9, ...)
//   ASSERT_TRUE(rogue.WaitForSessions(1));
//   FrameHeader header = rogue.Header(FrameKind::kControl);
//   header.received_through = 1;                  // of what was never sent
//   rogue.Say(MakeFrame(header, ""));

#ifndef TESTS_HOSTILE_ROGUE_MEMBER_H_
#define TESTS_HOSTILE_ROGUE_MEMBER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "cluster/base/mutex.h"
#include "cluster/codec/frame_header.h"
#include "cluster/codec/hello.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {

class RogueMember final : private TransportHandler {
 public:
  // Joins the cluster of that name and listens at an address of its own.
  RogueMember(int id, const std::string& backend, const std::string& cluster);
  ~RogueMember() override { transport_->Stop(absl::ZeroDuration()); }

  std::string Address() const { return transport_->Address(); }
  // Grants a window of `window_bytes`. It acknowledges each frame as received,
  // and no frame as consumed. Call it before Join.
  void OnlyReceive(std::uint64_t window_bytes) {
    only_receives_ = true;
    window_bytes_ = window_bytes;
  }
  // Connects to the one server that it talks to.
  void Join(int server, const std::string& address);
  // Waits for at most 30 s until the server has begun `count` sessions with it.
  bool WaitForSessions(int count);

  // The header of a frame in the present session.
  FrameHeader Header(FrameKind kind) const;
  // Sends the frame; waits for room.
  void Say(const std::string& frame);

 private:
  FrameVerdict OnFrame(ReceivedFrame frame) override;
  void OnDrained() override {}
  void OnWritable(int) override;
  void OnConnected(int, std::uint64_t) override {}
  void OnDisconnected(int, std::uint64_t, absl::string_view) override {}
  void OnRejected(Rejection) override {}
  void Answer(const Hello& hello);

  const int id_;
  const std::string cluster_;
  std::unique_ptr<Transport> transport_;
  std::atomic<bool> only_receives_{false};
  std::atomic<std::uint64_t> window_bytes_{1u << 20};
  std::uint32_t stamp_ = 0;  // for the transport's thread

  mutable Mutex mutex_;
  CondVar changed_;
  int server_ = 0;
  std::uint64_t session_ = 0;  // the server's name for it
  int sessions_ = 0;
  int writable_ = 0;  // calls of OnWritable that no Say has used
};

}  // namespace cluster::internal

#endif  // TESTS_HOSTILE_ROGUE_MEMBER_H_
