#include "cluster/c/cluster.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/base/mutex.h"
#include "cluster/c/handle.h"
#include "cluster/c/status.h"
#include "cluster/config.h"
#include "cluster/envelope.h"
#include "cluster/peer_event.h"
#include "cluster/server.h"
#include "cluster/version.h"

namespace cluster::internal {
namespace {

// The header has the library's own numbers.
template <typename Enum>
constexpr int Number(Enum value) {
  return static_cast<int>(value);
}
static_assert(CLUSTER_CANCELLED == Number(absl::StatusCode::kCancelled));
static_assert(CLUSTER_UNAUTHENTICATED ==
              Number(absl::StatusCode::kUnauthenticated));
static_assert(CLUSTER_BROADCAST == kBroadcast);
static_assert(CLUSTER_NOBODY == PeerEvent::kNobody);
static_assert(CLUSTER_REQUEST_VOTE_RESPONSE ==
              Number(MsgType::kRequestVoteResponse));
static_assert(CLUSTER_LANE_URGENT == Number(Lane::kUrgent));
static_assert(CLUSTER_LANE_BULK == Number(Lane::kBulk));
static_assert(int{CLUSTER_PEER_UP} == int{PeerEvent::kUp});
static_assert(int{CLUSTER_PEER_WARNING} == int{PeerEvent::kWarning});

// The sizes of cluster_envelope in version 1.0, and more than any version has.
constexpr std::size_t kEnvelopeSizeMin =
    offsetof(cluster_envelope, correlation) + sizeof(std::uint64_t);
constexpr std::size_t kEnvelopeSizeMax = 1024;

cluster_message_id ToC(const MessageId& id) {
  return {id.incarnation, id.sequence};
}

cluster_envelope ToC(const EnvelopeView& view) {
  cluster_envelope envelope = CLUSTER_ENVELOPE_INIT;
  envelope.pid = view.pid;
  envelope.sender_id = view.sender_id;
  envelope.msg_type = static_cast<std::uint16_t>(view.msg_type);
  envelope.lane = static_cast<std::uint8_t>(view.lane);
  envelope.voted = view.voted ? 1 : 0;
  envelope.term = view.term;
  envelope.payload = view.payload.empty() ? "" : view.payload.data();
  envelope.payload_size = view.payload.size();
  envelope.message_id = ToC(view.message_id);
  envelope.group = view.group;
  envelope.correlation = view.correlation;
  return envelope;
}

absl::Status WrongSize(std::size_t size) {
  return absl::InvalidArgumentError(absl::StrCat(
      "an envelope of size ", size, ": want ", kEnvelopeSizeMin, " to ",
      kEnvelopeSizeMax, "; begin with CLUSTER_ENVELOPE_INIT"));
}

// Reads the fields that the caller's version of the struct has. Those of a later
// version must be zero: they would be lost.
absl::Status FromC(const cluster_envelope* envelope, EnvelopeView* view) {
  if (absl::Status status = NotNull({{"envelope", envelope}}); !status.ok())
    return status;
  const std::size_t size = envelope->size;
  if (size < kEnvelopeSizeMin || size > kEnvelopeSizeMax)
    return WrongSize(size);
  const auto* const bytes = reinterpret_cast<const unsigned char*>(envelope);
  if (size > sizeof(cluster_envelope) &&
      std::any_of(bytes + sizeof(cluster_envelope), bytes + size,
                  [](unsigned char byte) { return byte != 0; })) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the envelope uses fields beyond byte ", sizeof(cluster_envelope),
        ", which version ", kVersion,
        " of the library does not know; use a newer one, or leave them 0"));
  }
  cluster_envelope known = CLUSTER_ENVELOPE_INIT;
  std::memcpy(&known, envelope, std::min(size, sizeof(known)));
  if (known.payload == nullptr && known.payload_size > 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "payload is NULL, and payload_size is ", known.payload_size));
  }
  view->pid = known.pid;
  view->msg_type = static_cast<MsgType>(known.msg_type);
  view->lane = static_cast<Lane>(known.lane);
  view->voted = known.voted != 0;
  view->term = known.term;
  if (known.payload_size > 0) {
    view->payload = absl::string_view(static_cast<const char*>(known.payload),
                                      known.payload_size);
  }
  view->group = known.group;
  view->correlation = known.correlation;
  return absl::OkStatus();
}

