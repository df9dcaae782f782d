// The rules of figure 2, each with a server alone: envelopes in, envelopes out.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "examples/raft/messages.h"
#include "examples/raft/raft.h"
#include "gtest/gtest.h"

namespace raft {
namespace {

using cluster::Envelope;
using cluster::MsgType;

class RulesTest : public testing::Test {
 protected:
  // Server 1 of three, with these terms in its log.
  explicit RulesTest(std::vector<Term> log = {1, 1, 2}) {
    Persistent persistent;
    persistent.current_term = 2;
    for (Term term : log)
      persistent.log.Append({persistent.log.last_index() + 1, term, "x"});
    RaftConfig config;
    config.id = 1;
    config.members = {1, 2, 3};
    raft_.emplace(config, std::move(persistent));
  }

  // Returns the server's answers.
  template <typename Message>
  std::vector<Envelope> Give(int sender, MsgType type, Term term,
                             const Message& message, bool voted = false) {
    Envelope envelope;
    envelope.sender_id = sender;
    envelope.msg_type = type;
    envelope.term = term;
    envelope.voted = voted;
    envelope.payload = Encode(message);
    raft_->OnEnvelope(envelope);
    output_ = raft_->TakeOutput();
    return output_.send;
  }
  bool Votes(int candidate, Term term, Index last_index, Term last_term) {
    const auto sent = Give(candidate, MsgType::kRequestVoteRequest, term,
                           RequestVote{last_index, last_term});
    EXPECT_EQ(sent.size(), 1u);
    return !sent.empty() && sent[0].voted;
  }
  AppendEntriesResponse Append(int leader, Term term,
                               const AppendEntries& request) {
    const auto sent =
        Give(leader, MsgType::kAppendEntriesRequest, term, request);
    AppendEntriesResponse response;
    EXPECT_EQ(sent.size(), 1u);
    EXPECT_TRUE(!sent.empty() && Decode(sent[0].payload, &response));
    return response;
  }
  void Respond(int follower, bool success, Index index) {
    Give(follower, MsgType::kAppendEntriesResponse, raft_->current_term(),
         AppendEntriesResponse{success, index});
  }
  void BecomeLeader() {
    while (raft_->role() == Role::kFollower) raft_->Tick();
    raft_->TakeOutput();
    Give(2, MsgType::kRequestVoteResponse, raft_->current_term(), RequestVote(),
         /*voted=*/true);
    ASSERT_EQ(raft_->role(), Role::kLeader);
  }

