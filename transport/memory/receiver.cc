#include "cluster/transport/memory/receiver.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/transport/memory/channel.h"
#include "cluster/transport/memory/exchange.h"

namespace cluster::internal {
namespace memory {
namespace {

// How long frames may be delivered on and on before OnDrained is called.
constexpr std::chrono::milliseconds kUndrainedMax{1};

}  // namespace

absl::Status Receiver::Start() {
  return threads_.Start(handler_, [this] { return ReceiveUntilDrained(); });
}

void Receiver::Stop() {
  threads_.Stop([this] { port_->Close(); });
}

// Returns when OnDrained is due; false: the port is closed.
bool Receiver::ReceiveUntilDrained() {
  Job job = port_->Next(/*wait=*/true);
  while (job.kind != Job::Kind::kFrames) {
    if (job.kind == Job::Kind::kClosed) return false;
    Handle(job);
    job = port_->Next(/*wait=*/true);
  }
  const auto due = std::chrono::steady_clock::now() + kUndrainedMax;
  do {
    Handle(job);
    if (std::chrono::steady_clock::now() >= due) break;
    job = port_->Next(/*wait=*/false);
  } while (job.kind != Job::Kind::kNothing);
  return true;
}

void Receiver::Handle(const Job& job) {
  if (job.kind == Job::Kind::kFrames) return Deliver(job);
  if (job.channel->closed()) return;
  const int peer = job.channel->peer();
  if (job.kind == Job::Kind::kWritable) handler_->OnWritable(peer);
  if (job.kind == Job::Kind::kConnected) {
    handler_->OnConnected(peer, job.generation);
  }
  if (job.kind == Job::Kind::kDisconnected) {
    handler_->OnDisconnected(peer, job.generation, job.reason);
  }
}

// One thread at a time is here, so the frames of a channel keep their order.
void Receiver::Deliver(const Job& job) {
  Channel::Turn turn = job.channel->Take(job.epoch);
  for (Slice& frame : turn.frames) {
    if (frame.bytes.size() > port_->frame_bytes_max()) {
      Exchange::Get().Break(job.channel, job.epoch,
                            absl::StrCat("a frame of ", frame.bytes.size(),
                                         " bytes is over the peer's limit of ",
                                         port_->frame_bytes_max()));
      return;
    }
    ReceivedFrame received;
    received.slice = std::move(frame);
    if (handler_->OnFrame(std::move(received)) == FrameVerdict::kMalformed) {
      Exchange::Get().Break(job.channel, job.epoch,
                            "the peer found a frame malformed");
      return;
    }
  }
  job.channel->Delivered(job.epoch, turn.cost);
}

}  // namespace memory
}  // namespace cluster::internal
