#include "tests/harness/member.h"

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

constexpr int kBatchEnvelopesMax = 100;

// Callbacks are one at a time, and none after Stop.
class CallbackScope {
 public:
  CallbackScope(std::atomic<int>* inside, const std::atomic<bool>& stopped)
      : inside_(inside) {
    EXPECT_EQ(inside_->fetch_add(1), 0) << "two callbacks at a time";
    EXPECT_FALSE(stopped) << "a callback after Stop";
  }
  ~CallbackScope() { inside_->fetch_sub(1); }

 private:
  std::atomic<int>* const inside_;
};

}  // namespace

std::unique_ptr<Member> Member::Make(
    absl::StatusOr<std::unique_ptr<Server>> server, Consumption consumption,
    MemberSink sink) {
  EXPECT_TRUE(server.ok()) << server.status();
  if (!server.ok()) return nullptr;
  return std::unique_ptr<Member>(
      new Member(*std::move(server), consumption, std::move(sink)));
}

Member::Member(std::unique_ptr<Server> server, Consumption consumption,
               MemberSink sink)
    : server_(std::move(server)),
      consumption_(consumption),
      sink_(std::move(sink)) {
  if (consumption_ == Consumption::kHandler) {
    server_->OnEnvelope([this](const EnvelopeView& envelope) {
      CallbackScope scope(&in_callback_, stopped_);
      sink_.on_envelope(envelope);
    });
  }
  if (sink_.on_event == nullptr) return;
  server_->OnPeerEvent([this](const PeerEvent& event) {
    CallbackScope scope(&in_callback_, stopped_);
    sink_.on_event(event);
  });
}

absl::Status Member::Start() {
  absl::Status status = server_->Start();
  if (!status.ok()) return status;
  if (consumption_ == Consumption::kReceive)
    reader_ = std::thread([this] { Read(); });
  if (consumption_ == Consumption::kReceiveBatch)
    reader_ = std::thread([this] { ReadBatches(); });
  return absl::OkStatus();
}

Member::~Member() {
  if (server_ != nullptr) Stop();
}

void Member::Stop() {
  server_->Stop();
  stopped_ = true;
  EXPECT_EQ(in_callback_, 0) << "a callback runs when Stop has returned";
  if (reader_.joinable()) reader_.join();
}

void Member::DestroyServer() {
  server_.reset();
  stopped_ = true;
  EXPECT_EQ(in_callback_, 0) << "a callback runs when the server is gone";
}

void Member::Read() {
  while (true) {
    const absl::StatusOr<Envelope> envelope = server_->Receive();
    if (!envelope.ok()) {
      EXPECT_TRUE(absl::IsCancelled(envelope.status())) << envelope.status();
      return;
    }
    sink_.on_envelope(*envelope);
  }
}

void Member::ReadBatches() {
  std::vector<Envelope> batch;
  while (true) {
    const absl::Status status =
        server_->ReceiveBatch(&batch, kBatchEnvelopesMax);
    if (!status.ok()) {
      EXPECT_TRUE(absl::IsCancelled(status)) << status;
      return;
    }
    for (const Envelope& envelope : batch) sink_.on_envelope(envelope);
  }
}

}  // namespace cluster::internal
