#include "cluster/sim/network.h"

#include <algorithm>

namespace cluster {
namespace {

std::string Joined(const Frame& frame) {
  std::string bytes;
  bytes.reserve(frame.size());
  for (const Slice& slice : frame.slices)
    bytes.append(slice.bytes.data(), slice.bytes.size());
  return bytes;
}

// A server asks for each connection once in its life.
constexpr std::uint64_t kGeneration = 1;

std::uint64_t Id(int id) { return static_cast<std::uint64_t>(id); }

}  // namespace

TransportHandler* SimNetwork::Handler(int id) const {
  const auto found = handlers_.find(id);
  return found == handlers_.end() ? nullptr : found->second;
}

void SimNetwork::Attach(int id, TransportHandler* handler) {
  handlers_[id] = handler;
}

void SimNetwork::Detach(int id) {
  handlers_.erase(id);
  for (auto it = connections_.begin(); it != connections_.end();) {
    const ConnectionRef connection = it->second;
    if (connection->from == id) {
      connection->wanted = false;
      ++connection->generation;
      it = connections_.erase(it);
      continue;
    }
    if (connection->to == id) Break(connection, "the peer closed it");
    ++it;
  }
}

void SimNetwork::Connect(int from, int to) {
  auto connection = std::make_shared<Connection>();
  connection->from = from;
  connection->to = to;
  connections_[{from, to}] = connection;
  Dial(connection, absl::ZeroDuration());
}

void SimNetwork::Disconnect(int from, int to) {
  const auto found = connections_.find({from, to});
  if (found == connections_.end()) return;
  // Frames that are on their way still arrive.
  found->second->wanted = false;
  connections_.erase(found);
}

void SimNetwork::Dial(const ConnectionRef& connection, absl::Duration delay) {
  delay += world_->Between(faults_.delay_min, faults_.delay_max);
  world_->After(delay, [this, connection] {
    if (!connection->wanted || connection->connected) return;
    const int from = connection->from;
    const int to = connection->to;
    if (Handler(to) == nullptr || Blocked(from, to) || Blocked(to, from)) {
      world_->Trace("refused", {Id(from), Id(to)});
      Dial(connection, absl::Milliseconds(50));
      Handler(from)->OnDisconnected(to, kGeneration, "no answer");
      return;
    }
    connection->connected = true;
    ++connection->generation;
    connection->bytes_on_the_way = 0;
    connection->last_delivery = world_->Now();
    world_->Trace("connected", {Id(from), Id(to)});
    Handler(from)->OnConnected(to, kGeneration);
  });
}

void SimNetwork::Break(const ConnectionRef& connection,
                       absl::string_view reason) {
  if (!connection->connected) return;
  connection->connected = false;
  ++connection->generation;
  world_->Trace("broken", {Id(connection->from), Id(connection->to)});
  // The sender learns of it a little later, and loses the frames that it sends
  // until then.
  const absl::Duration delay =
      world_->Between(absl::ZeroDuration(), absl::Milliseconds(20));
  const std::string text(reason);
  world_->After(delay, [this, connection, text] {
    if (!connection->wanted) return;
    Dial(connection, absl::Milliseconds(5));
    Handler(connection->from)
        ->OnDisconnected(connection->to, kGeneration, text);
  });
}

void SimNetwork::Reset(int from, int to) {
  const auto found = connections_.find({from, to});
  if (found != connections_.end()) Break(found->second, "reset");
}

SendResult SimNetwork::Send(int from, int to, const Frame& frame) {
  const auto found = connections_.find({from, to});
  if (found == connections_.end() || !found->second->connected)
    return SendResult::kSent;
  const ConnectionRef& connection = found->second;
  if (world_->Chance(faults_.back_pressure)) {
    OweWritable(connection,
                world_->Between(faults_.delay_min, faults_.delay_max * 4));
    return SendResult::kBackPressured;
  }
  if (connection->bytes_on_the_way >= faults_.connection_bytes_max) {
    OweWritable(connection, faults_.delay_max);
    return SendResult::kBackPressured;
  }
  const std::string bytes = Joined(frame);
  world_->Trace("send", {Id(from), Id(to), bytes.size()});
  Schedule(connection, bytes);
  if (world_->Chance(faults_.duplicate)) Schedule(connection, bytes);
  if (world_->Chance(faults_.reset)) Break(connection, "reset");
  return SendResult::kSent;
}

std::size_t SimNetwork::BytesOnTheWay(int from, int to) const {
  const auto found = connections_.find({from, to});
  return found == connections_.end() ? 0 : found->second->bytes_on_the_way;
}

void SimNetwork::OweWritable(const ConnectionRef& connection,
                             absl::Duration delay) {
  world_->Trace("full", {Id(connection->from), Id(connection->to)});
  world_->After(delay, [this, connection] {
    if (connection->wanted)
      Handler(connection->from)->OnWritable(connection->to);
  });
}

void SimNetwork::Schedule(const ConnectionRef& connection,
                          const std::string& bytes) {
  connection->bytes_on_the_way += bytes.size();
  absl::Time leaves = world_->Now();
  if (faults_.bytes_per_second > 0) {
    connection->free_at =
        std::max(connection->free_at, leaves) +
        absl::Seconds(static_cast<double>(bytes.size()) /
                      static_cast<double>(faults_.bytes_per_second));
    leaves = connection->free_at;
  }
  absl::Time time =
      leaves + world_->Between(faults_.delay_min, faults_.delay_max);
  if (!world_->Chance(faults_.reorder)) {
    time = std::max(time, connection->last_delivery);
    connection->last_delivery = time;
  }
  const std::uint64_t generation = connection->generation;
  world_->After(time - world_->Now(), [this, connection, generation, bytes] {
    Arrive(connection, generation, bytes);
  });
}

void SimNetwork::Arrive(const ConnectionRef& connection,
                        std::uint64_t generation, std::string bytes) {
  const int from = connection->from;
  const int to = connection->to;
  if (generation == connection->generation) {
    connection->bytes_on_the_way -= bytes.size();
  } else {
    if (!world_->Chance(faults_.leftover)) return;
    const absl::Duration delay =
        world_->Between(absl::ZeroDuration(), absl::Milliseconds(500));
    world_->After(delay, [this, from, to, bytes] { Hand(from, to, bytes); });
    return;
  }
  if (world_->Chance(faults_.loss)) {
    world_->Trace("lost", {Id(from), Id(to)});
    return;
  }
  if (world_->Chance(faults_.corrupt)) {
    for (std::uint64_t flips = 1 + world_->Below(3); flips > 0; --flips) {
      const unsigned bit = 1u << world_->Below(8);
      char& byte = bytes[world_->Below(bytes.size())];
      byte = static_cast<char>(static_cast<unsigned char>(byte) ^ bit);
    }
  }
  Hand(from, to, std::move(bytes));
}

void SimNetwork::Hand(int from, int to, std::string bytes) {
  TransportHandler* const handler = Handler(to);
  if (handler == nullptr || Blocked(from, to)) return;
  ++frames_delivered_;
  world_->Trace("arrive", {Id(from), Id(to), bytes.size()});
  ReceivedFrame frame;
  frame.slice = MakeSlice(std::move(bytes));
  // A malformed frame costs its connection, as with a real transport.
  const bool malformed =
      handler->OnFrame(std::move(frame)) == FrameVerdict::kMalformed;
  if (malformed) Reset(from, to);
  handler->OnDrained();
}

}  // namespace cluster
