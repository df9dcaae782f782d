#include "bench/loopback_cluster.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"
#include "cluster/base/mutex.h"
#include "programs/keygen/keys.h"

ABSL_FLAG(std::size_t, frame_bytes, 0, "As in the config; 0: the default.");
ABSL_FLAG(std::size_t, inflight_bytes, 0, "As in the config; 0: the default.");
ABSL_FLAG(std::size_t, window_bytes, 0, "As in the config; 0: the default.");
ABSL_FLAG(std::size_t, queue_bytes_max, 0, "As in the config; 0: the default.");

namespace cluster {
namespace bench {
namespace {

// Longer than any round trip of a small envelope.
constexpr std::int64_t kSpinUs = 1000;

// Counts kUp events, and waits for all of them.
class UpCount {
 public:
  void Add() {
    internal::MutexLock lock(&mutex_);
    ++up_;
    changed_.NotifyAll();
  }
  void WaitFor(int wanted) {
    internal::MutexLock lock(&mutex_);
    const bool all = changed_.WaitFor(&mutex_, std::chrono::minutes(1),
                                      [&] { return up_ >= wanted; });
    CLUSTER_CHECK(all, "the servers did not find each other");
  }

 private:
  internal::Mutex mutex_;
  internal::CondVar changed_;
  int up_ = 0;
};

void TakeFlag(std::size_t flag, std::size_t* field) {
  if (flag != 0) *field = flag;
}

std::string NewAddress(Scheme scheme) {
  return scheme == Scheme::kTcp ? "127.0.0.1:0"
                                : absl::StrCat("ipc://", NewIpcPath());
}

Config MakeConfig(const std::string& transport, Scheme scheme, int servers) {
  Config config;
  config.cluster = "bench";
  config.transport = transport;
  TakeFlag(absl::GetFlag(FLAGS_frame_bytes), &config.frame_bytes);
  TakeFlag(absl::GetFlag(FLAGS_inflight_bytes), &config.inflight_bytes);
  TakeFlag(absl::GetFlag(FLAGS_window_bytes), &config.window_bytes);
  TakeFlag(absl::GetFlag(FLAGS_queue_bytes_max), &config.queue_bytes_max);
  for (int id = 1; id <= servers; ++id) {
    config.servers.push_back({id, NewAddress(scheme)});
  }
  return config;
}

void CheckOk(const absl::Status& status) {
  CLUSTER_CHECK(status.ok(), status.ToString().c_str());
}

// A folder for keys, removed at the end of the process.
const std::string& KeyFolder() {
  static const struct Folder {
    Folder() {
      CLUSTER_CHECK(mkdtemp(&path[0]) != nullptr, "no folder for keys");
    }
    ~Folder() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
    std::string path = "/tmp/bench_keys_XXXXXX";
  } folder;
  return folder.path;
}

// The keys of each cluster replace those of the last one.
void Secure(int servers, Config* config) {
  KeyRequest request;
  request.cluster = config->cluster;
  request.folder = KeyFolder();
  request.replace = true;
  for (int id = 1; id <= servers; ++id) request.server_ids.push_back(id);
  CheckOk(MakeKeys(request));
  config->security.mode = SecurityConfig::Mode::kMutual;
  config->security.identity = absl::StrCat(request.folder, "/{id}");
  for (int id : request.server_ids) {
    config->security.peer_folders[id] =
        absl::StrCat(request.folder, "/public/", id);
  }
}

}  // namespace

LoopbackCluster::LoopbackCluster(const std::string& transport, Scheme scheme,
                                 int servers,
                                 const HandlerFactory& make_handler,
                                 const LoopbackOptions& options) {
  Config config = MakeConfig(transport, scheme, servers);
  TakeFlag(options.window_bytes, &config.window_bytes);
  if (options.secrecy == Secrecy::kMutual) Secure(servers, &config);
  if (options.threads == Threads::kShared)
    config.transport_options["zmq"].values["share_context"] = true;
  if (options.threads == Threads::kSpinning)
    config.transport_options["tcp"].values["spin_us"] = kSpinUs;
  // Shared, since the servers' handlers outlive this function.
  const auto ups = std::make_shared<UpCount>();
  for (int id = 1; id <= servers; ++id) {
    absl::StatusOr<std::unique_ptr<Server>> server = NewServer(id, config);
    CheckOk(server.status());
    if (EnvelopeHandler handler = make_handler(**server)) {
      (*server)->OnEnvelope(std::move(handler));
    }
    (*server)->OnPeerEvent([ups](const PeerEvent& event) {
      if (event.type == PeerEvent::kUp) ups->Add();
    });
    CheckOk((*server)->Start());
    servers_.push_back(*std::move(server));
  }
  if (scheme == Scheme::kTcp) {
    for (auto& self : servers_) {
      for (auto& other : servers_) {
        if (self == other) continue;
        const std::string address = other->Address();
        CheckOk(self->AddPeer(
            other->Pid(), options.route ? options.route(address) : address));
      }
    }
  }
  ups->WaitFor(servers * (servers - 1));
}

void LoopbackCluster::Stop() {
  for (auto& server : servers_) server->Stop();
}

double ItemsPerFrame(LoopbackCluster& cluster) {
  double envelopes = 0;
  double frames = 0;
  for (int id = 1; id <= cluster.size(); ++id) {
    for (const PeerStats& peer : cluster.server(id).Stats().peers) {
      if (peer.accepted == 0) continue;
      envelopes += static_cast<double>(peer.accepted);
      frames += static_cast<double>(peer.frames_sent);
    }
  }
  return envelopes / frames;
}

void SendOrDie(Server& server, const Envelope& envelope) {
  CheckOk(server.Send(envelope, absl::InfiniteDuration()));
}

}  // namespace bench
}  // namespace cluster
