#include "examples/raft/testing/properties.h"

#include <algorithm>
#include <functional>

#include "absl/strings/str_cat.h"

namespace raft {
namespace {

constexpr std::size_t kViolationsMax = 10;

std::uint64_t Mix(std::uint64_t digest, std::uint64_t value) {
  digest = (digest ^ value) * 0x9e3779b97f4a7c15;
  return digest ^ (digest >> 29);
}

}  // namespace

void Properties::Fail(int id, const std::string& text) {
  if (violations_.size() < kViolationsMax)
    violations_.push_back(absl::StrCat("server ", id, ": ", text));
}

void Properties::Check(int id, std::uint64_t life, const Raft& raft) {
  Mirror& mirror = mirrors_[id];
  if (mirror.life != life) {
    mirror = Mirror();
    mirror.life = life;
  }
  const bool leads = raft.role() == Role::kLeader;
  const bool led = mirror.leads && mirror.current_term == raft.current_term();
  const Index had = mirror.last_index();
  const Index kept = UpdateMirror(id, raft, &mirror);
  if (leads && led && kept < had) {
    Fail(id, absl::StrCat("Leader Append-Only: the leader of term ",
                          raft.current_term(), " changed entry ", kept + 1));
  }
  mirror.leads = leads;
  mirror.current_term = raft.current_term();
  CheckCommitted(id, raft, &mirror);
  if (leads) CheckLeader(id, raft, mirror);
}

Index Properties::UpdateMirror(int id, const Raft& raft, Mirror* mirror) {
  const Log& log = raft.log();
  Digest digest = CommittedDigest(id, log.base_index());
  std::vector<Seen> entries;
  Index kept = std::min(mirror->last_index(), log.base_index());
  for (Index index = log.base_index() + 1; index <= log.last_index(); ++index) {
    const Entry& entry = log.At(index);
    const bool known =
        index > mirror->base_index && index <= mirror->last_index();
    if (known && kept == index - 1 && mirror->At(index).term == entry.term &&
        mirror->At(index).command == entry.command) {
      kept = index;
    }
    digest =
        Mix(Mix(digest, entry.term), std::hash<std::string>()(entry.command));
    entries.push_back({entry.term, entry.command, digest});
    const auto [seen, is_new] =
        entries_.emplace(std::make_pair(index, entry.term), digest);
    if (!is_new && seen->second != digest) {
      Fail(id, absl::StrCat("Log Matching: two logs have an entry ", index,
                            " of term ", entry.term, ", and differ before"));
    }
  }
  mirror->base_index = log.base_index();
  mirror->entries = std::move(entries);
  return kept;
}

Properties::Digest Properties::CommittedDigest(int id, Index index) {
  if (index == 0) return 0;
  if (index <= committed_.size()) return committed_[index - 1].digest;
  Fail(id, absl::StrCat("State Machine Safety: a snapshot has entry ", index,
                        ", which nobody committed"));
  return 0;
}

void Properties::CheckCommitted(int id, const Raft& raft, Mirror* mirror) {
  const Index commit_index = raft.commit_index();
  if (commit_index > mirror->last_index()) {
    Fail(id, absl::StrCat("State Machine Safety: entry ", commit_index,
                          " is committed, and not in the log"));
    return;
  }
  if (commit_index < mirror->commit_index)
    Fail(id, absl::StrCat("commitIndex went back to ", commit_index));
  for (Index index = std::max(mirror->commit_index, mirror->base_index) + 1;
       index <= commit_index; ++index) {
    const Digest digest = mirror->At(index).digest;
    if (index > committed_.size()) {
      committed_.push_back({digest, raft.current_term()});
    } else if (committed_[index - 1].digest != digest) {
      Fail(id,
           absl::StrCat("State Machine Safety: two servers apply different ",
                        "entries at ", index));
      break;
    }
  }
  mirror->commit_index = commit_index;
}

void Properties::CheckLeader(int id, const Raft& raft, const Mirror& mirror) {
  const Term term = raft.current_term();
  const int leader = leaders_.emplace(term, id).first->second;
  if (leader != id) {
    Fail(id, absl::StrCat("Election Safety: server ", leader,
                          " also leads term ", term));
  }
  Index index = committed_.size();
  while (index > 0 && committed_[index - 1].in_term >= term) --index;
  if (index <= mirror.base_index) return;
  if (index > mirror.last_index() ||
      mirror.At(index).digest != committed_[index - 1].digest) {
    Fail(id, absl::StrCat("Leader Completeness: the leader of term ", term,
                          " lacks an entry up to ", index,
                          " that was committed in term ",
                          committed_[index - 1].in_term));
  }
}

void Properties::CheckState(int id, const Replica& replica) {
  const Index applied = replica.raft().last_applied();
  const std::string state = replica.map().Save();
  const auto [seen, is_new] = states_.emplace(applied, state);
  if (!is_new && seen->second != state) {
    Fail(id, absl::StrCat("State Machine Safety: two servers that applied all ",
                          "up to ", applied, " have different states"));
  }
}

}  // namespace raft
