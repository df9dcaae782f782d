// The members by id, read without a lock.
//
// A reader may hold a peer for as long as the table lives, so no object is
// freed. One that was removed serves the next new member (PeerType::id); its own
// lock guards that. So memory is bounded by how many members there were at one
// time. The table is a hash of pointers that grows by doubling, and keeps the
// arrays that it outgrew for readers that are in them.
//
// Find and all are thread-safe, and wait only where an id is missing while
// members change. The rest is one thread's at a time.
//
//   PeerTable<ReliablePeer> table;
//   table.Insert(std::move(peer));
//   if (ReliablePeer* const found = table.Find(2)) found->Send(2, view);
//   for (ReliablePeer* peer : table.all()) peer->Tick(now);

#ifndef CLUSTER_SERVER_PEER_TABLE_H_
#define CLUSTER_SERVER_PEER_TABLE_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "absl/types/span.h"
#include "cluster/base/check.h"
#include "cluster/base/mutex.h"

namespace cluster::internal {

template <typename PeerType>
class PeerTable {
 public:
  PeerTable() {
    MutexLock lock(&mutex_);
    Grow(kSlotsMin);
  }

  // The member with that id; null if there is none.
  PeerType* Find(int id) const {
    // Before the table: whoever sees a change sees the table that it was made
    // in.
    const std::uint64_t changes = changes_.load(std::memory_order_acquire);
    PeerType* const found = Probe(*table_.load(std::memory_order_acquire), id);
    if (ABSL_PREDICT_TRUE(found != nullptr)) return found;
    return FindMissing(id, changes);
  }

  // Every object, once, members or not, in no order.
  absl::Span<PeerType* const> all() const {
    const List& list = *list_.load(std::memory_order_acquire);
    return {list.peers.get(), list.size.load(std::memory_order_acquire)};
  }

  // A new object, whose id is no member's.
  PeerType* Insert(std::unique_ptr<PeerType> peer) {
    PeerType* const member = peer.get();
    objects_.push_back(std::move(peer));
    AppendToList(member);
    Publish(member);
    return member;
  }
  // An object that serves nobody, to be given back by Reinsert; null if all do.
  PeerType* TakeFree() {
    if (free_.empty()) return nullptr;
    PeerType* const peer = free_.back();
    free_.pop_back();
    return peer;
  }
  // An object that TakeFree gave, with its new id, which is no member's.
  void Reinsert(PeerType* peer) { Publish(peer); }
  // The member is not found any more; Release follows when it serves nobody.
  void Erase(PeerType* member) {
    MutexLock lock(&mutex_);
    const Table& table = *table_.load(std::memory_order_relaxed);
    std::size_t slot = Home(table, member->id());
    while (table.At(slot) != member) slot = table.After(slot);
    BeginChange();
    CloseGap(table, slot);
    EndChange();
    --members_;
  }
  void Release(PeerType* peer) { free_.push_back(peer); }

 private:
  static constexpr unsigned kSlotsMin = 4;  // as a power of two

  // Open addressing, at most half full.
  struct Table {
    explicit Table(unsigned bits)
        : shift(64 - bits),
          mask((std::size_t{1} << bits) - 1),
          slots(new std::atomic<PeerType*>[mask + 1]) {
      for (std::size_t i = 0; i <= mask; ++i)
        slots[i].store(nullptr, std::memory_order_relaxed);
    }
    PeerType* At(std::size_t slot) const {
      return slots[slot].load(std::memory_order_acquire);
    }
    void Put(std::size_t slot, PeerType* peer) const {
      slots[slot].store(peer, std::memory_order_release);
    }
    std::size_t After(std::size_t slot) const { return (slot + 1) & mask; }

    const unsigned shift;
    const std::size_t mask;
    const std::unique_ptr<std::atomic<PeerType*>[]> slots;
  };

  struct List {
    explicit List(std::size_t room)
        : capacity(room), peers(new PeerType*[room]) {}

    const std::size_t capacity;
    const std::unique_ptr<PeerType*[]> peers;
    std::atomic<std::size_t> size{0};
  };

  // Knuth, The Art of Computer Programming, volume 3, section 6.4: by the
  // golden ratio ids that are close together are spread evenly.
  static std::size_t Home(const Table& table, int id) {
    constexpr std::uint64_t kRatio = 0x9e3779b97f4a7c15;
    return static_cast<std::size_t>(
        (static_cast<std::uint64_t>(static_cast<unsigned>(id)) * kRatio) >>
        table.shift);
  }

