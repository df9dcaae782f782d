// Bug: mistakes that the tests plant into this Raft, one per build, to see that
// the properties of the paper fail. An ordinary build has none.
//
//   cc_library(local_defines = ["RAFT_BUG=kVoteTwice"], ...)

#ifndef EXAMPLES_RAFT_BUG_H_
#define EXAMPLES_RAFT_BUG_H_

namespace raft {

enum class Bug {
  kNone,
  kVoteTwice,        // for two candidates in one term
  kCountOldTerms,    // commit an entry of an old term by counting replicas
  kForgetFsync,      // answer before all is on stable storage
  kObeyStaleLeader,  // accept entries from a leader of an old term
  kSkipLogCheck,     // vote for a candidate whose log lacks entries
};

#ifndef RAFT_BUG
#define RAFT_BUG kNone
#endif
inline constexpr Bug kBug = Bug::RAFT_BUG;

}  // namespace raft

#endif  // EXAMPLES_RAFT_BUG_H_
