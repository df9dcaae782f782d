// MemoryBudget: the memory that one server may hold for all its peers together
// (memory_bytes_max). MemoryShare: one session's part in it.
//
// Sending: half of the sending part is guaranteed to the peers, in equal shares.
// The other half is a common pool. A session asks for it only beyond its
// guarantee, in steps of a batch, so an envelope costs a compare. A dead peer with a
// full queue takes nothing that another one is guaranteed. Receiving: the share
// comes with a window. Reassembly: large records claim their room from a pool,
// first come first served, until the application has taken them. Payloads that it
// keeps longer have the part of that pool without which any record still fits.
//
// MemoryBudget is thread-safe, and its lock is taken after all others. A
// MemoryShare is under its session's lock. Shares and claims keep the budget
// alive. Nothing waits but WaitUntil.
//
//   auto budget = std::make_shared<MemoryBudget>(parts, peers, batch_bytes);
//   MemoryShare share(budget, config.window_bytes);
//   if (share.FitsOrReserve(lane, used, bytes)) ...
//   share.Trim(used);

#ifndef CLUSTER_SESSION_MEMORY_BUDGET_H_
#define CLUSTER_SESSION_MEMORY_BUDGET_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "cluster/base/mutex.h"
#include "cluster/config/memory.h"
#include "cluster/envelope.h"

namespace cluster::internal {

class MemoryShare;
class KeptRoom;

class MemoryBudget : public std::enable_shared_from_this<MemoryBudget> {
 public:
  // Without a bound.
  MemoryBudget();
  // For at least `peers` sessions. `batch_bytes`: the step of reservations, and
  // the least window.
  MemoryBudget(const MemoryParts& parts, int peers, std::size_t batch_bytes);
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  const MemoryParts& parts() const { return parts_; }

  // Waits until `done`, which is asked again whenever a session gives room back.
  // It is called without the lock. False at the deadline.
  bool WaitUntil(std::chrono::steady_clock::time_point deadline,
                 absl::FunctionRef<bool()> done);
  // Something may have changed for threads that wait. Cheap while none does.
  void Changed();

  // Of large records, also finished ones that are not taken yet, and of all that
  // is kept.
  std::size_t reassembly_bytes() const;

  // Room for bytes that the application keeps; or none. `claimed`: of a large
  // record, whose claim lives as long as its bytes.
  KeptRoom Keep(std::size_t bytes, bool claimed);
  std::size_t kept_bytes() const;

 private:
  friend class KeptRoom;
  friend class MemoryShare;
  friend class ReassemblyClaim;

  struct Claim {
    std::uint64_t id;
    std::uint64_t share;
  };

  void ShareOut() CLUSTER_REQUIRES(mutex_);
  std::size_t Excess(std::size_t reserved) const {
    return reserved > guarantee_ ? reserved - guarantee_ : 0;
  }
  bool Raise(MemoryShare* share, std::size_t reserved) CLUSTER_REQUIRES(mutex_);
  void Wake() CLUSTER_REQUIRES(mutex_);
  std::size_t pool() const {
    return parts_.reassembly - 2 * parts_.record_bytes_max;
  }
  void LeaveLine(std::uint64_t share) CLUSTER_REQUIRES(mutex_);
  bool HasUnfinished(std::uint64_t share) const CLUSTER_REQUIRES(mutex_);
  bool MayClaim(std::uint64_t share, std::size_t bytes)
      CLUSTER_REQUIRES(mutex_);

  // With as much kept, a record of any size still finds room.
  std::size_t kept_bytes_max() const {
    return parts_.reassembly -
           std::min(parts_.reassembly, 3 * parts_.record_bytes_max);
  }
  void DropKept(std::size_t bytes, bool claimed);

  void FinishClaim(std::uint64_t claim);
  void DropClaim(std::uint64_t claim, std::size_t bytes);

  const MemoryParts parts_;
  const std::size_t batch_bytes_;

  mutable Mutex mutex_;
  std::uint64_t last_id_ CLUSTER_GUARDED_BY(mutex_) = 0;
  std::vector<MemoryShare*> shares_ CLUSTER_GUARDED_BY(mutex_);
  // The most at one time so far.
  std::size_t peers_max_ CLUSTER_GUARDED_BY(mutex_);
  std::atomic<std::size_t> guarantee_{0};  // written under mutex_
  // By all; beyond their guarantees; granted.
  std::size_t reserved_ CLUSTER_GUARDED_BY(mutex_) = 0;
  std::size_t pooled_ CLUSTER_GUARDED_BY(mutex_) = 0;
  std::size_t windows_ CLUSTER_GUARDED_BY(mutex_) = 0;

  CondVar changed_;
  std::uint64_t changes_ CLUSTER_GUARDED_BY(mutex_) = 0;
  std::atomic<int> waiting_{0};

