// PeerTable: the members by id, read without a lock.
//
// A table, once seen, never changes: adding a member makes a new one, and the
// old ones are kept, since a reader may be in one. Peers live as long as the
// table. There is one table more for each id that is ever added at run time, so
// the cost is bounded by the number of different ids, not by how often they
// come and go.
//
// Threads: Find and peers are wait-free on any thread; Insert is safe too.

#ifndef CLUSTER_SERVER_PEER_TABLE_H_
#define CLUSTER_SERVER_PEER_TABLE_H_

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "transport/check.h"

namespace cluster {

template <typename PeerType>
class PeerTable {
 public:
  using Entry = std::pair<int, PeerType*>;

  PeerTable() { Publish({}); }

  // The peer with that id, removed or not; null if there never was one.
  PeerType* Find(int id) const {
    const std::vector<Entry>& entries = this->entries();
    const auto found = std::lower_bound(
        entries.begin(), entries.end(), id,
        [](const Entry& entry, int key) { return entry.first < key; });
    return found != entries.end() && found->first == id ? found->second
                                                        : nullptr;
  }

  // Sorted by id.
  const std::vector<Entry>& entries() const {
    return *table_.load(std::memory_order_acquire);
  }

  // The id is new.
  void Insert(std::vector<std::pair<int, std::unique_ptr<PeerType>>> peers) {
    std::lock_guard<std::mutex> lock(mutex_);
    std::vector<Entry> entries = this->entries();
    for (auto& [id, peer] : peers) {
      CLUSTER_CHECK(Find(id) == nullptr, "the id is in the table");
      entries.emplace_back(id, peer.get());
      peers_.push_back(std::move(peer));
    }
    std::sort(entries.begin(), entries.end());
    Publish(std::move(entries));
  }

 private:
  void Publish(std::vector<Entry> entries) {
    tables_.push_back(
        std::make_unique<const std::vector<Entry>>(std::move(entries)));
    table_.store(tables_.back().get(), std::memory_order_release);
  }

  std::mutex mutex_;
  std::atomic<const std::vector<Entry>*> table_{nullptr};
  std::vector<std::unique_ptr<const std::vector<Entry>>> tables_;
  std::vector<std::unique_ptr<PeerType>> peers_;
};

}  // namespace cluster

#endif  // CLUSTER_SERVER_PEER_TABLE_H_
