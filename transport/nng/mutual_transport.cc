#include "transport/nng/mutual_transport.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "transport/forwarding_transport.h"

namespace cluster {
namespace nng {
namespace {

class MutualTransport;

// The generation of links back, which are not the user's.
constexpr std::uint64_t kDialledBack = ~std::uint64_t{0};

// All that have started, and the lock for what they know of each other.
struct Table {
  std::mutex mutex;
  std::set<MutualTransport*> running;
};

Table& TheTable() {
  static Table* const table = new Table;
  return *table;
}

class MutualTransport final : public ForwardingTransport {
 public:
  MutualTransport(std::unique_ptr<Transport> around, int server_id)
      : ForwardingTransport(std::move(around)), server_id_(server_id) {}
  ~MutualTransport() override { Stop(absl::ZeroDuration()); }

  absl::Status Start(TransportHandler* handler,
                     const std::string& local_address) override {
    const absl::Status status =
        ForwardingTransport::Start(handler, local_address);
    if (!status.ok()) return status;
    std::lock_guard<std::mutex> lock(TheTable().mutex);
    TheTable().running.insert(this);
    for (MutualTransport* other : TheTable().running) other->DialBack(this);
    return status;
  }

  absl::Status Connect(int peer, const std::string& address,
                       std::uint64_t generation) override {
    std::lock_guard<std::mutex> lock(TheTable().mutex);
    const absl::Status status = inner()->Connect(peer, address, generation);
    if (!status.ok()) return status;
    wanted_[peer] = address;
    dialled_back_.erase(peer);
    for (MutualTransport* other : TheTable().running) DialBack(other);
    return status;
  }

  void Disconnect(int peer) override {
    std::lock_guard<std::mutex> lock(TheTable().mutex);
    if (wanted_.erase(peer) > 0) inner()->Disconnect(peer);
  }

  SendResult Send(int peer, const Frame& frame) override {
    // The link back is not the user's.
    return IsWanted(peer) ? inner()->Send(peer, frame) : SendResult::kSent;
  }

  void Stop(absl::Duration linger) override {
    {
      std::lock_guard<std::mutex> lock(TheTable().mutex);
      TheTable().running.erase(this);
    }
    inner()->Stop(linger);
  }

 private:
  // If this dials `other`, that dials this. With the table's lock.
  void DialBack(MutualTransport* other) {
    const bool dials =
        std::any_of(wanted_.begin(), wanted_.end(), [other](const auto& entry) {
          return entry.second == other->Address();
        });
    if (!dials || other->wanted_.count(server_id_) > 0) return;
    std::string& dialled = other->dialled_back_[server_id_];
    if (std::exchange(dialled, Address()) == dialled) return;
    other->inner()->Connect(server_id_, dialled, kDialledBack).IgnoreError();
  }

  bool IsWanted(int peer) {
    std::lock_guard<std::mutex> lock(TheTable().mutex);
    return wanted_.count(peer) > 0;
  }

  void OnWritable(int peer) override {
    if (IsWanted(peer)) handler()->OnWritable(peer);
  }
  void OnConnected(int peer, std::uint64_t generation) override {
    if (generation != kDialledBack) handler()->OnConnected(peer, generation);
  }
  void OnDisconnected(int peer, std::uint64_t generation,
                      absl::string_view reason) override {
    if (generation != kDialledBack) {
      handler()->OnDisconnected(peer, generation, reason);
    }
  }

  const int server_id_;
  // By peer; guarded by the table's lock.
  std::map<int, std::string> wanted_;
  std::map<int, std::string> dialled_back_;
};

}  // namespace

std::unique_ptr<Transport> NewMutualTransport(std::unique_ptr<Transport> inner,
                                              int server_id) {
  return std::make_unique<MutualTransport>(std::move(inner), server_id);
}

}  // namespace nng
}  // namespace cluster
