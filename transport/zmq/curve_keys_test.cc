#include "cluster/transport/zmq/curve_keys.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "programs/keygen/keys.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class CurveKeysTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(testing::TempDir(), "/curveXXXXXX");
    ASSERT_NE(mkdtemp(&folder_[0]), nullptr);
    request_.cluster = "curve";
    request_.server_ids = {1, 2, 3};
    request_.folder = folder_;
    ASSERT_TRUE(MakeKeys(request_).ok());
    files_.identity = absl::StrCat(folder_, "/1");
    for (int id : {2, 3}) files_.peers[id] = Public(id);
  }
  std::string Public(int id) const {
    return absl::StrCat(folder_, "/public/", id);
  }
  std::shared_ptr<const CurveKeys> Load(const CurveKeys* before = nullptr) {
    auto keys = LoadCurveKeys(files_, before);
    EXPECT_TRUE(keys.ok()) << keys.status();
    return keys.ok() ? *keys : nullptr;
  }
  std::string Error() {
    return std::string(LoadCurveKeys(files_, nullptr).status().message());
  }
  void Replace(int id) {
    KeyRequest request = request_;
    request.server_ids = {id};
    request.replace = true;
    ASSERT_TRUE(MakeKeys(request).ok());
  }

  static std::string TextOf(const std::string& folder) {
    std::ifstream file(absl::StrCat(folder, "/", kZmqPublicFile));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static void Write(const std::string& folder, const std::string& text) {
    std::ofstream(absl::StrCat(folder, "/", kZmqPublicFile)) << text;
  }

  std::string folder_;
  KeyRequest request_;
  SecurityFiles files_;
};

TEST_F(CurveKeysTest, FindsPeersByIdAndByKey) {
  const auto keys = Load();
  ASSERT_NE(keys->FindPeer(2), nullptr);
  EXPECT_EQ(keys->FindKey(keys->FindPeer(2)->key)->id, 2);
  EXPECT_EQ(keys->FindPeer(4), nullptr);
  EXPECT_EQ(keys->FindKey(keys->own_public()), nullptr);
}

TEST_F(CurveKeysTest, AConnectionStaysCurrentWhileItsKeyDoes) {
  const auto first = Load();
  const UserId two{2, first->FindPeer(2)->serial};
  const UserId three{3, first->FindPeer(3)->serial};
  EXPECT_TRUE(first->IsCurrent(two));
  EXPECT_FALSE(first->IsCurrent({2, three.serial}));

  Replace(2);
  const auto second = Load(first.get());
  EXPECT_FALSE(second->IsCurrent(two));
  EXPECT_TRUE(second->IsCurrent(three));

  files_.peers.erase(3);
  const auto third = Load(second.get());
  EXPECT_FALSE(third->IsCurrent(three));
  // A peer that comes back has to authenticate anew, with the same key too.
  files_.peers[3] = Public(3);
  EXPECT_FALSE(Load(third.get())->IsCurrent(three));
}

TEST_F(CurveKeysTest, APeerMayHaveTwoKeys) {
  const auto first = Load();
  const CurvePeer old_key = *first->FindPeer(2);
  const std::string before = TextOf(Public(2));
  Replace(2);
  const std::string after = TextOf(Public(2));
  Write(Public(2), absl::StrCat(before, after, before));
  const auto both = Load(first.get());
  const CurvePeer new_key = *both->FindPeer(2, 1);
  EXPECT_EQ(both->FindPeer(2)->key, old_key.key);
  EXPECT_NE(new_key.key, old_key.key);
  // Over two rounds each key has each place.
  for (std::size_t turn : {0, 3, 4})
    EXPECT_EQ(both->FindPeer(2, turn)->key, old_key.key) << turn;
  for (std::size_t turn : {1, 2, 5})
    EXPECT_EQ(both->FindPeer(2, turn)->key, new_key.key) << turn;
  for (const CurvePeer& key : {old_key, new_key}) {
    EXPECT_EQ(both->FindKey(key.key)->id, 2);
    EXPECT_EQ(both->FindKey(key.key)->serial, key.serial);
    EXPECT_TRUE(both->IsCurrent({2, key.serial}));
  }
  EXPECT_NE(old_key.serial, new_key.serial);

  Write(Public(2), after);
  const auto last = Load(both.get());
  EXPECT_FALSE(last->IsCurrent({2, old_key.serial}));
  EXPECT_TRUE(last->IsCurrent({2, new_key.serial}));
  EXPECT_EQ(last->FindKey(old_key.key), nullptr);

  // The own one is that of the secret.
  Write(files_.identity, absl::StrCat(after, TextOf(files_.identity)));
  EXPECT_EQ(Load()->own_public(), first->own_public());
}

TEST_F(CurveKeysTest, TwoServersWithOneKeyAreRefused) {
  fs::copy_file(absl::StrCat(Public(2), "/", kZmqPublicFile),
                absl::StrCat(Public(3), "/", kZmqPublicFile),
                fs::copy_options::overwrite_existing);
  EXPECT_THAT(Error(), HasSubstr("servers 2 and 3 have the same public key"));
  files_.peers = {{2, Public(1)}};
  EXPECT_THAT(Error(), HasSubstr("server 2 has this server's own public key"));
}

TEST_F(CurveKeysTest, HalvesOfTwoPairsAreRefused) {
  fs::copy_file(absl::StrCat(Public(2), "/", kZmqPublicFile),
                absl::StrCat(files_.identity, "/", kZmqPublicFile),
                fs::copy_options::overwrite_existing);
  EXPECT_THAT(Error(), HasSubstr("are not of one pair"));
}

TEST_F(CurveKeysTest, WhatIsNoKeyIsRefused) {
  for (const std::string& text :
       {std::string(), std::string("\n"), std::string(39, 'a'),
        std::string(41, 'a'), std::string(40, ' '), std::string(40, '\0'),
        std::string(40, '\xff'), std::string(40, '#')}) {
    std::ofstream(absl::StrCat(files_.identity, "/", kZmqSecretFile)) << text;
    EXPECT_NE(Error(), "") << text;
    EXPECT_FALSE(ParseCurveKey(text).has_value()) << text;
  }
  const std::string key = TextOf(Public(2));
  for (const std::string& text :
       {key + "\n" + key, key + key.substr(1), key + "x", " " + key}) {
    Write(Public(2), text);
    EXPECT_NE(Error(), "") << text;
  }
  EXPECT_TRUE(ParseCurveKey(absl::StrCat(std::string(40, 'a'), "\r\n")));
}

TEST(UserIdTest, IsReadAsItWasWritten) {
  const absl::optional<UserId> user =
      ParseUserId(ToString(UserId{2147483647, 18446744073709551615u}));
  ASSERT_TRUE(user.has_value());
  EXPECT_EQ(user->peer, 2147483647);
  EXPECT_EQ(user->serial, 18446744073709551615u);
  for (const char* text : {"", ".", "1", "1.", ".1", "-1.1", "1.-1", "1.1.1",
                           "a.1", "1.a", "2147483648.1"}) {
    EXPECT_FALSE(ParseUserId(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace zmq_backend
}  // namespace cluster::internal
