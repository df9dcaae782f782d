// Properties: figure 3 of the paper, checked after every step of a server.
//
//   Election Safety        a term has at most one leader
//   Leader Append-Only     a leader overwrites and deletes no entry
//   Log Matching           logs with an entry of one index and term are the same
//                          up to it
//   Leader Completeness    an entry that is committed in a term is in the logs of
//                          the leaders of all later terms
//   State Machine Safety   no two servers apply different entries at one index
//
// It looks at the servers from outside, and remembers all that it has seen. It
// keeps the texts of the first violations. Use it from one thread.
//
//   Properties properties;
//   properties.Check(2, life, replica);  // after each input, and after Work
//   if (!properties.violations().empty()) ...

#ifndef EXAMPLES_RAFT_TESTING_PROPERTIES_H_
#define EXAMPLES_RAFT_TESTING_PROPERTIES_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "examples/raft/replica.h"

namespace raft {

class Properties {
 public:
  // `life` counts the starts of the server.
  void Check(int id, std::uint64_t life, const Raft& raft);
  // After Work: all servers that applied the same entries have this state.
  void CheckState(int id, const Replica& replica);

  const std::vector<std::string>& violations() const { return violations_; }
  std::size_t committed() const { return committed_.size(); }
  std::size_t leaders() const { return leaders_.size(); }

 private:
  // Stands for an entry and all before it.
  using Digest = std::uint64_t;
  struct Seen {
    Term term = 0;
    std::string command;
    Digest digest = 0;
  };
  // The log of a server when it was last seen.
  struct Mirror {
    std::uint64_t life = 0;
    Term current_term = 0;
    bool leads = false;
    Index commit_index = 0;
    Index base_index = 0;
    std::vector<Seen> entries;

    Index last_index() const { return base_index + entries.size(); }
    const Seen& At(Index index) const {
      return entries[index - base_index - 1];
    }
  };
  struct Committed {
    Digest digest = 0;
    Term in_term = 0;  // of the server that was the first to know
  };

  void Fail(int id, const std::string& text);
  // Returns how many of the entries that the mirror had are still there.
  Index UpdateMirror(int id, const Raft& raft, Mirror* mirror);
  Digest CommittedDigest(int id, Index index);
  void CheckLeader(int id, const Raft& raft, const Mirror& mirror);
  void CheckCommitted(int id, const Raft& raft, Mirror* mirror);

  std::map<int, Mirror> mirrors_;
  std::map<Term, int> leaders_;
  std::map<std::pair<Index, Term>, Digest> entries_;  // in any log
  std::vector<Committed> committed_;                  // from index 1
  std::map<Index, std::string> states_;
  std::vector<std::string> violations_;
};

}  // namespace raft

#endif  // EXAMPLES_RAFT_TESTING_PROPERTIES_H_
