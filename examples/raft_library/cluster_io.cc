#include "examples/raft_library/cluster_io.h"

#include <poll.h>

#include <iostream>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace raft_library {
namespace {

constexpr auto kRaftMessage = static_cast<cluster::MsgType>(64);
constexpr absl::Duration kVoteCounts = absl::Seconds(1);

ClusterIo* Of(raft_io* io) { return static_cast<ClusterIo*>(io); }
ClusterIo* Of(raft_uv_transport* transport) {
  return static_cast<ClusterIo*>(transport->impl);
}

bool IsVote(unsigned type) {
  return type == RAFT_IO_REQUEST_VOTE || type == RAFT_IO_REQUEST_VOTE_RESULT;
}

// Every AppendEntries has a log position, so all keep their order in one lane.
cluster::Lane LaneOf(unsigned type) {
  if (IsVote(type)) return cluster::Lane::kUrgent;
  return type == RAFT_IO_INSTALL_SNAPSHOT ? cluster::Lane::kBulk
                                          : cluster::Lane::kNormal;
}

// A vote may wait a little for a peer that comes up. Raft repeats all else, and
// wants to hear that the peer is down.
cluster::SendOptions OptionsFor(unsigned type) {
  cluster::SendOptions options;
  if (IsVote(type)) options.expires_after = kVoteCounts;
  options.only_if_up = !IsVote(type);
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ClusterIo>> ClusterIo::New(
    uv_loop_t* loop, const std::string& folder, cluster::Server* server) {
  std::unique_ptr<ClusterIo> io(new ClusterIo(loop, server));
  if (raft_uv_init(io.get(), loop, folder.c_str(), &io->transport_) != 0)
    return absl::InvalidArgumentError(absl::StrCat(folder, ": ", io->errmsg));
  io->start_of_uv_ = io->start;
  io->start = &ClusterIo::Start;
  io->send = &ClusterIo::Send;
  server->OnEnvelope([io = io.get()](const cluster::EnvelopeView& envelope) {
    io->Receive(envelope);
  });
  server->OnStranger([io = io.get()](const cluster::Stranger& stranger) {
    io->Admit(stranger);
  });
  return io;
}

ClusterIo::ClusterIo(uv_loop_t* loop, cluster::Server* server)
    : raft_io{}, loop_(loop), server_(server) {
  transport_.impl = this;
  transport_.init = &ClusterIo::Init;
  transport_.listen = &ClusterIo::Listen;
  transport_.close = &ClusterIo::Close;
}

ClusterIo::~ClusterIo() {
  server_->Stop();
  if (impl != nullptr) raft_uv_close(this);
}

// As uv_run, but without the lock while it waits.
void ClusterIo::Run() {
  pollfd events{uv_backend_fd(loop_), POLLIN, 0};
  std::unique_lock<std::mutex> lock(mutex_);
  while (uv_run(loop_, UV_RUN_NOWAIT) != 0) {
    const int timeout_ms = uv_backend_timeout(loop_);
    lock.unlock();
    poll(&events, 1, timeout_ms);
    lock.lock();
  }
}

int ClusterIo::Start(raft_io* io, unsigned interval_ms, raft_io_tick_cb tick,
                     raft_io_recv_cb receive) {
  Of(io)->tick_ = tick;
  Of(io)->receive_ = receive;
  const auto on_tick = [](raft_io* ticking) {
    Of(ticking)->FollowConfiguration();
    Of(ticking)->tick_(ticking);
  };
  return Of(io)->start_of_uv_(io, interval_ms, on_tick, receive);
}

// Raft still uses the request after this returns, so the callback comes later.
int ClusterIo::Send(raft_io* io, raft_io_send* request,
                    const raft_message* message, raft_io_send_cb callback) {
  request->cb = callback;
  Of(io)->sent_.emplace_back(
      request, Of(io)->Transmit(*message) ? 0 : RAFT_NOCONNECTION);
  return 0;
}

bool ClusterIo::Transmit(const raft_message& message) {
  if (message.server_id > cluster::kServerIdMax) return false;
  if (!Encode(message, &bytes_)) return false;
  cluster::EnvelopeView envelope;
  envelope.pid = static_cast<int>(message.server_id);
  envelope.msg_type = kRaftMessage;
  envelope.lane = LaneOf(message.type);
  envelope.payload = bytes_;
  return server_->Send(envelope, OptionsFor(message.type)).ok();
}

void ClusterIo::CallBack() {
  std::vector<std::pair<raft_io_send*, int>> sent;
  sent.swap(sent_);
  for (const auto& [request, result] : sent)
    if (request->cb != nullptr) request->cb(request, result);
}

void ClusterIo::Receive(const cluster::EnvelopeView& envelope) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!open_) return;
  const auto sender = configured_.find(envelope.sender_id);
  raft_message message{};
  message.server_id = static_cast<raft_id>(envelope.sender_id);
  message.server_address =
      sender == configured_.end() ? "" : sender->second.c_str();
  if (Decode(envelope.payload, &message) != 0) {
    std::cerr << "server " << envelope.sender_id
              << " sent what is no message of raft's: "
              << envelope.payload.size() << " bytes\n";
    return;
  }
  uv_update_time(loop_);
  const unsigned handles = loop_->active_handles;
  receive_(this, &message);
  CallBack();
  // The loop begins to watch a new handle, such as that of a new file, in its turn.
  if (loop_->active_handles != handles) uv_async_send(&wake_);
}