  absl::optional<Raft> raft_;
  Output output_;  // of the last envelope
};

TEST_F(RulesTest, VotesOnceInATermAndAgainForTheSame) {
  EXPECT_TRUE(Votes(2, 3, 3, 2));
  ASSERT_TRUE(output_.persist.has_value());
  EXPECT_EQ(output_.persist->voted_for, 2);
  EXPECT_FALSE(Votes(3, 3, 3, 2));
  EXPECT_TRUE(Votes(2, 3, 3, 2));
  EXPECT_TRUE(Votes(3, 4, 3, 2));
}

TEST_F(RulesTest, DoesNotVoteInAnOldTerm) { EXPECT_FALSE(Votes(2, 1, 9, 1)); }

TEST_F(RulesTest, VotesOnlyForALogThatIsUpToDate) {
  EXPECT_FALSE(Votes(2, 3, 9, 1));  // longer, and of an older term
  EXPECT_FALSE(Votes(2, 4, 2, 2));  // shorter
  EXPECT_TRUE(Votes(2, 5, 1, 3));   // shorter, and of a later term
}

TEST_F(RulesTest, RefusesEntriesOfAnOldLeader) {
  EXPECT_FALSE(Append(2, 1, {3, 2, 3, {}}).success);
  EXPECT_EQ(raft_->leader(), kNobody);
  EXPECT_EQ(raft_->commit_index(), 0u);
}

TEST_F(RulesTest, RefusesEntriesBehindAGap) {
  const AppendEntriesResponse response = Append(2, 3, {9, 2, 0, {}});
  EXPECT_FALSE(response.success);
  EXPECT_EQ(response.index, 3u);  // all that it has may match
}

TEST_F(RulesTest, RefusesEntriesAfterAnotherTermAndSkipsThatTerm) {
  const AppendEntriesResponse response = Append(2, 4, {2, 3, 0, {}});
  EXPECT_FALSE(response.success);
  EXPECT_EQ(response.index, 0u);  // both entries of term 1 are doubtful
}

TEST_F(RulesTest, AConflictDeletesTheEntryAndAllThatFollow) {
  const AppendEntriesResponse response =
      Append(2, 3, {1, 1, 0, {{2, 3, "new"}}});
  EXPECT_TRUE(response.success);
  EXPECT_EQ(response.index, 2u);
  EXPECT_EQ(raft_->log().last_index(), 2u);
  EXPECT_EQ(raft_->log().At(2).command, "new");
  ASSERT_TRUE(output_.persist.has_value());
  EXPECT_EQ(output_.persist->first, 2u);
}

TEST_F(RulesTest, AnOldRequestDeletesNothing) {
  EXPECT_TRUE(Append(2, 3, {0, 0, 0, {{1, 1, "x"}}}).success);
  EXPECT_EQ(raft_->log().last_index(), 3u);
}

TEST_F(RulesTest, CommitsNoFurtherThanTheLastNewEntry) {
  Append(2, 3, {2, 1, 9, {}});
  EXPECT_EQ(raft_->commit_index(), 2u);
  EXPECT_EQ(output_.committed.size(), 2u);
}

TEST_F(RulesTest, ALaterTermEndsALeader) {
  BecomeLeader();
  Votes(3, raft_->current_term() + 1, 0, 0);
  EXPECT_EQ(raft_->role(), Role::kFollower);
}

TEST_F(RulesTest, ALeaderGoesBackWhereAFollowerDiffers) {
  BecomeLeader();
  Respond(2, false, 1);
  AppendEntries request;
  ASSERT_EQ(output_.send.size(), 1u);
  ASSERT_TRUE(Decode(output_.send[0].payload, &request));
  EXPECT_EQ(request.prev_log_index, 1u);
  EXPECT_EQ(request.entries.size(), 3u);  // and its own
}

// Else each answer that a bad network doubles would be two from then on.
TEST_F(RulesTest, AnAnswerThatComesTwiceIsFollowedByEntriesOnce) {
  BecomeLeader();
  for (const bool success : {false, true}) {
    Respond(2, success, 1);
    EXPECT_EQ(output_.send.size(), success ? 0u : 1u);
    Respond(2, success, 1);
    EXPECT_TRUE(output_.send.empty());
  }
  Respond(2, true, 4);
  EXPECT_TRUE(output_.send.empty());
}

TEST_F(RulesTest, EntriesWithoutAnAnswerAreSentAgain) {
  BecomeLeader();
  std::size_t entries = 0;
  for (int tick = 0; tick < 100 && entries == 0; ++tick) {
    raft_->Tick();
    output_ = raft_->TakeOutput();
    for (const Envelope& envelope : output_.send)
      entries += IsHeartbeat(envelope) ? 0 : 1;
  }
  EXPECT_EQ(entries, 2u);  // to both followers
}

// Figure 8: a majority has entry 3, and yet a later leader may replace it.
TEST_F(RulesTest, ALeaderCountsReplicasOfItsOwnTermOnly) {
  BecomeLeader();
  Respond(2, true, 3);
  EXPECT_EQ(raft_->commit_index(), 0u);
  Respond(2, true, 4);
  EXPECT_EQ(raft_->commit_index(), 4u);
  EXPECT_EQ(output_.committed.size(), 4u);
}

// The payloads come from other servers, so they may have any bytes.
TEST_F(RulesTest, PayloadsThatAreTooShortOrTooLongAreDropped) {
  InstallSnapshot chunk;
  chunk.data = "data";
  const std::vector<std::pair<MsgType, std::string>> right = {
      {MsgType::kRequestVoteRequest, Encode(RequestVote{3, 2})},
      {MsgType::kAppendEntriesRequest,
       Encode(AppendEntries{3, 2, 0, {{4, 3, "command"}}})},
      {kInstallSnapshotRequest, Encode(chunk)}};
  for (const auto& [type, payload] : right) {
    for (std::size_t size = 0; size <= payload.size() + 1; ++size) {
      if (size == payload.size()) continue;
      Envelope envelope;
      envelope.sender_id = 2;
      envelope.term = 3;
      envelope.msg_type = type;
      envelope.payload = (payload + "x").substr(0, size);
      raft_->OnEnvelope(envelope);
      EXPECT_TRUE(raft_->TakeOutput().send.empty()) << size;
    }
  }
  EXPECT_EQ(raft_->log().last_index(), 3u);
}

TEST_F(RulesTest, NumbersOutOfRangeDoNoHarm) {
  const Index huge = ~Index{0};
  for (Index index : {Index{0}, Index{1}, Index{3}, Index{4}, huge}) {
    Append(2, 3, {index, 7, huge, {}});
    Give(2, kInstallSnapshotRequest, 3,
         InstallSnapshot{index, 7, huge, false, "x"});
  }
  BecomeLeader();
  for (Index index : {Index{0}, huge}) {
    Respond(2, false, index);
    Respond(2, true, index);
    Give(2, kInstallSnapshotResponse, raft_->current_term(),
         InstallSnapshotResponse{index, huge});
  }
  EXPECT_EQ(raft_->role(), Role::kLeader);
}

}  // namespace
}  // namespace raft
