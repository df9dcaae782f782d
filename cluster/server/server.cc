#include "cluster/server.h"

#include <algorithm>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cluster/base/buffer_pool.h"
#include "cluster/base/check.h"
#include "cluster/codec/json/json.h"
#include "cluster/codec/registry.h"
#include "cluster/config/check.h"
#include "cluster/server/peer_delivery.h"
#include "cluster/server/server_core.h"

namespace cluster {

Server::Server(std::unique_ptr<internal::ServerCore> core)
    : core_(std::move(core)) {}

Server::~Server() {
  // A running handler may still call this server.
  core_->Stop();
  internal::ServerCore::End(std::move(core_));
}

// No exception crosses the interface.
using internal::InMemory;

absl::Status SendMessage(Server& server) {
  return InMemory([&] { return server.core_->StartSending(); });
}
absl::Status ReceiveMessage(Server& server) {
  return InMemory([&] { return server.core_->StartReceiving(); });
}

absl::Status Server::Start() {
  if (absl::Status status = SendMessage(*this); !status.ok()) return status;
  return ReceiveMessage(*this);
}

absl::Status Server::Send(const Envelope& envelope, absl::Duration timeout) {
  EnvelopeView view(envelope);
  return InMemory([&] { return core_->Send(&view, timeout); });
}

absl::Status Server::Send(const EnvelopeView& envelope,
                          absl::Duration timeout) {
  EnvelopeView view = envelope;
  return InMemory([&] { return core_->Send(&view, timeout); });
}

absl::StatusOr<MessageId> Server::SendWithId(const Envelope& envelope,
                                             absl::Duration timeout) {
  return SendWithId(EnvelopeView(envelope), timeout);
}

absl::StatusOr<MessageId> Server::SendWithId(const EnvelopeView& envelope,
                                             absl::Duration timeout) {
  EnvelopeView view = envelope;
  absl::Status status = InMemory([&] { return core_->Send(&view, timeout); });
  if (!status.ok()) return status;
  return view.message_id;
}

absl::Status Server::Send(const Envelope& envelope,
                          const SendOptions& options) {
  return SendWithId(EnvelopeView(envelope), options).status();
}

absl::Status Server::Send(const EnvelopeView& envelope,
                          const SendOptions& options) {
  return SendWithId(envelope, options).status();
}

absl::StatusOr<MessageId> Server::SendWithId(const Envelope& envelope,
                                             const SendOptions& options) {
  return SendWithId(EnvelopeView(envelope), options);
}

absl::StatusOr<MessageId> Server::SendWithId(const EnvelopeView& envelope,
                                             const SendOptions& options) {
  EnvelopeView view = envelope;
  absl::Status status =
      InMemory([&] { return core_->SendWith(&view, options); });
  if (!status.ok()) return status;
  return view.message_id;
}

absl::Status Server::Send(Envelope&& envelope, absl::Duration timeout) {
  EnvelopeView view(envelope);
  if (!core_->TakesPayload(view))
    return InMemory([&] { return core_->Send(&view, timeout); });
  SendOptions options;
  options.timeout = timeout;
  return Send(std::move(envelope), options);
}

absl::Status Server::Send(Envelope&& envelope, const SendOptions& options) {
  return SendWithId(std::move(envelope), options).status();
}

absl::StatusOr<MessageId> Server::SendWithId(Envelope&& envelope,
                                             absl::Duration timeout) {
  SendOptions options;
  options.timeout = timeout;
  return SendWithId(std::move(envelope), options);
}

absl::StatusOr<MessageId> Server::SendWithId(Envelope&& envelope,
                                             const SendOptions& options) {
  EnvelopeView view(envelope);
  absl::Status status = InMemory(
      [&] { return core_->SendMoved(&view, &envelope.payload, options); });
  if (!status.ok()) return status;
  return view.message_id;
}

absl::StatusOr<MessageId> Server::SendPieces(
    const EnvelopeView& envelope, absl::Span<const absl::string_view> pieces,
    const SendOptions& options) {
  EnvelopeView view = envelope;
  absl::Status status =
      InMemory([&] { return core_->SendPieces(&view, pieces, options); });
  if (!status.ok()) return status;
  return view.message_id;
}

absl::Status Server::Withdraw(int pid, Lane lane, std::uint64_t group,
                              std::uint64_t replaces) {
  return InMemory([&] { return core_->Withdraw(pid, lane, group, replaces); });
}

MulticastResult Server::Multicast(absl::Span<const int> pids,
                                  const Envelope& envelope,
                                  absl::Duration timeout) {
  return Multicast(pids, EnvelopeView(envelope), timeout);
}

MulticastResult Server::Multicast(absl::Span<const int> pids,
                                  const EnvelopeView& envelope,
                                  absl::Duration timeout) {
  SendOptions options;
  options.timeout = timeout;
  return Multicast(pids, envelope, options);
}

MulticastResult Server::Multicast(absl::Span<const int> pids,
                                  const Envelope& envelope,
                                  const SendOptions& options) {
  return Multicast(pids, EnvelopeView(envelope), options);
}

MulticastResult Server::Multicast(absl::Span<const int> pids,
                                  const EnvelopeView& envelope,
                                  const SendOptions& options) {
  try {
    return core_->Multicast(pids, envelope, options);
  } catch (const std::bad_alloc&) {
    MulticastResult nothing_sent;
    nothing_sent.status = internal::OutOfMemory();
    return nothing_sent;
  }
}

absl::StatusOr<Envelope> Server::Receive(absl::Duration timeout) {
  return InMemory([&] { return core_->Receive(timeout); });
}

absl::Status Server::ReceiveBatch(std::vector<Envelope>* out, int envelopes_max,
                                  absl::Duration timeout) {
  return InMemory(
      [&] { return core_->ReceiveBatch(out, envelopes_max, timeout); });
}

absl::StatusOr<Item> Server::ReceiveAny(absl::Duration timeout) {
  return InMemory([&] { return core_->ReceiveAny(timeout); });
}

absl::StatusOr<int> Server::NotifyFd() { return core_->NotifyFd(); }

absl::StatusOr<KeptPayload> Server::Keep(const EnvelopeView& envelope) {
  return InMemory([&] { return core_->Keep(envelope); });
}

void Server::OnEnvelope(std::function<void(const EnvelopeView&)> handler) {
  const bool set = core_->SetHandler([&](internal::Callbacks* callbacks) {
    callbacks->SetEnvelopeHandler(std::move(handler));
  });
  CLUSTER_CHECK(set, "OnEnvelope after Start");
}

void Server::OnPeerEvent(std::function<void(const PeerEvent&)> handler) {
  const bool set = core_->SetHandler([&](internal::Callbacks* callbacks) {
    callbacks->SetEventHandler(std::move(handler));
  });
  CLUSTER_CHECK(set, "OnPeerEvent after Start");
}

void Server::OnStranger(std::function<void(const Stranger&)> handler) {
  const bool set = core_->SetHandler([&](internal::Callbacks* callbacks) {
    callbacks->SetStrangerHandler(std::move(handler));
  });
  CLUSTER_CHECK(set, "OnStranger after Start");
}

void Server::SetLogSink(std::function<void(const LogRecord&)> sink) {
  CLUSTER_CHECK(core_->SetLogSink(std::move(sink)), "SetLogSink after Start");
}
void Server::OnFate(std::function<void(const Fate&)> handler) {
  const bool set = core_->SetHandler([&](internal::Callbacks* callbacks) {
    callbacks->SetFateHandler(std::move(handler));
  });
  CLUSTER_CHECK(set, "OnFate after Start");
}

absl::Status Server::Flush(absl::Duration timeout) {
  return InMemory([&] { return core_->Flush(absl::nullopt, timeout); });
}
absl::Status Server::Flush(int pid, absl::Duration timeout) {
  return InMemory([&] { return core_->Flush(pid, timeout); });
}
void Server::Renew() { core_->Renew(); }
ServerStats Server::Stats() const { return core_->Stats(); }

Config Server::CurrentConfig() const { return core_->CurrentConfig(); }

absl::Status Server::Probe(int pid) {
  return InMemory([&] { return core_->Probe(pid); });
}

absl::Status Server::AddPeer(int id, const std::string& address) {
  return InMemory([&] { return core_->AddPeer(id, address); });
}

absl::Status Server::RemovePeer(int id, absl::Duration drain) {
  return InMemory([&] { return core_->RemovePeer(id, drain); });
}

absl::Status Server::UpdatePeer(int id, const std::string& address) {
  return InMemory([&] { return core_->UpdatePeer(id, address); });
}

absl::Status Server::ReloadSecurity() {
  return InMemory([&] { return core_->ReloadSecurity(); });
}

absl::Status Server::ApplyConfig(const Config& config) {
  return InMemory([&] { return core_->ApplyConfig(config); });
}

int Server::Pid() const { return core_->id(); }
std::vector<int> Server::Peers() const { return core_->Peers(); }
std::string Server::Address() const { return core_->Address(); }
void Server::Stop() { core_->Stop(); }

namespace {

// Enough for a full queue, as much again in flight, and a full window. It stays
// at hand for the next burst, and goes when there is none.
std::shared_ptr<BufferPool> NewBuffers(const Config& config) {
  constexpr std::size_t kFreeBytesMax = 64u << 20;
  return std::make_shared<BufferPool>(std::min(
      2 * config.queue_bytes_max + config.window_bytes, kFreeBytesMax));
}

absl::Status AtSecurity(const Config& config, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(PlaceOf(config, "security"),
                                                  ": ", status.message()));
}

absl::Status AddSecurity(const Config& config, TransportConfig* transport) {
  if (config.security.mode == SecurityConfig::Mode::kNone)
    return absl::OkStatus();
  absl::StatusOr<SecurityFiles> files =
      internal::ResolveSecurity(config, transport->server_id);
  if (!files.ok()) return files.status();
  transport->security = *std::move(files);
  return absl::OkStatus();
}

absl::Status CheckMember(const Config& config, int id) {
  std::vector<int> ids;
  for (const ServerAddress& server : config.servers) ids.push_back(server.id);
  if (std::find(ids.begin(), ids.end(), id) != ids.end())
    return absl::OkStatus();
  return absl::NotFoundError(
      absl::StrCat(PlaceOf(config, "servers"), ": no server has id ", id,
                   "; known: ", absl::StrJoin(ids, ", ")));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> NewServer(int server_id, Config config,
                                                  TransportFactory factory) {
  if (absl::Status status = ValidateConfig(config); !status.ok()) return status;
  if (absl::Status status = CheckMember(config, server_id); !status.ok())
    return status;
  absl::StatusOr<const Codec*> codec = FindCodec(config.codec);
  if (!codec.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(PlaceOf(config, "codec"), ": ", codec.status().message()));
  }
  if (config.json_dialect == JsonDialect::kGo) codec = &GoJsonCodec();
  if (factory == nullptr) {
    return absl::InvalidArgumentError(
        "NewServer with a null factory: want one that makes a transport");
  }
  TransportConfig transport_config;
  transport_config.cluster = config.cluster;
  transport_config.server_id = server_id;
  transport_config.frame_bytes_max = internal::FrameBytesMax(config);
  transport_config.peers = config.servers.size() - 1;
  transport_config.handshake_timeout = config.handshake_timeout;
  transport_config.buffers = NewBuffers(config);
  if (absl::Status status = AddSecurity(config, &transport_config);
      !status.ok()) {
    return status;
  }
  const auto options = config.transport_options.find(config.transport);
  if (options != config.transport_options.end())
    transport_config.options = options->second;
  absl::StatusOr<std::unique_ptr<Transport>> transport =
      factory(transport_config);
  if (!transport.ok()) {
    return transport_config.security
               ? internal::AtKeyFile(config, *transport_config.security,
                                     transport.status())
               : transport.status();
  }
  if (*transport == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(PlaceOf(config, "transport"),
                     ": the factory made none; want a transport or an error"));
  }
  // A transport that was made elsewhere may have overlooked that it is to be
  // secured, and would say so here.
  if (transport_config.security) {
    absl::Status status =
        (*transport)->ReloadSecurity(*transport_config.security);
    if (!status.ok()) return AtSecurity(config, status);
  }
  internal::OutOfMemory();  // made while there is memory
  auto core = std::make_unique<internal::ServerCore>(
      server_id, std::move(config), *codec, std::move(transport_config.buffers),
      *std::move(transport));
  return std::unique_ptr<Server>(new Server(std::move(core)));
}

}  // namespace cluster
