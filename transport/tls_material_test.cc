// Which files make the TLS of a server, which do not, and what is said of them.

#include "cluster/transport/tls_material.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cluster/transport/key_files.h"
#include "cluster/transport/stream/testing/test_keys.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace stream {
namespace {

namespace fs = std::filesystem;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kDate[] = "20[0-9][0-9]-[0-9][0-9]-[0-9][0-9] ..:..:.. UTC";

void Copy(const std::string& from, const std::string& to) {
  fs::copy_file(from, to, fs::copy_options::overwrite_existing);
}

std::string TextOf(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

class TlsMaterialTest : public testing::Test {
 protected:
  absl::Status StatusOf(const TransportConfig& config) {
    const auto material =
        TlsMaterial::Load(*config.security, config.cluster, config.server_id);
    // No text holds a line of a key.
    for (int id : {1, 2, 3}) {
      std::ifstream key(keys_.OwnFolder(id) + "/tls.key");
      for (std::string line; std::getline(key, line);) {
        if (absl::StartsWith(line, "-----")) continue;
        EXPECT_THAT(material.status().ToString(), Not(HasSubstr(line)));
      }
    }
    return material.status();
  }

  // Load refuses with this text.
  void ExpectRefused(const TransportConfig& config, const std::string& text) {
    const absl::Status status = StatusOf(config);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
    EXPECT_THAT(std::string(status.message()), HasSubstr("keygen"));
  }

  // The own keys of 1 become these.
  void GiveOne(const TestKeys& keys, int id) {
    for (const char* name : {"/tls.key", "/tls.crt"}) {
      Copy(keys.OwnFolder(id) + name, keys_.OwnFolder(1) + name);
    }
  }

  std::string Certificate(const std::string& folder) {
    return folder + "/tls.crt";
  }

  const TestKeys keys_{{1, 2, 3}};
  TransportConfig one_ = keys_.ConfigOf(1);
};

TEST_F(TlsMaterialTest, ServersArePinnedWhetherOrNotTheyAreMembers) {
  const TestKeys others({3, 77});
  one_.security->peers = {{2, keys_.PublicFolder(2)},
                          {77, others.PublicFolder(77)}};
  const auto material = LoadMaterial(one_);
  EXPECT_TRUE(material->Knows(2));
  EXPECT_TRUE(material->Knows(77));
  EXPECT_FALSE(material->Knows(3));
  EXPECT_FALSE(material->Knows(1));
  EXPECT_EQ(material->IdOf("no certificate"), absl::nullopt);
  EXPECT_EQ(material->Certificates().size(), 3u);
}

TEST_F(TlsMaterialTest, TheEarlierNamesOfFilesAreRead) {
  for (const std::string& folder :
       {keys_.OwnFolder(1), keys_.PublicFolder(2)}) {
    fs::rename(folder + "/tls.crt", folder + "/nng.crt");
  }
  fs::rename(keys_.OwnFolder(1) + "/tls.key", keys_.OwnFolder(1) + "/nng.key");
  EXPECT_EQ(StatusOf(one_), absl::OkStatus());
  // Where both are there the new ones count: here without their key.
  Copy(keys_.OwnFolder(1) + "/nng.crt", keys_.OwnFolder(1) + "/tls.crt");
  const absl::Status status = StatusOf(one_);
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("/1/tls.key"));
}

TEST_F(TlsMaterialTest, AKeyThatDoesNotBelongToItsCertificateIsRefused) {
  Copy(keys_.OwnFolder(3) + "/tls.key", keys_.OwnFolder(1) + "/tls.key");
  ExpectRefused(
      one_, absl::StrCat(keys_.OwnFolder(1), "/tls.key: it and ",
                         keys_.OwnFolder(1), "/tls.crt are not of one pair"));
}

TEST_F(TlsMaterialTest, AnOwnCertificateThatIsExpiredIsRefused) {
  GiveOne(TestKeys({1}, /*starts_days_ago=*/20, /*validity_days=*/10), 1);
  ExpectRefused(one_, "(server-1.cluster) expired on ");
  EXPECT_THAT(std::string(StatusOf(one_).message()), ContainsRegex(kDate));
}

TEST_F(TlsMaterialTest, AnOwnCertificateThatIsNotValidYetIsRefused) {
  GiveOne(TestKeys({1}, /*starts_days_ago=*/-20), 1);
  ExpectRefused(one_, "(server-1.cluster) is not valid before ");
  EXPECT_THAT(std::string(StatusOf(one_).message()), ContainsRegex(kDate));
}

TEST_F(TlsMaterialTest, AnOwnCertificateOfAnotherServerIsRefused) {
  GiveOne(keys_, 3);
  one_.security->peers.erase(3);
  ExpectRefused(
      one_,
      "made out to server-3.cluster, and this server is server-1.cluster");
}

TEST_F(TlsMaterialTest, AnOwnCertificateOfAnotherClusterIsRefused) {
  one_.cluster = "another";
  ExpectRefused(
      one_,
      "made out to server-1.cluster, and this server is server-1.another");
}

TEST_F(TlsMaterialTest, OneCertificateOfTwoServersIsRefused) {
  Copy(Certificate(keys_.PublicFolder(2)), Certificate(keys_.PublicFolder(3)));
  ExpectRefused(
      one_, absl::StrCat("server 3 has the certificate (server-2.cluster) of "
                         "server 2 (",
                         keys_.PublicFolder(2), "/tls.crt)"));
}

TEST_F(TlsMaterialTest, TheOwnCertificateAsAPeersIsRefused) {
  Copy(Certificate(keys_.PublicFolder(1)), Certificate(keys_.PublicFolder(3)));
  ExpectRefused(one_,
                "server 3 has the certificate (server-1.cluster) of "
                "server 1");
}

// While keys change, some servers have the new one already.
TEST_F(TlsMaterialTest, AServerMayHaveSeveralCertificates) {
  const TestKeys fresh({2});
  std::ofstream(Certificate(keys_.PublicFolder(2)), std::ios::app)
      << TextOf(Certificate(fresh.PublicFolder(2)));
  const auto material = LoadMaterial(one_);
  for (const TestKeys* keys : {&keys_, &fresh}) {
    TransportConfig two = keys_.ConfigOf(2);
    two.security->identity = keys->OwnFolder(2);
    two.security->peers.erase(2);
    TlsPair pair(LoadMaterial(two), 1, material);
    pair.Carry();
    EXPECT_EQ(pair.listener->identity(), 2);
  }
}

TEST_F(TlsMaterialTest, WhatIsNoCertificateOrKeyIsRefused) {
  for (const char* name : {"tls.key", "tls.crt"}) {
    const std::string path = absl::StrCat(keys_.OwnFolder(1), "/", name);
    const std::string good = TextOf(path);
    for (const std::string& bad :
         {std::string(), std::string("nothing of the kind\n"),
          good.substr(0, good.size() / 2), "-----BEGIN " + good.substr(30)}) {
      std::ofstream(path) << bad;
      ExpectRefused(one_, path);
    }
    std::ofstream(path) << good;
  }
  // A good one does not excuse a bad one behind it.
  std::ofstream(Certificate(keys_.PublicFolder(2)), std::ios::app)
      << "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  ExpectRefused(one_, keys_.PublicFolder(2));
}

TEST_F(TlsMaterialTest, CertificatesHaveTheirDatesAndOutdatedPeersAreNoError) {
  const TestKeys expired({2}, /*starts_days_ago=*/20, /*validity_days=*/10);
  const TestKeys early({3}, /*starts_days_ago=*/-20);
  one_.security->peers[2] = expired.PublicFolder(2);
  one_.security->peers[3] = early.PublicFolder(3);
  std::ofstream(Certificate(expired.PublicFolder(2)), std::ios::app)
      << TextOf(Certificate(keys_.PublicFolder(2)));
  std::multimap<int, PinnedCertificate> found;
  for (const PinnedCertificate& one : LoadMaterial(one_)->Certificates())
    found.emplace(one.server, one);
  ASSERT_EQ(found.size(), 4u);
  ASSERT_EQ(found.count(2), 2u);
  const absl::Time now = absl::Now();
  const auto days = [&](absl::Time time) {
    return std::lround(absl::ToDoubleHours(time - now) / 24);
  };
  const PinnedCertificate& own = found.find(1)->second;
  EXPECT_EQ(own.name, "server-1.cluster");
  EXPECT_EQ(own.file, keys_.OwnFolder(1) + "/tls.crt");
  EXPECT_EQ(days(own.valid_from), -1);
  EXPECT_EQ(days(own.valid_until), 364);
  EXPECT_EQ(days(found.find(3)->second.valid_from), 20);
  EXPECT_EQ(found.find(3)->second.file, early.PublicFolder(3) + "/tls.crt");
  std::set<long> ends;
  for (auto [one, end] = found.equal_range(2); one != end; ++one)
    ends.insert(days(one->second.valid_until));
  EXPECT_EQ(ends, (std::set<long>{-10, 364}));
}

TEST_F(TlsMaterialTest, AFolderThatIsNotThereIsNotFound) {
  one_.security->peers[2] = keys_.OwnFolder(9);
  const absl::Status status = StatusOf(one_);
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("/9/tls.crt"));
}

}  // namespace
}  // namespace stream
}  // namespace cluster::internal
