#include "tests/processes/numbered_sender.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cluster::internal {
namespace {

// The longest time between two checks for Halt.
constexpr absl::Duration kSendWait = absl::Milliseconds(100);
// Long, because a broadcast that fails has still reached some peers. A retry
// would have to go to the others only.
constexpr absl::Duration kBroadcastWait = absl::Seconds(60);

}  // namespace

std::string NumberedPayload(const Numbered& numbered, std::size_t bytes) {
  std::string payload(std::max(bytes, kNumberedPayloadBytesMin),
                      static_cast<char>(numbered.number));
  std::memcpy(&payload[0], &numbered, sizeof(numbered));
  return payload;
}

bool ReadNumberedPayload(absl::string_view payload, Numbered* numbered) {
  if (payload.size() < sizeof(*numbered)) return false;
  std::memcpy(numbered, payload.data(), sizeof(*numbered));
  payload.remove_prefix(sizeof(*numbered));
  return numbered->life < kJournalLives &&
         payload.find_first_not_of(static_cast<char>(numbered->number)) ==
             absl::string_view::npos;
}

NumberedSender::NumberedSender(
    Server* server, Journal* journal, const Sending& sending,
    std::function<void()> on_end,
    std::function<void(const std::string&)> on_trouble)
    : server_(server),
      journal_(journal),
      sending_(sending),
      on_end_(std::move(on_end)),
      on_trouble_(std::move(on_trouble)),
      thread_([this] { Run(); }) {}

void NumberedSender::Halt() {
  halting_ = true;
  if (thread_.joinable()) thread_.join();
}

void NumberedSender::Run() {
  std::minstd_rand random(static_cast<unsigned>(sending_.life + 1));
  for (std::uint64_t i = 0; i < sending_.count; ++i) {
    const Lane lane =
        random() % 4 > 0 ? Lane::kNormal : static_cast<Lane>(random() % kLanes);
    if (!SendNext(lane)) return;
  }
  on_end_();
}

// False: Halt was called, or the server has stopped.
bool NumberedSender::SendNext(Lane lane) {
  const bool broadcast = sending_.pid == kBroadcast;
  SentStream& stream =
      (*journal_)->sent[broadcast ? 0 : static_cast<std::size_t>(sending_.pid)]
                       [static_cast<std::size_t>(lane)];
  const Numbered next = {sending_.life, stream.accepted + 1};
  Envelope envelope;
  envelope.pid = sending_.pid;
  envelope.lane = lane;
  envelope.payload = NumberedPayload(next, sending_.payload_bytes);
  stream.begun = next.number;
  while (!halting_) {
    const absl::Status status =
        server_->Send(envelope, broadcast ? kBroadcastWait : kSendWait);
    if (status.ok()) {
      stream.accepted = next.number;
      return true;
    }
    if (absl::IsCancelled(status)) return false;
    if (broadcast || !absl::IsDeadlineExceeded(status)) {
      on_trouble_(absl::StrCat("Send: ", status.message()));
      return false;
    }
    ++stream.no_room;
  }
  return false;
}

}  // namespace cluster::internal
