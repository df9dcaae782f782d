// PeerTable: the members by id, read without a lock.
//
// A table, once seen, never changes: adding a member makes a new one, and the
// old ones are kept, since a reader may be in one. Peers live as long as the
// table. There is one table more for each id that is ever added at run time, so
// the cost is bounded by the number of different ids, not by how often they
// come and go. Members whose ids are close together, as they are in most
// clusters, are found by one look: a search would guess wrong at each of its
// steps where a server sends to several in turn.
//
// Threads: Find and entries are wait-free on any thread; Insert is safe too.

#ifndef CLUSTER_SERVER_PEER_TABLE_H_
#define CLUSTER_SERVER_PEER_TABLE_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "transport/check.h"

namespace cluster {

template <typename PeerType>
class PeerTable {
 public:
  using Entry = std::pair<int, PeerType*>;

  PeerTable() { Publish({}); }

  // The peer with that id, removed or not; null if there never was one.
  PeerType* Find(int id) const {
    const Table& table = *table_.load(std::memory_order_acquire);
    const std::size_t offset = Offset(table, id);
    if (ABSL_PREDICT_TRUE(offset < table.near.size()))
      return table.near[offset];
    return FindFar(table, id);
  }

  // Sorted by id.
  const std::vector<Entry>& entries() const {
    return table_.load(std::memory_order_acquire)->entries;
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
  static constexpr std::size_t kNear = 256;

  struct Table {
    std::vector<Entry> entries;
    int first = 0;                  // id
    std::vector<PeerType*> near{};  // of ids from `first` on; null: none
  };

  // From the first id; ids before it are far too.
  static std::size_t Offset(const Table& table, int id) {
    return static_cast<unsigned>(id) - static_cast<unsigned>(table.first);
  }

  ABSL_ATTRIBUTE_NOINLINE static PeerType* FindFar(const Table& table, int id) {
    const auto found = std::lower_bound(
        table.entries.begin(), table.entries.end(), id,
        [](const Entry& entry, int key) { return entry.first < key; });
    return found != table.entries.end() && found->first == id ? found->second
                                                              : nullptr;
  }

  void Publish(std::vector<Entry> entries) {
    auto table = std::make_unique<Table>();
    if (!entries.empty()) table->first = entries.front().first;
    for (const auto& [id, peer] : entries) {
      const std::size_t offset = Offset(*table, id);
      if (offset >= kNear) break;
      table->near.resize(offset + 1);
      table->near[offset] = peer;
    }
    table->entries = std::move(entries);
    table_.store(table.get(), std::memory_order_release);
    tables_.push_back(std::move(table));
  }

  std::mutex mutex_;
  std::atomic<const Table*> table_{nullptr};
  std::vector<std::unique_ptr<const Table>> tables_;
  std::vector<std::unique_ptr<PeerType>> peers_;
};

}  // namespace cluster

#endif  // CLUSTER_SERVER_PEER_TABLE_H_