absl::Status ToTimeout(std::int64_t milliseconds, absl::Duration* timeout) {
  if (milliseconds < CLUSTER_FOREVER) {
    return absl::InvalidArgumentError(
        absl::StrCat("timeout_ms is ", milliseconds,
                     ": want 0, a positive number or CLUSTER_FOREVER"));
  }
  *timeout = milliseconds == CLUSTER_FOREVER ? absl::InfiniteDuration()
                                             : absl::Milliseconds(milliseconds);
  return absl::OkStatus();
}

// An envelope that the application frees.
struct Received : cluster_envelope {
  Received() : cluster_envelope(CLUSTER_ENVELOPE_INIT) {}
  void Take(Envelope&& envelope) {
    held = std::move(envelope);
    static_cast<cluster_envelope&>(*this) = ToC(EnvelopeView(held));
  }
  Envelope held;
};

absl::Status Made(absl::StatusOr<std::unique_ptr<Server>> made,
                  cluster_server** server) {
  if (!made.ok()) return made.status();
  auto handle = std::make_unique<cluster_server>();
  handle->server = *std::move(made);
  *server = handle.release();
  return absl::OkStatus();
}

// A call on a server, which may be null.
template <typename Call>
cluster_status OnServer(cluster_server* server, Call call) {
  return Guarded([&]() -> absl::Status {
    absl::Status status = NotNull({{"server", server}});
    return status.ok() ? call(*server->server) : status;
  });
}

void FixHandlers(cluster_server* server) {
  MutexLock lock(&server->handlers_mutex);
  server->handlers_fixed = true;
}

template <typename Set>
cluster_status SetHandler(cluster_server* server, bool given, Set set) {
  return OnServer(server, [&](Server& cpp) {
    if (!given) return absl::InvalidArgumentError("handler is NULL");
    MutexLock lock(&server->handlers_mutex);
    if (server->handlers_fixed) {
      return absl::FailedPreconditionError(
          "a handler is set after the server was started or stopped: set it "
          "before");
    }
    set(cpp);
    return absl::OkStatus();
  });
}

// For people, so one without memory for it is shorter.
std::string Text(const PeerEvent& event) {
  try {
    std::ostringstream text;
    text << event;
    return text.str();
  } catch (const std::bad_alloc&) {
    return "";
  }
}

cluster_peer_event ToC(const PeerEvent& event, const std::string& text) {
  cluster_peer_event out;
  out.size = sizeof(out);
  out.type = event.type;
  out.peer = event.peer;
  out.stranger_identity = event.stranger.identity.value_or(CLUSTER_NOBODY);
  out.text = text.c_str();
  out.reason = event.reason.c_str();
  out.unknown_fate = event.unknown_fate;
  out.resent = event.resent;
  out.withheld = event.withheld;
  out.stranger_address = event.stranger.address.c_str();
  out.stranger_source = event.stranger.source.c_str();
  return out;
}

// The statuses of a multicast are in the order of its pids, each pid once.
void FillResults(const int32_t* pids, std::size_t count,
                 const MulticastResult& result, cluster_status* results) {
  std::size_t first = 0;  // of those that no pid has had yet
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t at = first;
    if (first < result.peers.size() && result.peers[first].first == pids[i]) {
      ++first;
    } else {
      at = 0;
      while (result.peers[at].first != pids[i]) ++at;
    }
    results[i] = static_cast<cluster_status>(result.peers[at].second.code());
  }
}

}  // namespace
}  // namespace cluster::internal

