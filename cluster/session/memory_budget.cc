#include "cluster/session/memory_budget.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "cluster/session/session_config.h"

namespace cluster::internal {
namespace {

// Far from where sums would overflow.
constexpr std::size_t kUnbounded = std::numeric_limits<std::size_t>::max() / 16;

}  // namespace

MemoryBudget::MemoryBudget()
    : MemoryBudget(MemoryParts{kUnbounded, kUnbounded, kUnbounded, 0}, 1, 0) {}

MemoryBudget::MemoryBudget(const MemoryParts& parts, int peers,
                           std::size_t batch_bytes)
    : parts_(parts),
      batch_bytes_(batch_bytes),
      peers_max_(static_cast<std::size_t>(std::max(peers, 1))) {
  MutexLock lock(&mutex_);
  ShareOut();
}

// A guarantee never grows again: who joins after others left is promised
// nothing that is in use.
void MemoryBudget::ShareOut() {
  peers_max_ = std::max(peers_max_, shares_.size());
  guarantee_.store(parts_.sending / 2 / peers_max_, std::memory_order_relaxed);
  pooled_ = 0;
  for (const Share& share : shares_) pooled_ += Excess(share.reserved);
}

MemoryBudget::Share* MemoryBudget::Find(std::uint64_t share) {
  for (Share& one : shares_) {
    if (one.id == share) return &one;
  }
  return nullptr;
}

bool MemoryBudget::Raise(Share* share, std::size_t reserved) {
  if (reserved <= share->reserved) return true;
  const std::size_t more = reserved - share->reserved;
  const std::size_t pooled = Excess(reserved) - Excess(share->reserved);
  if (reserved_ + more > parts_.sending) return false;
  if (pooled > 0 && pooled_ + pooled > parts_.sending - parts_.sending / 2)
    return false;
  share->reserved = reserved;
  reserved_ += more;
  pooled_ += pooled;
  return true;
}

std::uint64_t MemoryBudget::BeginWait() {
  MutexLock lock(&mutex_);
  waiting_.fetch_add(1, std::memory_order_relaxed);
  return changes_;
}

bool MemoryBudget::WaitForChange(
    std::uint64_t* ticket, std::chrono::steady_clock::time_point deadline) {
  MutexLock lock(&mutex_);
  const bool changed = changed_.WaitUntil(&mutex_, deadline, [&] {
    mutex_.AssertHeld();
    return changes_ != *ticket;
  });
  *ticket = changes_;
  return changed;
}

void MemoryBudget::EndWait() {
  waiting_.fetch_sub(1, std::memory_order_relaxed);
}

void MemoryBudget::Changed() {
  if (waiting_.load(std::memory_order_relaxed) == 0) return;
  MutexLock lock(&mutex_);
  Wake();
}

void MemoryBudget::Wake() {
  ++changes_;
  if (waiting_.load(std::memory_order_relaxed) > 0) changed_.NotifyAll();
}

std::size_t MemoryBudget::reassembly_bytes() const {
  MutexLock lock(&mutex_);
  return claimed_;
}

bool MemoryBudget::HasUnfinished(std::uint64_t share) const {
  return std::any_of(claims_.begin(), claims_.end(), [&](const Claim& claim) {
    return claim.share == share && !claim.finished;
  });
}

// A session in the middle of one record cannot be made to wait with the next one
// of another lane: what waits there withholds the credit that the first one
// needs. So it does not stand in line, and one such session at a time, the one
// with the oldest record, may exceed the pool by a record in each other lane.
// It can always go on; when it is done, the next one can.
bool MemoryBudget::MayClaim(std::uint64_t share, std::size_t bytes) {
  const std::size_t pool = parts_.reassembly - 2 * parts_.record_bytes_max;
  const bool midway = HasUnfinished(share);
  if (claimed_ + bytes <= pool) {
    if (midway) return true;
    const auto first =
        std::find_if(line_.begin(), line_.end(), [&](std::uint64_t id) {
          mutex_.AssertHeld();
          return !HasUnfinished(id);
        });
    return first == line_.end() || *first == share;
  }
  if (!midway || claimed_ + bytes > parts_.reassembly) return false;
  if (over_ == 0) {
    // Claims are in the order of their ages.
    const auto oldest =
        std::find_if(claims_.begin(), claims_.end(),
                     [](const Claim& claim) { return !claim.finished; });
    if (oldest->share == share) over_ = share;
  }
  return over_ == share;
}

void MemoryBudget::FinishClaim(std::uint64_t claim) {
  MutexLock lock(&mutex_);
  for (Claim& one : claims_) {
    if (one.id == claim) one.finished = true;
  }
}

void MemoryBudget::DropClaim(std::uint64_t claim) {
  MutexLock lock(&mutex_);
  const auto found =
      std::find_if(claims_.begin(), claims_.end(),
                   [&](const Claim& one) { return one.id == claim; });
  claimed_ -= found->bytes;
  claims_.erase(found);
  if (claimed_ <= parts_.reassembly - 2 * parts_.record_bytes_max) over_ = 0;
}

ReassemblyClaim& ReassemblyClaim::operator=(ReassemblyClaim&& other) noexcept {
  if (this != &other) {
    Drop();
    budget_ = std::move(other.budget_);
    id_ = other.id_;
  }
  return *this;
}

void ReassemblyClaim::Drop() {
  if (budget_ != nullptr) budget_->DropClaim(id_);
  budget_.reset();
}

MemoryShare::MemoryShare(std::shared_ptr<MemoryBudget> budget,
                         std::size_t window_bytes_max)
    : budget_(std::move(budget)) {
  MutexLock lock(&budget_->mutex_);
  id_ = ++budget_->last_id_;
  budget_->shares_.push_back({id_, 0, 0});
  budget_->ShareOut();
  MemoryBudget::Share& share = budget_->shares_.back();
  const MemoryParts& parts = budget_->parts_;
  const std::size_t left =
      parts.windows - std::min(parts.windows, budget_->windows_);
  // A sender may always have one frame on its way.
  share.window =
      std::min(window_bytes_max,
               std::max(FrameCharge(budget_->batch_bytes_),
                        std::min(parts.windows / budget_->peers_max_, left)));
  budget_->windows_ += share.window;
  window_bytes_ = share.window;
  Divide(budget_->guarantee_);
  if (!budget_->Raise(&share, budget_->guarantee_))
    budget_->Raise(&share, parts.sending - budget_->reserved_);
  reserved_ = share.reserved;
}

MemoryShare::~MemoryShare() {
  MutexLock lock(&budget_->mutex_);
  MemoryBudget::Share* const share = budget_->Find(id_);
  budget_->reserved_ -= share->reserved;
  budget_->windows_ -= share->window;
  *share = budget_->shares_.back();
  budget_->shares_.pop_back();
  budget_->ShareOut();
  auto& line = budget_->line_;
  line.erase(std::remove(line.begin(), line.end(), id_), line.end());
  budget_->Wake();
}

// Of the guarantee an eighth is kept from the bulk lane, and a sixteenth from
// the normal one; and from all what the next frame costs.
void MemoryShare::Divide(std::size_t guarantee) {
  const std::size_t batch = budget_->batch_bytes_;
  gathers_ = guarantee >= 4 * batch;
  spare_ = gathers_ ? 2 * batch : 0;
  kept_ = {kFrameChargeBytes, kFrameChargeBytes + guarantee / 16,
           kFrameChargeBytes + guarantee / 8};
}

bool MemoryShare::Reserve(Lane lane, std::size_t used, std::size_t bytes) {
  MutexLock lock(&budget_->mutex_);
  const std::size_t guarantee = budget_->guarantee_;
  Divide(guarantee);
  const std::size_t need = used + bytes + kept_[static_cast<std::size_t>(lane)];
  MemoryBudget::Share* const share = budget_->Find(id_);
  const bool raised =
      budget_->Raise(share, need <= guarantee ? guarantee
                                              : need + budget_->batch_bytes_) ||
      budget_->Raise(share, need);
  reserved_ = share->reserved;
  return raised;
}

void MemoryShare::TrimBeyond(std::size_t used) {
  const std::size_t guarantee =
      budget_->guarantee_.load(std::memory_order_relaxed);
  const std::size_t needed =
      used + spare_ + kept_[static_cast<std::size_t>(Lane::kBulk)];
  // A stream would give back and reserve the same with each frame.
  if (needed > guarantee && reserved_ <= needed + budget_->batch_bytes_) return;
  MutexLock lock(&budget_->mutex_);
  MemoryBudget::Share* const share = budget_->Find(id_);
  const std::size_t reserved =
      std::min(share->reserved, std::max(needed, guarantee));
  budget_->pooled_ -=
      budget_->Excess(share->reserved) - budget_->Excess(reserved);
  budget_->reserved_ -= share->reserved - reserved;
  share->reserved = reserved_ = reserved;
  Divide(budget_->guarantee_);
  budget_->Wake();
}

ReassemblyClaim MemoryShare::Claim(std::size_t bytes) {
  MutexLock lock(&budget_->mutex_);
  auto& line = budget_->line_;
  if (!budget_->MayClaim(id_, bytes)) {
    if (std::find(line.begin(), line.end(), id_) == line.end())
      line.push_back(id_);
    return ReassemblyClaim();
  }
  line.erase(std::remove(line.begin(), line.end(), id_), line.end());
  const std::uint64_t id = ++budget_->last_id_;
  budget_->claims_.push_back({id, id_, bytes, false});
  budget_->claimed_ += bytes;
  return ReassemblyClaim(budget_, id);
}

void MemoryShare::LeaveLine() {
  MutexLock lock(&budget_->mutex_);
  auto& line = budget_->line_;
  line.erase(std::remove(line.begin(), line.end(), id_), line.end());
}

bool MemoryShare::OthersWait() const {
  MutexLock lock(&budget_->mutex_);
  for (const std::uint64_t id : budget_->line_) {
    if (id != id_) return true;
  }
  return false;
}

}  // namespace cluster::internal