  // Of unfinished records, the oldest first.
  std::vector<Claim> claims_ CLUSTER_GUARDED_BY(mutex_);
  // By all records.
  std::size_t claimed_ CLUSTER_GUARDED_BY(mutex_) = 0;
  std::size_t kept_ CLUSTER_GUARDED_BY(mutex_) = 0;
  // The share that may exceed the pool, or 0.
  std::uint64_t over_ CLUSTER_GUARDED_BY(mutex_) = 0;
  // Shares that wait, in order.
  std::vector<std::uint64_t> line_ CLUSTER_GUARDED_BY(mutex_);
};

// Room for one large record. Gives it back when it goes.
class ReassemblyClaim {
 public:
  ReassemblyClaim() = default;
  ReassemblyClaim(std::shared_ptr<MemoryBudget> budget, std::uint64_t id,
                  std::size_t bytes)
      : budget_(std::move(budget)), id_(id), bytes_(bytes) {}
  ReassemblyClaim(ReassemblyClaim&& other) noexcept = default;
  ReassemblyClaim& operator=(ReassemblyClaim&& other) noexcept;
  ~ReassemblyClaim() { Drop(); }

  // The record is whole: only the application is waited for.
  void Finish() {
    if (budget_ != nullptr) budget_->FinishClaim(id_);
  }
  void Drop();

  explicit operator bool() const { return budget_ != nullptr; }

 private:
  std::shared_ptr<MemoryBudget> budget_;
  std::uint64_t id_ = 0;
  std::size_t bytes_ = 0;
};

// Room for bytes that the application keeps. Gives it back when it goes.
class KeptRoom {
 public:
  KeptRoom() = default;
  KeptRoom(std::shared_ptr<MemoryBudget> budget, std::size_t bytes,
           bool claimed)
      : budget_(std::move(budget)), bytes_(bytes), claimed_(claimed) {}
  KeptRoom(KeptRoom&& other) noexcept = default;
  KeptRoom& operator=(KeptRoom&& other) = delete;
  ~KeptRoom() {
    if (budget_ != nullptr) budget_->DropKept(bytes_, claimed_);
  }

  explicit operator bool() const { return budget_ != nullptr; }

 private:
  std::shared_ptr<MemoryBudget> budget_;
  std::size_t bytes_ = 0;
  bool claimed_ = false;
};

class MemoryShare {
 public:
  MemoryShare(std::shared_ptr<MemoryBudget> budget,
              std::size_t window_bytes_max);
  MemoryShare(const MemoryShare&) = delete;
  MemoryShare& operator=(const MemoryShare&) = delete;
  ~MemoryShare();

  // The window to tell the peer.
  std::size_t window_bytes() const { return window_bytes_; }

  // Whether `bytes` more in the lane are within what is reserved, where `used`
  // are held. Some of it is kept for more urgent lanes.
  bool Fits(Lane lane, std::size_t used, std::size_t bytes) const {
    return used + bytes + kept_[static_cast<std::size_t>(lane)] <= reserved_;
  }
  // The same, if need be after reserving more.
  bool FitsOrReserve(Lane lane, std::size_t used, std::size_t bytes) {
    return Fits(lane, used, bytes) || Reserve(lane, used, bytes);
  }
  // How many bytes more in any lane are within what is reserved.
  std::size_t Free(std::size_t used) const {
    const std::size_t most =
        used + kept_[static_cast<std::size_t>(Lane::kBulk)];
    return reserved_ - std::min(reserved_, most);
  }
  // How many bytes too many that would be.
  std::size_t Lacking(Lane lane, std::size_t used, std::size_t bytes) const {
    return used + bytes + kept_[static_cast<std::size_t>(lane)] - reserved_;
  }
  // Whether envelopes may gather outside the queue: two batches for that stay
  // reserved.
  bool MayGather() const { return gathers_; }
  // Gives back what `used` bytes do not need.
  void Trim(std::size_t used) {
    if (reserved_ > budget_->guarantee_.load(std::memory_order_relaxed))
      TrimBeyond(used);
  }

  // A claim, or none: then the session waits in line.
  ReassemblyClaim Claim(std::size_t bytes);
  void LeaveLine();
  // Whether another session waits in line.
  bool OthersWait() const;

 private:
  friend class MemoryBudget;

  bool Reserve(Lane lane, std::size_t used, std::size_t bytes);
  void TrimBeyond(std::size_t used);
  void Divide(std::size_t guarantee);

  const std::shared_ptr<MemoryBudget> budget_;
  std::uint64_t id_ = 0;
  std::size_t window_bytes_ = 0;
  std::size_t reserved_ = 0;  // changed under the budget's lock
  bool gathers_ = false;
  std::size_t spare_ = 0;
  std::array<std::size_t, kLanes> kept_{};
};

}  // namespace cluster::internal

#endif  // CLUSTER_SESSION_MEMORY_BUDGET_H_