using cluster::Server;
using cluster::internal::CopyIds;
using cluster::internal::FillResults;
using cluster::internal::FixHandlers;
using cluster::internal::FromC;
using cluster::internal::Guarded;
using cluster::internal::Made;
using cluster::internal::NotNull;
using cluster::internal::OnServer;
using cluster::internal::Received;
using cluster::internal::SetHandler;
using cluster::internal::Text;
using cluster::internal::ToC;
using cluster::internal::ToTimeout;

uint32_t cluster_abi_version(void) {
  return uint32_t{CLUSTER_ABI_MAJOR} << 16 | CLUSTER_ABI_MINOR;
}

const char* cluster_version(void) { return cluster::kVersion; }

cluster_status cluster_server_new(int32_t id, const char* config_file,
                                  cluster_server** server) {
  return Guarded([&] {
    absl::Status status =
        NotNull({{"config_file", config_file}, {"server", server}});
    if (!status.ok()) return status;
    return Made(cluster::NewServer(id, std::string(config_file)), server);
  });
}

cluster_status cluster_server_new_from_text(int32_t id, const char* config,
                                            cluster_server** server) {
  return Guarded([&] {
    absl::Status status = NotNull({{"config", config}, {"server", server}});
    if (!status.ok()) return status;
    absl::StatusOr<cluster::Config> parsed = cluster::ParseConfig(config);
    if (!parsed.ok()) return parsed.status();
    return Made(cluster::NewServer(id, *std::move(parsed)), server);
  });
}

void cluster_server_free(cluster_server* server) {
  // A running handler may still use the handle.
  cluster_server_stop(server);
  delete server;
}

cluster_status cluster_server_on_envelope(cluster_server* server,
                                          cluster_envelope_handler handler,
                                          void* user) {
  return SetHandler(server, handler != nullptr, [&](Server& cpp) {
    cpp.OnEnvelope([handler, user](const cluster::EnvelopeView& view) {
      const cluster_envelope envelope = ToC(view);
      handler(&envelope, user);
    });
  });
}

cluster_status cluster_server_on_peer_event(cluster_server* server,
                                            cluster_peer_event_handler handler,
                                            void* user) {
  return SetHandler(server, handler != nullptr, [&](Server& cpp) {
    cpp.OnPeerEvent([handler, user](const cluster::PeerEvent& event) {
      const std::string text = Text(event);
      const cluster_peer_event out = ToC(event, text);
      handler(&out, user);
    });
  });
}

cluster_status cluster_server_start_sending(cluster_server* server) {
  return OnServer(server, [&](Server& cpp) {
    FixHandlers(server);
    return SendMessage(cpp);
  });
}

cluster_status cluster_server_start_receiving(cluster_server* server) {
  return OnServer(server, [&](Server& cpp) {
    FixHandlers(server);
    return ReceiveMessage(cpp);
  });
}

cluster_status cluster_server_start(cluster_server* server) {
  return OnServer(server, [&](Server& cpp) {
    FixHandlers(server);
    return cpp.Start();
  });
}

void cluster_server_stop(cluster_server* server) {
  if (server == nullptr) return;
  FixHandlers(server);
  server->server->Stop();
}

cluster_status cluster_server_send(cluster_server* server,
                                   const cluster_envelope* envelope,
                                   int64_t timeout_ms, cluster_message_id* id) {
  return OnServer(server, [&](Server& cpp) {
    cluster::EnvelopeView view;
    absl::Duration timeout;
    absl::Status status = FromC(envelope, &view);
    if (status.ok()) status = ToTimeout(timeout_ms, &timeout);
    if (!status.ok()) return status;
    const absl::StatusOr<cluster::MessageId> sent =
        cpp.SendWithId(view, timeout);
    if (sent.ok() && id != nullptr) *id = ToC(*sent);
    return sent.status();
  });
}

