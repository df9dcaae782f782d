// The RPCs of the paper, as envelopes.
//
// Envelope::term is the sender's term, sender_id is candidateId or leaderId,
// and voted of a RequestVoteResponse is voteGranted. The structs are the rest,
// which travels in the payload. Decode returns false for bytes of another form.
//
//   envelope.payload = Encode(RequestVote{log.last_index(), log.last_term()});

#ifndef EXAMPLES_RAFT_MESSAGES_H_
#define EXAMPLES_RAFT_MESSAGES_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "cluster/envelope.h"
#include "examples/raft/log.h"

namespace raft {

// The library names the types of AppendEntries and RequestVote.
inline constexpr auto kInstallSnapshotRequest =
    static_cast<cluster::MsgType>(64);
inline constexpr auto kInstallSnapshotResponse =
    static_cast<cluster::MsgType>(65);

struct RequestVote {
  Index last_log_index = 0;
  Term last_log_term = 0;
};

struct AppendEntries {
  Index prev_log_index = 0;
  Term prev_log_term = 0;
  Index leader_commit = 0;
  std::vector<Entry> entries;  // their indices follow prev_log_index
};

struct AppendEntriesResponse {
  bool success = false;
  // Of a success: the log is the leader's up to here. Else the leader should try
  // again from the entry behind this one.
  Index index = 0;
};

// Figure 13. A snapshot travels in chunks.
struct InstallSnapshot {
  Index last_included_index = 0;
  Term last_included_term = 0;
  std::uint64_t offset = 0;
  bool done = false;  // it is the last chunk
  std::string data;
};

struct InstallSnapshotResponse {
  Index last_included_index = 0;
  std::uint64_t bytes = 0;  // that the follower has of it
};

std::string Encode(const RequestVote& message);
std::string Encode(const AppendEntries& message);
std::string Encode(const AppendEntriesResponse& message);
std::string Encode(const InstallSnapshot& message);
std::string Encode(const InstallSnapshotResponse& message);

bool Decode(absl::string_view bytes, RequestVote* message);
bool Decode(absl::string_view bytes, AppendEntries* message);
bool Decode(absl::string_view bytes, AppendEntriesResponse* message);
bool Decode(absl::string_view bytes, InstallSnapshot* message);
bool Decode(absl::string_view bytes, InstallSnapshotResponse* message);

// An AppendEntries without entries.
bool IsHeartbeat(const cluster::Envelope& envelope);

}  // namespace raft

#endif  // EXAMPLES_RAFT_MESSAGES_H_
