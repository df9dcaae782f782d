#include "examples/raft/log.h"

#include <utility>

namespace raft {

bool Log::Has(Index index, Term term) const {
  if (index == base_index_) return term == base_term_;
  return index > base_index_ && index <= last_index() && At(index).term == term;
}

std::vector<Entry> Log::From(Index first, std::size_t bytes_max) const {
  std::vector<Entry> entries;
  std::size_t bytes = 0;
  for (Index index = first; index <= last_index(); ++index) {
    const Entry& entry = At(index);
    bytes += entry.command.size();
    if (!entries.empty() && bytes > bytes_max) break;
    entries.push_back(entry);
  }
  return entries;
}

void Log::Append(Entry entry) { entries_.push_back(std::move(entry)); }

void Log::RemoveFrom(Index first) {
  while (last_index() >= first && !entries_.empty()) entries_.pop_back();
}

void Log::RemoveThrough(Index index, Term term) {
  while (base_index_ < index && !entries_.empty()) {
    entries_.pop_front();
    ++base_index_;
  }
  base_index_ = index;
  base_term_ = term;
}

}  // namespace raft
