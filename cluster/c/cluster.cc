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
#include "cluster/c/convert.h"
#include "cluster/c/handle.h"
#include "cluster/c/status.h"
#include "cluster/config.h"
#include "cluster/envelope.h"
#include "cluster/fate.h"
#include "cluster/peer_event.h"
#include "cluster/server.h"
#include "cluster/version.h"

namespace cluster::internal {
namespace {

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
template <typename Printed>
std::string Text(const Printed& printed) {
  try {
    std::ostringstream text;
    text << printed;
    return text.str();
  } catch (const std::bad_alloc&) {
    return "";
  }
}

// An event that the application frees.
struct ReceivedEvent : cluster_peer_event {
  ReceivedEvent() : cluster_peer_event() {}
  void Take(PeerEvent&& event) {
    held = std::move(event);
    text = Text(held);
    static_cast<cluster_peer_event&>(*this) = ToC(held, text);
  }
  PeerEvent held;
  std::string text;
};

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
using cluster::internal::ReceivedEvent;
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

cluster_status cluster_server_on_stranger(cluster_server* server,
                                          cluster_stranger_handler handler,
                                          void* user) {
  return SetHandler(server, handler != nullptr, [&](Server& cpp) {
    cpp.OnStranger([handler, user](const cluster::Stranger& stranger) {
      cluster_stranger out;
      out.size = sizeof(out);
      out.id = stranger.id;
      out.identity = stranger.identity.value_or(CLUSTER_NOBODY);
      out.address = stranger.address.c_str();
      out.source = stranger.source.c_str();
      handler(&out, user);
    });
  });
}

cluster_status cluster_server_on_fate(cluster_server* server,
                                      cluster_fate_handler handler,
                                      void* user) {
  return SetHandler(server, handler != nullptr, [&](Server& cpp) {
    cpp.OnFate([handler, user](const cluster::Fate& fate) {
      const std::string text = Text(fate);
      cluster_fate out;
      out.size = sizeof(out);
      out.pid = fate.pid;
      out.message_id = ToC(fate.message_id);
      out.dropped = fate.acknowledged() ? int{CLUSTER_ACKNOWLEDGED}
                                        : static_cast<int>(*fate.dropped);
      out.text = text.c_str();
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
    if (status.ok()) status = ToTimeout("timeout_ms", timeout_ms, &timeout);
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
  cluster_send_options options = CLUSTER_SEND_OPTIONS_INIT;
  options.timeout_ms = timeout_ms;
  return cluster_server_multicast_with(server, pids, count, envelope, &options,
                                       id, results);
}

cluster_status cluster_server_send_with(cluster_server* server,
                                        const cluster_envelope* envelope,
                                        const cluster_send_options* options,
                                        cluster_message_id* id) {
  return OnServer(server, [&](Server& cpp) {
    cluster::EnvelopeView view;
    cluster::SendOptions conditions;
    absl::Status status = FromC(envelope, &view);
    if (status.ok()) status = FromC(options, &conditions);
    if (!status.ok()) return status;
    const absl::StatusOr<cluster::MessageId> sent =
        cpp.SendWithId(view, conditions);
    if (sent.ok() && id != nullptr) *id = ToC(*sent);
    return sent.status();
  });
}

cluster_status cluster_server_multicast_with(
    cluster_server* server, const int32_t* pids, size_t count,
    const cluster_envelope* envelope, const cluster_send_options* options,
    cluster_message_id* id, cluster_status* results) {
  cluster::MessageId assigned;
  bool sent = false;
  const cluster_status answer = OnServer(server, [&](Server& cpp) {
    cluster::EnvelopeView view;
    cluster::SendOptions conditions;
    absl::Status status = FromC(envelope, &view);
    if (status.ok() && count > 0) status = NotNull({{"pids", pids}});
    if (status.ok()) status = FromC(options, &conditions);
    if (!status.ok()) return status;
    const cluster::MulticastResult result =
        cpp.Multicast(absl::MakeConstSpan(pids, count), view, conditions);
    assigned = result.message_id;
    sent = !result.peers.empty();
    if (sent && results != nullptr) FillResults(pids, count, result, results);
    return result.status;
  });
  if (id != nullptr) *id = ToC(assigned);
  if (!sent && results != nullptr) std::fill_n(results, count, answer);
  return answer;
}

cluster_status cluster_server_withdraw(cluster_server* server, int32_t pid,
                                       uint8_t lane, uint64_t group,
                                       uint64_t replaces) {
  return OnServer(server, [&](Server& cpp) {
    return cpp.Withdraw(pid, static_cast<cluster::Lane>(lane), group, replaces);
  });
}

cluster_status cluster_server_receive(cluster_server* server,
                                      int64_t timeout_ms,
                                      const cluster_envelope** envelope) {
  return OnServer(server, [&](Server& cpp) {
    absl::Duration timeout;
    absl::Status status = NotNull({{"envelope", envelope}});
    if (status.ok()) status = ToTimeout("timeout_ms", timeout_ms, &timeout);
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

cluster_status cluster_server_receive_any(cluster_server* server,
                                          int64_t timeout_ms,
                                          const cluster_envelope** envelope,
                                          const cluster_peer_event** event) {
  return OnServer(server, [&](Server& cpp) {
    absl::Duration timeout;
    absl::Status status = NotNull({{"envelope", envelope}, {"event", event}});
    if (status.ok()) status = ToTimeout("timeout_ms", timeout_ms, &timeout);
    if (!status.ok()) return status;
    // Before an item is taken, which would be lost without memory.
    auto received = std::make_unique<Received>();
    auto received_event = std::make_unique<ReceivedEvent>();
    absl::StatusOr<cluster::Item> next = cpp.ReceiveAny(timeout);
    if (!next.ok()) return next.status();
    *envelope = nullptr;
    *event = nullptr;
    if (next->envelope) {
      received->Take(*std::move(next->envelope));
      *envelope = received.release();
    } else {
      received_event->Take(*std::move(next->event));
      *event = received_event.release();
    }
    return absl::OkStatus();
  });
}

void cluster_peer_event_free(const cluster_peer_event* event) {
  delete static_cast<const ReceivedEvent*>(event);
}

cluster_status cluster_server_notify_fd(cluster_server* server, int* fd) {
  return OnServer(server, [&](Server& cpp) {
    absl::Status status = NotNull({{"fd", fd}});
    if (!status.ok()) return status;
    const absl::StatusOr<int> made = cpp.NotifyFd();
    if (made.ok()) *fd = *made;
    return made.status();
  });
}

void cluster_server_renew(cluster_server* server) {
  if (server != nullptr) server->server->Renew();
}

cluster_status cluster_server_flush(cluster_server* server, int32_t pid,
                                    int64_t timeout_ms) {
  return OnServer(server, [&](Server& cpp) {
    absl::Duration timeout;
    absl::Status status = ToTimeout("timeout_ms", timeout_ms, &timeout);
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

cluster_status cluster_server_drain_and_remove_peer(cluster_server* server,
                                                    int32_t id,
                                                    int64_t drain_ms) {
  return OnServer(server, [&](Server& cpp) {
    absl::Duration drain;
    absl::Status status = ToTimeout("drain_ms", drain_ms, &drain);
    return status.ok() ? cpp.RemovePeer(id, drain) : status;
  });
}

cluster_status cluster_server_update_peer(cluster_server* server, int32_t id,
                                          const char* address) {
  return OnServer(server, [&](Server& cpp) {
    absl::Status status = NotNull({{"address", address}});
    return status.ok() ? cpp.UpdatePeer(id, address) : status;
  });
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
