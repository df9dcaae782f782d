// Helpers for unit tests of Server, over the memory transport in one process.
//
// Functions make a config, servers and envelopes; a Recorder records handlers'
// calls. All are thread-safe. A server that cannot be made or started fails the
// test. For tests over sockets use tests/harness.
//
//   const Config config = MakeConfig(2);
//   auto one = Started(1, config), two = Started(2, config);
//   ASSERT_TRUE(one->Send(To(2, "hello")).ok());
//   EXPECT_EQ(two->Receive(kLong)->payload, "hello");

#ifndef CLUSTER_TESTING_TEST_SERVER_H_
#define CLUSTER_TESTING_TEST_SERVER_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/base/mutex.h"
#include "cluster/server.h"
#include "cluster/transport/memory/memory_transport.h"
#include "gtest/gtest.h"

namespace cluster::internal {

inline constexpr absl::Duration kLong = absl::Seconds(30);

// The config of a new cluster, with the servers 1, 2, ...
inline Config MakeConfig(int servers) {
  static std::atomic<int> clusters{0};
  Config config;
  config.cluster = absl::StrCat("server-test-", ++clusters);
  config.transport = "memory";
  for (int id = 1; id <= servers; ++id)
    config.servers.push_back({id, absl::StrCat("m", id)});
  return config;
}

inline std::unique_ptr<Server> Make(int id, const Config& config) {
  absl::StatusOr<std::unique_ptr<Server>> server =
      NewServer(id, config, NewMemoryTransport);
  EXPECT_TRUE(server.ok()) << server.status();
  return *std::move(server);
}

inline std::unique_ptr<Server> Started(int id, const Config& config) {
  std::unique_ptr<Server> server = Make(id, config);
  const absl::Status status = server->Start();
  EXPECT_TRUE(status.ok()) << status;
  return server;
}

inline Envelope To(int pid, std::string payload = "") {
  Envelope envelope;
  envelope.pid = pid;
  envelope.payload = std::move(payload);
  return envelope;
}

// Records payloads and peer events in the order of the handlers' calls.
class Recorder {
 public:
  void Attach(Server* server) {
    server->OnEnvelope(
        [this](const EnvelopeView& view) { Add(std::string(view.payload)); });
    server->OnPeerEvent([this](const PeerEvent& event) {
      Add(absl::StrCat("<", PeerEventTypeName(event.type), " ", event.peer,
                       ">"));
    });
  }
  void Add(std::string text) {
    MutexLock lock(&mutex_);
    texts_.push_back(std::move(text));
    changed_.NotifyAll();
  }
  void Clear() {
    MutexLock lock(&mutex_);
    texts_.clear();
  }
  // Waits until the text is there, and returns all texts so far.
  std::vector<std::string> WaitFor(const std::string& text) {
    MutexLock lock(&mutex_);
    EXPECT_TRUE(changed_.WaitFor(
        &mutex_, std::chrono::seconds(30),
        [&] {
          return std::find(texts_.begin(), texts_.end(), text) != texts_.end();
        }))
        << "no \"" << text << "\"";
    return texts_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> texts_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_TESTING_TEST_SERVER_H_
