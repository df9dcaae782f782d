// Member: one server under test and a sink for the envelopes that it receives.
//
// The envelopes come by Receive or ReceiveBatch on a thread of the member's
// own, or by OnEnvelope. The sink sees one call at a time. The member owns its
// server; one thread calls Stop. A failing Receive before Stop, or a callback
// after it, fails the running test. TestCluster connects members.
//
//   auto member = Member::Make(NewServer(1, config), Consumption::kHandler,
//                              {[](const EnvelopeView& envelope) { ... },
//                              nullptr});
//   ASSERT_TRUE(member->Start().ok());
//   member->server().Send(envelope);
//   member->Stop();

#ifndef TESTS_HARNESS_MEMBER_H_
#define TESTS_HARNESS_MEMBER_H_

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "absl/status/statusor.h"
#include "cluster/server.h"

namespace cluster::internal {

enum class Consumption { kReceive, kReceiveBatch, kHandler };
inline constexpr int kConsumptions = 3;

struct MemberSink {
  std::function<void(const EnvelopeView&)> on_envelope;
  std::function<void(const PeerEvent&)> on_event;  // may be null
};

class Member {
 public:
  // Without a server it returns null, and the test fails.
  static std::unique_ptr<Member> Make(
      absl::StatusOr<std::unique_ptr<Server>> server, Consumption consumption,
      MemberSink sink);
  ~Member();

  absl::Status Start();
  // Stops the server and joins the reader. The server's figures stay readable.
  // Idempotent.
  void Stop();
  // Destroys the running server; afterwards only the destructor may be called.
  // Only with a handler, since a waiting Receive needs its server.
  void DestroyServer();

  Server& server() { return *server_; }

 private:
  Member(std::unique_ptr<Server> server, Consumption consumption,
         MemberSink sink);
  void Read();
  void ReadBatches();

  std::unique_ptr<Server> server_;
  const Consumption consumption_;
  const MemberSink sink_;
  std::atomic<int> in_callback_{0};
  std::atomic<bool> stopped_{false};
  std::thread reader_;
};

}  // namespace cluster::internal

#endif  // TESTS_HARNESS_MEMBER_H_