int ClusterIo::Init(raft_uv_transport* transport, raft_id id, const char*) {
  ClusterIo* const io = Of(transport);
  if (id != static_cast<raft_id>(io->server_->Pid())) return RAFT_BADID;
  const auto no_more_than_wake = [](uv_async_t*) {};
  if (uv_async_init(io->loop_, &io->wake_, no_more_than_wake) != 0 ||
      uv_check_init(io->loop_, &io->turn_) != 0)
    return RAFT_IOERR;
  io->wake_.data = io->turn_.data = io;
  return 0;
}

int ClusterIo::Listen(raft_uv_transport* transport, raft_uv_accept_cb) {
  const auto on_turn = [](uv_check_t* handle) {
    auto* const turned = static_cast<ClusterIo*>(handle->data);
    turned->open_ = true;
    turned->CallBack();
  };
  return uv_check_start(&Of(transport)->turn_, on_turn) == 0 ? 0 : RAFT_IOERR;
}

void ClusterIo::Close(raft_uv_transport* transport,
                      raft_uv_transport_close_cb closed) {
  ClusterIo* const io = Of(transport);
  io->CallBack();
  io->open_ = false;
  io->closed_ = closed;
  io->open_handles_ = 2;
  uv_close(reinterpret_cast<uv_handle_t*>(&io->wake_), &OnHandleClosed);
  uv_close(reinterpret_cast<uv_handle_t*>(&io->turn_), &OnHandleClosed);
}

void ClusterIo::OnHandleClosed(uv_handle_t* handle) {
  auto* const io = static_cast<ClusterIo*>(handle->data);
  if (--io->open_handles_ == 0) io->closed_(&io->transport_);
}

// A peer may know of a change before this server does. So all are let in but those
// that left; with security, those that prove who they are.
void ClusterIo::Admit(const cluster::Stranger& stranger) {
  if (stranger.identity.value_or(stranger.id) != stranger.id) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (left_.count(stranger.id) == 0)
    server_->AddPeer(stranger.id, stranger.address).IgnoreError();
}

void ClusterIo::FollowConfiguration() {
  const raft_configuration& configuration =
      static_cast<const raft*>(data)->configuration;
  std::map<int, std::string> now;
  for (unsigned i = 0; i < configuration.n; ++i)
    now.emplace(configuration.servers[i].id, configuration.servers[i].address);
  if (now == configured_) return;
  for (const auto& [id, address] : configured_) {
    if (now.count(id) > 0) continue;
    left_.insert(id);
    server_->RemovePeer(id).IgnoreError();
  }
  for (const auto& [id, address] : now) {
    left_.erase(id);
    if (!server_->UpdatePeer(id, address).ok())
      server_->AddPeer(id, address).IgnoreError();  // not of its own id
  }
  configured_.swap(now);
}

}  // namespace raft_library
