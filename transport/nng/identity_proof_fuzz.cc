// Feeds two servers' proofs with messages that a third chooses, mixed with
// honest ones, and checks that it is never believed and that what it costs is
// bounded.
//
// Each input is a list of steps: a byte that says what, one that says to whom
// and on which link, and for a message of the third's own a length and bytes.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "transport/check.h"
#include "transport/nng/identity_proof.h"

namespace cluster {
namespace nng {
namespace {

class Steps {
 public:
  explicit Steps(absl::string_view bytes) : bytes_(bytes) {}
  bool done() const { return bytes_.empty(); }
  unsigned Byte() {
    if (bytes_.empty()) return 0;
    const unsigned byte = static_cast<unsigned char>(bytes_[0]);
    bytes_.remove_prefix(1);
    return byte;
  }
  absl::string_view Text(std::size_t length) {
    const absl::string_view text = bytes_.substr(0, length);
    bytes_.remove_prefix(text.size());
    return text;
  }

 private:
  absl::string_view bytes_;
};

// Server 1, and its honest peer 2, who never loses a message. 3 dials 1.
class World {
 public:
  World() : one_(1, Source()), two_(2, Source()) {
    one_.SetPeers({2, 3});
    two_.SetPeers({1, 3});
  }

  void Step(Steps* steps) {
    switch (steps->Byte() % 5) {
      case 0:
        Open();
        break;
      case 1:
        Say(steps->Byte(), HelloMessage(2, LinkTag{}));
        break;
      case 2: {
        const unsigned link = steps->Byte();
        Say(link, steps->Text(steps->Byte() % 70));
        break;
      }
      case 3:
        // 2 reads what 1 asks it, and answers on a link of its own.
        if (!dialled_) Dial();
        Exchange();
        break;
      case 4:
        Dial();
        break;
    }
    CLUSTER_CHECK(one_.unproven() <= IdentityProof::kUnprovenMax, "bounded");
  }

 private:
  // Not to be guessed by an input, and the same each time.
  RandomSource Source() {
    return [this](char* bytes, std::size_t count) {
      for (std::size_t i = 0; i < count; ++i) {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = static_cast<char>(state_ >> 56);
      }
    };
  }

  void Open() {
    Verdict verdict;
    evil_.push_back(one_.Accepted(&verdict));
    if (evil_.size() > 1000) evil_.erase(evil_.begin());
  }

  void Say(unsigned link, absl::string_view message) {
    if (evil_.empty()) return;
    const Verdict verdict = one_.OnMessage(evil_[link % evil_.size()], message);
    CLUSTER_CHECK(!verdict.proven.has_value(), "a liar was believed");
  }

  void Dial() {
    Verdict verdict;
    to_one_ = one_.Accepted(&verdict);
    two_.Dialled(1, &tag_);
    one_.OnMessage(to_one_, HelloMessage(2, tag_));
    to_two_ = two_.Accepted(&verdict);
    LinkTag tag;
    two_.OnMessage(to_two_, one_.Dialled(2, &tag));
    dialled_ = true;
  }

  void Exchange() {
    const std::vector<std::string> asked = one_.TakeMessages(2);
    CLUSTER_CHECK(
        asked.size() <= IdentityProof::kClaimsMax + IdentityProof::kDenialsMax,
        "bounded");
    for (const std::string& message : asked) {
      const Verdict verdict = two_.OnMessage(to_two_, message);
      if (verdict.answer.empty() || verdict.answer.tag != tag_) continue;
      const Verdict proof = one_.OnMessage(to_one_, verdict.answer.message);
      for (const Verdict::Refusal& refusal : proof.refused) {
        CLUSTER_CHECK(refusal.link < to_one_, "the true one was refused");
      }
      CLUSTER_CHECK(!proof.proven || *proof.proven == 2, "the wrong id");
    }
    for (const std::string& message : two_.TakeMessages(1)) {
      one_.OnMessage(to_one_, message);
    }
  }

  std::uint64_t state_ = 1;
  IdentityProof one_;
  IdentityProof two_;
  std::vector<InboundId> evil_;
  bool dialled_ = false;
  LinkTag tag_{};
  InboundId to_one_ = 0;
  InboundId to_two_ = 0;
};

}  // namespace
}  // namespace nng
}  // namespace cluster

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t bytes) {
  cluster::nng::World world;
  cluster::nng::Steps steps(
      absl::string_view(reinterpret_cast<const char*>(data), bytes));
  while (!steps.done()) world.Step(&steps);
  return 0;
}
