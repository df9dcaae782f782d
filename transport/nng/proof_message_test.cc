#include "transport/nng/proof_message.h"

#include <string>

#include "gtest/gtest.h"

namespace cluster {
namespace nng {
namespace {

TEST(ProofMessage, MessagesComeBackAsTheyWere) {
  LinkTag tag{};
  Nonce nonce{};
  tag.fill('t');
  nonce.fill('n');
  const auto hello = ParseProofMessage(HelloMessage(-7, tag));
  ASSERT_TRUE(hello.has_value());
  EXPECT_EQ(hello->server_id, -7);
  EXPECT_EQ(hello->tag, tag);
  const auto challenge = ParseProofMessage(ChallengeMessage(tag, nonce));
  ASSERT_TRUE(challenge.has_value());
  EXPECT_EQ(challenge->tag, tag);
  EXPECT_EQ(challenge->nonce, nonce);
  EXPECT_EQ(ParseProofMessage(ProofOf(nonce))->nonce, nonce);
  EXPECT_EQ(ParseProofMessage(DenialOf(nonce))->nonce, nonce);
  EXPECT_TRUE(ParseProofMessage(PaddingMessage()).has_value());
}

TEST(ProofMessage, OtherLengthsAreNone) {
  for (const std::string& message :
       {HelloMessage(1, LinkTag{}), ChallengeMessage(LinkTag{}, Nonce{}),
        ProofOf(Nonce{}), DenialOf(Nonce{}), PaddingMessage()}) {
    EXPECT_FALSE(ParseProofMessage(message + "x").has_value());
    EXPECT_FALSE(
        ParseProofMessage(message.substr(0, message.size() - 1)).has_value());
  }
}

TEST(ProofMessage, OtherKindsAreNone) {
  int known = 0;
  for (int kind = 0; kind < 256; ++kind) {
    bool parsed = false;
    for (const std::string& message :
         {HelloMessage(1, LinkTag{}), ChallengeMessage(LinkTag{}, Nonce{}),
          ProofOf(Nonce{}), DenialOf(Nonce{}), PaddingMessage(),
          std::string(1, '\0')}) {
      std::string changed = message;
      changed[0] = static_cast<char>(kind);
      parsed = parsed || ParseProofMessage(changed).has_value();
    }
    if (parsed) ++known;
  }
  EXPECT_EQ(known, 5);
}

}  // namespace
}  // namespace nng
}  // namespace cluster
