#include "cluster/transport/contract/contract_suite.h"

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cluster {
namespace {

unsigned Random() {
  static std::random_device device;
  return device();
}

// A folder of this process for sockets, removed at its end. The path of Bazel's
// folder is often too long for the 107 bytes of a socket's name.
class SocketFolder {
 public:
  SocketFolder() {
    const char* test_folder = std::getenv("TEST_TMPDIR");
    path_ =
        absl::StrCat(test_folder == nullptr ? "/tmp" : test_folder, "/sXXXXXX");
    if (path_.size() > 80) path_ = "/tmp/sXXXXXX";
    EXPECT_NE(mkdtemp(&path_[0]), nullptr) << path_;
  }
  ~SocketFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

// No other process binds such a host, and no outgoing connection gets one. So
// an address that a test no longer uses stays free.
std::string FreshIpv4Address() {
  return absl::StrCat("127.", 1 + Random() % 254, ".", Random() % 256, ".",
                      1 + Random() % 254, ":0");
}

std::string FreshIpv6Address() { return "[::1]:0"; }

std::string FreshIpcAddress() {
  static const SocketFolder folder;
  static std::atomic<int> count{0};
  return absl::StrCat("ipc://", folder.path(), "/", ++count);
}

bool Node::SendWaiting(int peer, const Frame& frame) {
  while (true) {
    const int before = handler.writable(peer);
    if (transport->Send(peer, frame) == SendResult::kSent) return true;
    if (!handler.WaitForWritable(peer, before + 1)) return false;
  }
}

std::size_t Node::Fill(int peer, std::size_t frame_bytes,
                       std::size_t frames_max) {
  const Frame frame{{MakeSlice(std::string(frame_bytes, 'f'))}};
  std::size_t sent = 0;
  while (sent < frames_max &&
         transport->Send(peer, frame) == SendResult::kSent) {
    ++sent;
  }
  return sent;
}

std::unique_ptr<Node> TransportContract::NewNode(int id,
                                                 std::size_t frame_bytes_max) {
  auto node = std::make_unique<Node>();
  TransportConfig config;
  config.server_id = id;
  config.frame_bytes_max = frame_bytes_max;
  auto transport = GetParam().factory(config);
  EXPECT_TRUE(transport.ok()) << transport.status();
  if (!transport.ok()) return nullptr;
  node->transport = *std::move(transport);
  return node;
}

std::unique_ptr<Node> TransportContract::StartNode(
    int id, std::size_t frame_bytes_max) {
  std::unique_ptr<Node> node = NewNode(id, frame_bytes_max);
  if (node == nullptr) return nullptr;
  const absl::Status started =
      node->transport->Start(&node->handler, GetParam().fresh_address());
  EXPECT_TRUE(started.ok()) << started;
  return started.ok() ? std::move(node) : nullptr;
}

std::string TransportContract::DeadAddress() {
  std::unique_ptr<Node> node = StartNode(99);
  return node == nullptr ? "" : node->transport->Address();
}

bool TransportContract::SendUntilOneArrives(Node& from, int peer, Node& to,
                                            const std::string& text) {
  constexpr int kAttempts = 600;
  for (int i = 0; i < kAttempts; ++i) {
    if (!from.SendWaiting(peer, text)) return false;
    const bool arrived =
        to.handler.WaitFor(std::chrono::milliseconds(50),
                           [&](const Recorded& r) { return r.HasFrame(text); });
    if (arrived) return true;
  }
  return false;
}

}  // namespace cluster