cluster_status cluster_server_multicast(cluster_server* server,
                                        const int32_t* pids, size_t count,
                                        const cluster_envelope* envelope,
                                        int64_t timeout_ms,
                                        cluster_message_id* id,
                                        cluster_status* results) {
  cluster::MessageId assigned;
  bool sent = false;
  const cluster_status answer = OnServer(server, [&](Server& cpp) {
    cluster::EnvelopeView view;
    absl::Duration timeout;
    absl::Status status = FromC(envelope, &view);
    if (status.ok() && count > 0) status = NotNull({{"pids", pids}});
    if (status.ok()) status = ToTimeout(timeout_ms, &timeout);
    if (!status.ok()) return status;
    const cluster::MulticastResult result =
        cpp.Multicast(absl::MakeConstSpan(pids, count), view, timeout);
    assigned = result.message_id;
    sent = !result.peers.empty();
    if (sent && results != nullptr) FillResults(pids, count, result, results);
    return result.status;
  });
  if (id != nullptr) *id = ToC(assigned);
  if (!sent && results != nullptr) std::fill_n(results, count, answer);
  return answer;
}

cluster_status cluster_server_receive(cluster_server* server,
                                      int64_t timeout_ms,
                                      const cluster_envelope** envelope) {
  return OnServer(server, [&](Server& cpp) {
    absl::Duration timeout;
    absl::Status status = NotNull({{"envelope", envelope}});
    if (status.ok()) status = ToTimeout(timeout_ms, &timeout);
    if (!status.ok()) return status;
    // Before an envelope is taken, which would be lost without memory.
    auto received = std::make_unique<Received>();
    absl::StatusOr<cluster::Envelope> next = cpp.Receive(timeout);
    if (!next.ok()) return next.status();
    received->Take(*std::move(next));
    *envelope = received.release();
    return absl::OkStatus();
  });
}

void cluster_envelope_free(const cluster_envelope* envelope) {
  delete static_cast<const Received*>(envelope);
}

cluster_status cluster_server_flush(cluster_server* server, int32_t pid,
                                    int64_t timeout_ms) {
  return OnServer(server, [&](Server& cpp) {
    absl::Duration timeout;
    absl::Status status = ToTimeout(timeout_ms, &timeout);
    if (!status.ok()) return status;
    return pid == CLUSTER_BROADCAST ? cpp.Flush(timeout)
                                    : cpp.Flush(pid, timeout);
  });
}

cluster_status cluster_server_add_peer(cluster_server* server, int32_t id,
                                       const char* address) {
  return OnServer(server, [&](Server& cpp) {
    absl::Status status = NotNull({{"address", address}});
    return status.ok() ? cpp.AddPeer(id, address) : status;
  });
}

cluster_status cluster_server_remove_peer(cluster_server* server, int32_t id) {
  return OnServer(server, [&](Server& cpp) { return cpp.RemovePeer(id); });
}

cluster_status cluster_server_reload_security(cluster_server* server) {
  return OnServer(server, [](Server& cpp) { return cpp.ReloadSecurity(); });
}

cluster_status cluster_server_peers(cluster_server* server, int32_t* ids,
                                    size_t capacity, size_t* count) {
  return OnServer(server, [&](Server& cpp) {
    return CopyIds(cpp.Peers(), ids, capacity, count);
  });
}

cluster_status cluster_server_address(cluster_server* server, char* address,
                                      size_t capacity, size_t* length) {
  return OnServer(server, [&](Server& cpp) {
    if (capacity > 0) {
      absl::Status status = NotNull({{"address", address}});
      if (!status.ok()) return status;
    }
    const std::string text = cpp.Address();
    if (length != nullptr) *length = text.size();
    if (capacity > 0) {
      const std::size_t copied = std::min(text.size(), capacity - 1);
      std::memcpy(address, text.data(), copied);
      address[copied] = '\0';
    }
    if (text.size() < capacity) return absl::OkStatus();
    return absl::OutOfRangeError(absl::StrCat("the address needs a room of ",
                                              text.size() + 1, " bytes, not ",
                                              capacity));
  });
}
