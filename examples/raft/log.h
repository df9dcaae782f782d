// Log: the entries that all servers agree on, and may be cut off at the front.
//
// Indices count from 1. A snapshot replaces the entries up to base_index(); the
// log remembers the term of that last one. A plain value.
//
//   log.Append({log.last_index() + 1, current_term, command});
//   if (!log.Has(prev_log_index, prev_log_term)) ...  // figure 2, rule 2

#ifndef EXAMPLES_RAFT_LOG_H_
#define EXAMPLES_RAFT_LOG_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace raft {

using Index = std::uint64_t;
using Term = std::uint64_t;

struct Entry {
  Index index = 0;
  Term term = 0;
  std::string command;  // for the state machine; empty: none
};

class Log {
 public:
  Index base_index() const { return base_index_; }
  Term base_term() const { return base_term_; }
  Index last_index() const { return base_index_ + entries_.size(); }
  Term last_term() const {
    return entries_.empty() ? base_term_ : entries_.back().term;
  }

  // Whether the entry at `index` is known to be of `term`.
  bool Has(Index index, Term term) const;
  // base_index() < index <= last_index().
  const Entry& At(Index index) const {
    return entries_[index - base_index_ - 1];
  }
  // Those from `first` on, until they have `bytes_max`; at least one.
  std::vector<Entry> From(Index first, std::size_t bytes_max) const;

  void Append(Entry entry);  // at last_index() + 1
  void RemoveFrom(Index first);
  // Forgets the entries up to `index`, the last of which is of `term`.
  void RemoveThrough(Index index, Term term);

 private:
  Index base_index_ = 0;
  Term base_term_ = 0;
  std::deque<Entry> entries_;
};

}  // namespace raft

#endif  // EXAMPLES_RAFT_LOG_H_
