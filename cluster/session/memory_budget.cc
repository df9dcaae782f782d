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

// A guarantee never grows again. So no session that joins is guaranteed memory
// that others use.
void MemoryBudget::ShareOut() {
  peers_max_ = std::max(peers_max_, shares_.size());
  guarantee_.store(parts_.sending / 2 / peers_max_, std::memory_order_relaxed);
  pooled_ = 0;
  for (const MemoryShare* const share : shares_)
    pooled_ += Excess(share->reserved_);
}

bool MemoryBudget::Raise(MemoryShare* share, std::size_t reserved) {
  if (reserved <= share->reserved_) return true;
  const std::size_t more = reserved - share->reserved_;
  const std::size_t pooled = Excess(reserved) - Excess(share->reserved_);
  if (reserved_ + more > parts_.sending) return false;
  if (pooled > 0 && pooled_ + pooled > parts_.sending - parts_.sending / 2)
    return false;
  share->reserved_ = reserved;
  reserved_ += more;
  pooled_ += pooled;
  return true;
}

bool MemoryBudget::WaitUntil(std::chrono::steady_clock::time_point deadline,
                             absl::FunctionRef<bool()> done) {
  MutexLock lock(&mutex_);
  waiting_.fetch_add(1, std::memory_order_relaxed);
  bool in_time = true;
  while (in_time) {
    const std::uint64_t seen = changes_;
    lock.Unlock();
    const bool over = done();
    lock.Lock();
    if (over) break;
    in_time = changed_.WaitUntil(&mutex_, deadline, [&] {
      mutex_.AssertHeld();
      return changes_ != seen;
    });
  }
  waiting_.fetch_sub(1, std::memory_order_relaxed);
  return in_time;
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

std::size_t MemoryBudget::kept_bytes() const {
  MutexLock lock(&mutex_);
  return kept_;
}

KeptRoom MemoryBudget::Keep(std::size_t bytes, bool claimed) {
  MutexLock lock(&mutex_);
  if (bytes > kept_bytes_max() - kept_) return KeptRoom();
  if (!claimed) {
    if (claimed_ + bytes > pool()) return KeptRoom();
    claimed_ += bytes;
  }
  kept_ += bytes;
  return KeptRoom(shared_from_this(), bytes, claimed);
}

void MemoryBudget::DropKept(std::size_t bytes, bool claimed) {
  MutexLock lock(&mutex_);
  kept_ -= bytes;
  if (claimed) return;
  claimed_ -= bytes;
  if (claimed_ <= pool()) over_ = 0;
}

bool MemoryBudget::HasUnfinished(std::uint64_t share) const {
  return std::any_of(claims_.begin(), claims_.end(),
                     [&](const Claim& claim) { return claim.share == share; });
}

// In the middle of one record a session must not wait with the next one of another
// lane. That would withhold the credit that the first one needs. So it skips the
// line. One such session at a time, the one with the oldest record, may exceed the
// pool by a record in each other lane. It can always go on; when it is done, the
// next one can.
bool MemoryBudget::MayClaim(std::uint64_t share, std::size_t bytes) {
  const bool midway = HasUnfinished(share);
  if (claimed_ + bytes <= pool()) {
    if (midway) return true;
    const auto first =
        std::find_if(line_.begin(), line_.end(), [&](std::uint64_t id) {
          mutex_.AssertHeld();
          return !HasUnfinished(id);
        });
    return first == line_.end() || *first == share;
  }
  if (!midway || claimed_ + bytes > parts_.reassembly) return false;
  if (over_ == 0 && claims_.front().share == share) over_ = share;
  return over_ == share;
}

void MemoryBudget::LeaveLine(std::uint64_t share) {
  line_.erase(std::remove(line_.begin(), line_.end(), share), line_.end());
}

void MemoryBudget::FinishClaim(std::uint64_t claim) {
  MutexLock lock(&mutex_);
  claims_.erase(
      std::remove_if(claims_.begin(), claims_.end(),
                     [&](const Claim& one) { return one.id == claim; }),
      claims_.end());
}

void MemoryBudget::DropClaim(std::uint64_t claim, std::size_t bytes) {
  FinishClaim(claim);
  MutexLock lock(&mutex_);
  claimed_ -= bytes;
  if (claimed_ <= pool()) over_ = 0;
}

ReassemblyClaim& ReassemblyClaim::operator=(ReassemblyClaim&& other) noexcept {
  if (this != &other) {
    Drop();
    budget_ = std::move(other.budget_);
    id_ = other.id_;
    bytes_ = other.bytes_;
  }
  return *this;
}

void ReassemblyClaim::Drop() {
  if (budget_ != nullptr) budget_->DropClaim(id_, bytes_);
  budget_.reset();
}

MemoryShare::MemoryShare(std::shared_ptr<MemoryBudget> budget,
                         std::size_t window_bytes_max)
    : budget_(std::move(budget)) {
  MutexLock lock(&budget_->mutex_);
  id_ = ++budget_->last_id_;
  budget_->shares_.push_back(this);
  budget_->ShareOut();
  const MemoryParts& parts = budget_->parts_;
  const std::size_t left =
      parts.windows - std::min(parts.windows, budget_->windows_);
  // A sender may always have one frame on its way.
  window_bytes_ =
      std::min(window_bytes_max,
               std::max(FrameCharge(budget_->batch_bytes_),
                        std::min(parts.windows / budget_->peers_max_, left)));
  budget_->windows_ += window_bytes_;
  Divide(budget_->guarantee_);
  if (!budget_->Raise(this, budget_->guarantee_))
    budget_->Raise(this, parts.sending - budget_->reserved_);
}

MemoryShare::~MemoryShare() {
  MutexLock lock(&budget_->mutex_);
  budget_->reserved_ -= reserved_;
  budget_->windows_ -= window_bytes_;
  auto& shares = budget_->shares_;
  shares.erase(std::find(shares.begin(), shares.end(), this));
  budget_->ShareOut();
  budget_->LeaveLine(id_);
  budget_->Wake();
}

// An eighth of the guarantee is kept from the bulk lane, and a sixteenth from
// the normal one. The cost of the next frame is kept from all.
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
  return budget_->Raise(this, need <= guarantee
                                  ? guarantee
                                  : need + budget_->batch_bytes_) ||
         budget_->Raise(this, need);
}

void MemoryShare::TrimBeyond(std::size_t used) {
  const std::size_t guarantee =
      budget_->guarantee_.load(std::memory_order_relaxed);
  const std::size_t needed =
      used + spare_ + kept_[static_cast<std::size_t>(Lane::kBulk)];
  // A stream would give back and reserve the same with each frame.
  if (needed > guarantee && reserved_ <= needed + budget_->batch_bytes_) return;
  MutexLock lock(&budget_->mutex_);
  const std::size_t before = std::exchange(
      reserved_, std::min(reserved_, std::max(needed, guarantee)));
  budget_->pooled_ -= budget_->Excess(before) - budget_->Excess(reserved_);
  budget_->reserved_ -= before - reserved_;
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
  budget_->claims_.push_back({++budget_->last_id_, id_});
  budget_->LeaveLine(id_);
  budget_->claimed_ += bytes;
  return ReassemblyClaim(budget_, budget_->last_id_, bytes);
}

void MemoryShare::LeaveLine() {
  MutexLock lock(&budget_->mutex_);
  budget_->LeaveLine(id_);
}

bool MemoryShare::OthersWait() const {
  MutexLock lock(&budget_->mutex_);
  return std::any_of(budget_->line_.begin(), budget_->line_.end(),
                     [this](std::uint64_t id) { return id != id_; });
}

}  // namespace cluster::internal
