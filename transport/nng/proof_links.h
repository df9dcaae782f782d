// Servers that prove themselves to each other with nothing but IdentityProof:
// links are queues of messages, carried one by one in whatever order a test
// wants.
//
// Threads: one. Errors: none; what a link's ends make of it is in its fields.
//
//   class MyTest : public IdentityProofTest {};
//   auto there = Dial(&one_, 1, &two_, 2);
//   CarryAll({there.get()});
//   EXPECT_EQ(there->proven, 1);

#ifndef TRANSPORT_NNG_PROOF_LINKS_H_
#define TRANSPORT_NNG_PROOF_LINKS_H_

#include <algorithm>
#include <cstddef>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/optional.h"
#include "gtest/gtest.h"
#include "transport/nng/identity_proof.h"

namespace cluster {
namespace nng {

// Server `id` of {1, 2, 3}.
class Server {
 public:
  explicit Server(int id)
      : proof(id,
              [this](char* bytes, std::size_t count) {
                std::generate_n(bytes, count, [this] {
                  return static_cast<char>(random_());
                });
              }),
        random_(static_cast<unsigned>(id)) {
    proof.SetPeers({1, 2, 3});
  }

  InboundId Accept() {
    Verdict verdict;
    const InboundId link = proof.Accepted(&verdict);
    EXPECT_TRUE(verdict.refused.empty());
    return link;
  }

  IdentityProof proof;

 private:
  std::mt19937 random_;
};

// One connection that `from` dialled to `to`: messages that are under way on
// it, and what has become of it at both ends.
struct Link {
  Link(Server* from, int from_id, Server* to, int to_id)
      : from(from), to(to), from_id(from_id), to_id(to_id) {
    wire.push_back(from->proof.Dialled(to_id, &tag));
    inbound = to->Accept();
    Fetch();
  }

  void Fetch() {
    for (std::string& message : from->proof.TakeMessages(to_id)) {
      wire.push_back(std::move(message));
    }
  }

  Server* const from;
  Server* const to;
  const int from_id;
  const int to_id;
  LinkTag tag{};
  InboundId inbound = 0;
  std::deque<std::string> wire;
  bool usable = false;             // at `from`
  absl::optional<int> proven;      // at `to`
  std::vector<Rejection> refused;  // at `to`
};

// Carries the first message of `link`, and what follows of it onto the links
// that are there. Returns how many links were refused.
inline std::size_t Carry(Link* link, const std::vector<Link*>& links) {
  const std::string message = link->wire.front();
  link->wire.pop_front();
  Verdict verdict = link->to->proof.OnMessage(link->inbound, message);
  if (verdict.proven) link->proven = verdict.proven;
  for (const auto& refusal : verdict.refused) {
    for (Link* other : links) {
      if (other->to == link->to && other->inbound == refusal.link) {
        other->refused.push_back(refusal.rejection);
      }
    }
  }
  for (Link* other : links) {
    if (other->from != link->to) continue;
    if (verdict.waiting_for == other->to_id) other->Fetch();
    if (!verdict.answer.empty() && verdict.answer.peer == other->to_id &&
        verdict.answer.tag == other->tag) {
      other->usable = true;
      other->wire.push_back(verdict.answer.message);
    }
  }
  return verdict.refused.size();
}

inline void CarryAll(const std::vector<Link*>& links) {
  bool any = true;
  while (any) {
    any = false;
    for (Link* link : links) {
      if (link->wire.empty()) continue;
      Carry(link, links);
      any = true;
    }
  }
}

class IdentityProofTest : public testing::Test {
 protected:
  std::unique_ptr<Link> Dial(Server* from, int from_id, Server* to, int to_id) {
    return std::make_unique<Link>(from, from_id, to, to_id);
  }

  Server one_{1};
  Server two_{2};
  Server three_{3};
};

}  // namespace nng
}  // namespace cluster

#endif  // TRANSPORT_NNG_PROOF_LINKS_H_
