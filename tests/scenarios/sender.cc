#include "tests/scenarios/sender.h"

#include <algorithm>
#include <utility>

#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

// The queue is full while the receiver is slow, as it is with a sanitizer.
constexpr absl::Duration kSendTimeout = absl::Seconds(30);

}  // namespace

Sender::Sender(Server* server, std::vector<int> all, const Load& load,
               std::uint64_t seed, DeliveryLedger* ledger)
    : server_(server),
      all_(std::move(all)),
      load_(load),
      seed_(seed),
      ledger_(ledger),
      draws_(seed, 0, 0) {}

std::uint64_t Sender::DrawCount() {
  return load_.envelopes_min +
         draws_.Below(load_.envelopes_max - load_.envelopes_min + 1);
}

void Sender::PlanUnicasts(int receiver) {
  steps_.insert(steps_.end(), DrawCount(),
                Step{Kind::kUnicast, receiver, false});
}

void Sender::PlanMulticasts() {
  for (std::uint64_t left = DrawCount(); left > 0; --left) {
    constexpr Kind kKinds[] = {Kind::kBroadcast, Kind::kMulticastToAll,
                               Kind::kMulticastToSome};
    steps_.push_back({kKinds[draws_.Below(3)], 0, false});
  }
}

void Sender::PlanLarge(int receiver) {
  steps_.insert(steps_.end(), static_cast<std::size_t>(load_.large_payloads),
                Step{Kind::kUnicast, receiver, true});
}

// An upper bound: a multicast to some counts as one to all.
std::uint64_t Sender::Deliveries() const {
  std::uint64_t deliveries = 0;
  for (const Step& step : steps_)
    deliveries += step.kind == Kind::kUnicast ? 1 : all_.size();
  return deliveries;
}

void Sender::Run() {
  const std::uint64_t per_step = (Deliveries() + steps_.size() - 1) /
                                 std::max<std::size_t>(1, steps_.size());
  EnvelopeSource source(seed_ + 1, steps_.size(),
                        load_.payload_bytes / all_.size() / per_step);
  while (!steps_.empty()) {
    std::swap(steps_[draws_.Below(steps_.size())], steps_.back());
    const Step step = steps_.back();
    steps_.pop_back();
    Envelope envelope =
        step.large ? source.Next(load_.large_payload_bytes) : source.Next();
    if (!Do(step, std::move(envelope))) return;
    if (load_.wait_for_each && !ledger_->WaitUntilAllArrived()) return;
  }
}

bool Sender::Do(const Step& step, Envelope envelope) {
  envelope.sender_id = server_->Pid();
  switch (step.kind) {
    case Kind::kUnicast:
      return Unicast(step.receiver, std::move(envelope));
    case Kind::kBroadcast:
      return Broadcast(std::move(envelope));
    case Kind::kMulticastToAll:
      return Multicast(all_, std::move(envelope));
    case Kind::kMulticastToSome:
      return Multicast(SomeOf(), std::move(envelope));
  }
  return false;
}

bool Sender::Unicast(int receiver, Envelope envelope) {
  envelope.pid = receiver;
  const absl::StatusOr<MessageId> id =
      server_->SendWithId(envelope, kSendTimeout);
  EXPECT_TRUE(id.ok()) << id.status();
  if (!id.ok()) return false;
  envelope.message_id = *id;
  ledger_->Sent(receiver, envelope);
  return true;
}

bool Sender::Broadcast(Envelope envelope) {
  envelope.pid = kBroadcast;
  const absl::StatusOr<MessageId> id =
      server_->SendWithId(envelope, kSendTimeout);
  EXPECT_TRUE(id.ok()) << id.status();
  if (!id.ok()) return false;
  envelope.message_id = *id;
  for (int receiver : all_) {
    if (receiver != server_->Pid()) ledger_->Sent(receiver, envelope);
  }
  return true;
}

bool Sender::Multicast(const std::vector<int>& receivers, Envelope envelope) {
  envelope.pid = kBroadcast;  // means nothing here
  const MulticastResult result =
      server_->Multicast(receivers, envelope, kSendTimeout);
  EXPECT_TRUE(result.ok()) << result.status;
  if (!result.ok()) return false;
  envelope.message_id = result.message_id;
  for (int receiver : receivers) {
    envelope.pid = receiver;
    ledger_->Sent(receiver, envelope);
  }
  return true;
}

std::vector<int> Sender::SomeOf() {
  std::vector<int> some;
  for (int id : all_) {
    if (draws_.Below(2) == 0) some.push_back(id);
  }
  return some;
}

}  // namespace cluster::internal