  static PeerType* Probe(const Table& table, int id) {
    for (std::size_t slot = Home(table, id);; slot = table.After(slot)) {
      PeerType* const peer = table.At(slot);
      if (peer == nullptr || peer->id() == id) return peer;
    }
  }

  // A change may have moved it past the reader: then again, while nothing
  // changes.
  ABSL_ATTRIBUTE_NOINLINE PeerType* FindMissing(int id,
                                                std::uint64_t changes) const {
    const bool changing = changes % 2 != 0;
    if (!changing && changes_.load(std::memory_order_acquire) == changes)
      return nullptr;
    MutexLock lock(&mutex_);
    return Probe(*table_.load(std::memory_order_relaxed), id);
  }

  // Odd between the two. Whoever sees a slot of a change sees that it began.
  void BeginChange() { changes_.fetch_add(1, std::memory_order_acq_rel); }
  void EndChange() { changes_.fetch_add(1, std::memory_order_acq_rel); }

  void Publish(PeerType* member) {
    MutexLock lock(&mutex_);
    CLUSTER_CHECK(
        Probe(*table_.load(std::memory_order_relaxed), member->id()) == nullptr,
        "the id is in the table");
    ++members_;
    BeginChange();
    if (2 * members_ > table_.load(std::memory_order_relaxed)->mask + 1)
      Grow(++bits_);
    PutInto(*table_.load(std::memory_order_relaxed), member);
    EndChange();
  }

  void Grow(unsigned bits) CLUSTER_REQUIRES(mutex_) {
    bits_ = bits;
    auto table = std::make_unique<Table>(bits);
    if (!tables_.empty()) {
      const Table& before = *tables_.back();
      for (std::size_t slot = 0; slot <= before.mask; ++slot) {
        if (PeerType* const peer = before.At(slot)) PutInto(*table, peer);
      }
    }
    table_.store(table.get(), std::memory_order_release);
    tables_.push_back(std::move(table));
  }

  static void PutInto(const Table& table, PeerType* peer) {
    std::size_t slot = Home(table, peer->id());
    while (table.At(slot) != nullptr) slot = table.After(slot);
    table.Put(slot, peer);
  }

  // Moves back into the gap, one after the other, whatever the gap would part
  // from its home.
  static void CloseGap(const Table& table, std::size_t gap) {
    for (std::size_t slot = table.After(gap);; slot = table.After(slot)) {
      PeerType* const peer = table.At(slot);
      if (peer == nullptr) break;
      const std::size_t from_home =
          (slot - Home(table, peer->id())) & table.mask;
      if (from_home < ((slot - gap) & table.mask)) continue;
      table.Put(gap, peer);
      gap = slot;
    }
    table.Put(gap, nullptr);
  }

  void AppendToList(PeerType* peer) {
    List* list = lists_.empty() ? nullptr : lists_.back().get();
    const std::size_t size =
        list == nullptr ? 0 : list->size.load(std::memory_order_relaxed);
    if (list == nullptr || size == list->capacity) {
      lists_.push_back(
          std::make_unique<List>(std::max<std::size_t>(8, 2 * size)));
      if (size > 0)
        std::copy_n(list->peers.get(), size, lists_.back()->peers.get());
      list = lists_.back().get();
    }
    list->peers[size] = peer;
    list->size.store(size + 1, std::memory_order_release);
    list_.store(list, std::memory_order_release);
  }

  mutable Mutex mutex_;  // held over each change of the table
  std::atomic<std::uint64_t> changes_{0};
  std::atomic<const Table*> table_{nullptr};
  std::vector<std::unique_ptr<const Table>> tables_ CLUSTER_GUARDED_BY(mutex_);
  unsigned bits_ CLUSTER_GUARDED_BY(mutex_) = 0;
  std::size_t members_ CLUSTER_GUARDED_BY(mutex_) = 0;

  static inline const List kEmptyList{0};
  std::atomic<const List*> list_{&kEmptyList};
  std::vector<std::unique_ptr<List>> lists_;
  std::vector<std::unique_ptr<PeerType>> objects_;
  std::vector<PeerType*> free_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_PEER_TABLE_H_
