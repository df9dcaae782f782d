#include "tests/harness/flood.h"

#include <utility>

#include "gtest/gtest.h"
#include "tests/harness/envelope_source.h"

namespace cluster::internal {
namespace {

// Short, so that one receiver that is down does not stop the load for others.
constexpr absl::Duration kSendTimeout = absl::Milliseconds(5);

// About one payload in a hundred is large.
constexpr std::uint64_t kEnvelopes = 10000000;
constexpr std::size_t kPayloadBytes = kEnvelopes / 100 * kPayloadBytesMax / 2;

bool IsExpected(const absl::Status& status) {
  return absl::IsDeadlineExceeded(status) || absl::IsNotFound(status) ||
         absl::IsCancelled(status);
}

}  // namespace

Flood::Flood(Server* server, std::vector<int> receivers, std::uint64_t seed,
             Accepted on_accepted)
    : server_(server),
      receivers_(std::move(receivers)),
      on_accepted_(std::move(on_accepted)),
      thread_([this, seed] { Run(seed); }) {}

void Flood::Stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void Flood::Run(std::uint64_t seed) {
  EnvelopeSource source(seed, kEnvelopes, kPayloadBytes);
  while (!stopping_) {
    Envelope envelope = source.Next();
    envelope.sender_id = server_->Pid();
    envelope.pid = receivers_[source.Below(receivers_.size())];
    const absl::StatusOr<MessageId> id =
        server_->SendWithId(envelope, kSendTimeout);
    if (id.ok()) {
      envelope.message_id = *id;
      on_accepted_(envelope.pid, envelope);
      continue;
    }
    EXPECT_TRUE(IsExpected(id.status())) << id.status();
    if (absl::IsCancelled(id.status())) return;
  }
}

}  // namespace cluster::internal
