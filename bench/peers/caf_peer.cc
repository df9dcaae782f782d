#include "bench/peers/caf_peer.h"

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bench/delivery_count.h"
#include "cluster/base/check.h"

namespace cluster {
namespace bench {
namespace {

constexpr int kQueueLengthMax = 16384;

struct Config : caf::actor_system_config {
  Config() { load<caf::io::middleman>(); }
};

// An actor system with one actor, which others can reach.
class Node {
 public:
  // `behave(self)` is the actor.
  template <typename Behave>
  explicit Node(Behave behave) : actor_(system_.spawn(std::move(behave))) {
    const auto port = system_.middleman().publish(actor_, 0, "127.0.0.1");
    CLUSTER_CHECK(static_cast<bool>(port), "CAF found no port");
    port_ = *port;
  }
  ~Node() { caf::anon_send_exit(actor_, caf::exit_reason::user_shutdown); }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // The actor, for the actors of `other`.
  caf::actor ReachedFrom(caf::actor_system& other) const {
    auto actor = other.middleman().remote_actor("127.0.0.1", port_);
    CLUSTER_CHECK(static_cast<bool>(actor), "CAF did not connect");
    return *actor;
  }

 private:
  Config config_;
  caf::actor_system system_{config_};
  caf::actor actor_;
  std::uint16_t port_ = 0;
};

class CafFanout : public RawFanout {
 public:
  CafFanout(int connections, std::size_t message_bytes, RawReceiver receiver)
      : receiver_(std::move(receiver)),
        window_(RawQueueLength(message_bytes, kQueueLengthMax)),
        counts_(NewDeliveryCounts(connections)) {
    for (int connection = 0; connection < connections; ++connection) {
      receivers_.push_back(
          std::make_unique<Node>([this, connection]() -> caf::behavior {
            return {[this, connection](const std::string& message) {
              receiver_(connection, message);
              counts_[static_cast<std::size_t>(connection)]->Add(1);
            }};
          }));
      remotes_.push_back(receivers_.back()->ReachedFrom(system_));
    }
  }

  char* Begin(std::size_t bytes) override {
    message_.resize(bytes);
    return &message_[0];
  }

  void Commit() override {
    const caf::message shared = caf::make_message(std::move(message_));
    for (const caf::actor& remote : remotes_) caf::anon_send(remote, shared);
    if (++sent_ % window_ != 0) return;
    // Waits for the window before this one.
    for (auto& count : counts_) {
      count->Wait();
      count->Expect(window_);
    }
  }

 private:
  const RawReceiver receiver_;
  const std::int64_t window_;
  std::int64_t sent_ = 0;
  std::vector<std::unique_ptr<DeliveryCount>> counts_;
  std::string message_;
  std::vector<std::unique_ptr<Node>> receivers_;
  Config config_;
  caf::actor_system system_{config_};
  std::vector<caf::actor> remotes_;  // before system_ ends
};

class CafEcho : public RawEcho {
 public:
  explicit CafEcho(std::size_t message_bytes)
      : message_(message_bytes, 'x'),
        far_([]() -> caf::behavior {
          return {[](std::string& message) { return std::move(message); }};
        }),
        remote_(far_.ReachedFrom(system_)) {}

  void RoundTrip() override {
    self_->request(remote_, caf::infinite, message_)
        .receive(
            [this](const std::string& answer) {
              CLUSTER_CHECK(answer.size() == message_.size(), "cut off");
            },
            [](const caf::error&) { CLUSTER_CHECK(false, "the echo ended"); });
  }

 private:
  const std::string message_;
  Node far_;
  Config config_;
  caf::actor_system system_{config_};
  caf::actor remote_;
  caf::scoped_actor self_{system_};
};

}  // namespace

std::unique_ptr<RawFanout> NewCafFanout(int connections,
                                        std::size_t message_bytes,
                                        RawReceiver receiver) {
  return std::make_unique<CafFanout>(connections, message_bytes,
                                     std::move(receiver));
}

std::unique_ptr<RawEcho> NewCafEcho(std::size_t message_bytes) {
  return std::make_unique<CafEcho>(message_bytes);
}

}  // namespace bench
}  // namespace cluster
