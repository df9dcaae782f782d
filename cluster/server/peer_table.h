// The members by id, read without a lock.
//
// A reader may hold a peer for as long as the table lives, so no object is
// freed. The object of a former member serves the next new one. So memory is
// bounded by the number of members at one time. A member keeps its place in the
// hash table, so no reader misses it. The table grows by doubling, and keeps
// the arrays that it outgrew for readers that are in them.
//
// Find and all are thread-safe. The rest is one thread's at a time.
//
//   PeerTable<ReliablePeer> table;
//   ReliablePeer* const peer = table.Vacant([] { return NewPeer(); });
//   peer->Join(2, PeerStats());
//   table.Insert(peer);
//   if (ReliablePeer* const found = table.Find(2)) found->Send(2, view);
//   for (ReliablePeer* each : table.all()) each->Tick(now);

#ifndef CLUSTER_SERVER_PEER_TABLE_H_
#define CLUSTER_SERVER_PEER_TABLE_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "cluster/base/check.h"

namespace cluster::internal {

template <typename PeerType>
class PeerTable {
 public:
  PeerTable() { Grow(); }

  // The member with that id; null if there is none.
  PeerType* Find(int id) const {
    const Slot* const slot = table_.load(std::memory_order_acquire)->SlotOf(id);
    return slot == nullptr ? nullptr
                           : slot->peer.load(std::memory_order_acquire);
  }

  // Every object, once, members or not, in no order.
  absl::Span<PeerType* const> all() const {
    const List& list = *list_.load(std::memory_order_acquire);
    return {list.peers.get(), list.size.load(std::memory_order_acquire)};
  }

  // An object that serves nobody: a former member's, or else what `make`
  // returns.
  template <typename Make>
  PeerType* Vacant(Make make) {
    for (PeerType* const peer : all()) {
      if (peer->id() == PeerType::kNobody) return peer;
    }
    objects_.push_back(make());
    AppendToList(objects_.back().get());
    return objects_.back().get();
  }
  // The object serves a new member now.
  void Insert(PeerType* peer) {
    CLUSTER_CHECK(Find(peer->id()) == nullptr, "the id is in the table");
    if (2 * (members_ + 1) > tables_.back()->mask + 1) Grow();
    tables_.back()->Put(peer);
    ++members_;
  }
  // The member is not found any more.
  void Erase(int id) {
    Slot* const slot = tables_.back()->SlotOf(id);
    slot->peer.store(nullptr, std::memory_order_release);
    slot->id.store(kLeft, std::memory_order_release);
    --members_;
  }

 private:
  // Ids of slots without a member: none was there so far; one has left.
  static constexpr int kUnused = -1;
  static constexpr int kLeft = -2;

  struct Slot {
    std::atomic<int> id{kUnused};
    std::atomic<PeerType*> peer{nullptr};
  };

  // Open addressing, with members in at most half of the slots. A slot is never
  // unused again, so a search never ends before a member that stays.
  struct Table {
    explicit Table(unsigned bits)
        : shift(64 - bits),
          mask((std::size_t{1} << bits) - 1),
          slots(new Slot[mask + 1]) {}

    // Knuth, The Art of Computer Programming, volume 3, section 6.4: by the
    // golden ratio ids that are close together are spread evenly.
    std::size_t Home(int id) const {
      constexpr std::uint64_t kRatio = 0x9e3779b97f4a7c15;
      return static_cast<std::size_t>(
          (static_cast<std::uint64_t>(static_cast<unsigned>(id)) * kRatio) >>
          shift);
    }
    // Null if the id is nowhere.
    Slot* SlotOf(int id) const {
      const std::size_t home = Home(id);
      for (std::size_t step = 0; step <= mask; ++step) {
        Slot& slot = slots[(home + step) & mask];
        const int held = slot.id.load(std::memory_order_acquire);
        if (held == id) return &slot;
        if (held == kUnused) return nullptr;
      }
      return nullptr;
    }
    void Put(PeerType* peer) {
      std::size_t at = Home(peer->id());
      while (slots[at].peer.load(std::memory_order_relaxed) != nullptr)
        at = (at + 1) & mask;
      slots[at].peer.store(peer, std::memory_order_relaxed);
      slots[at].id.store(peer->id(), std::memory_order_release);
    }

    const unsigned shift;
    const std::size_t mask;
    const std::unique_ptr<Slot[]> slots;
  };

  struct List {
    explicit List(std::size_t room)
        : capacity(room), peers(new PeerType*[room]) {}

    const std::size_t capacity;
    const std::unique_ptr<PeerType*[]> peers;
    std::atomic<std::size_t> size{0};
  };

  void Grow() {
    auto table = std::make_unique<Table>(++bits_);
    if (!tables_.empty()) {
      const Table& before = *tables_.back();
      for (std::size_t at = 0; at <= before.mask; ++at) {
        if (PeerType* const peer = before.slots[at].peer) table->Put(peer);
      }
    }
    table_.store(table.get(), std::memory_order_release);
    tables_.push_back(std::move(table));
  }

  void AppendToList(PeerType* peer) {
    const absl::Span<PeerType* const> before = all();
    if (lists_.empty() || before.size() == lists_.back()->capacity) {
      lists_.push_back(
          std::make_unique<List>(std::max<std::size_t>(8, 2 * before.size())));
      std::copy(before.begin(), before.end(), lists_.back()->peers.get());
    }
    List* const list = lists_.back().get();
    list->peers[before.size()] = peer;
    list->size.store(before.size() + 1, std::memory_order_release);
    list_.store(list, std::memory_order_release);
  }

  unsigned bits_ = 3;
  std::atomic<const Table*> table_{nullptr};
  std::vector<std::unique_ptr<Table>> tables_;
  std::size_t members_ = 0;

  static inline const List kEmptyList{0};
  std::atomic<const List*> list_{&kEmptyList};
  std::vector<std::unique_ptr<List>> lists_;
  std::vector<std::unique_ptr<PeerType>> objects_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_PEER_TABLE_H_
