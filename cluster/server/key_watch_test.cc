#include "cluster/server/key_watch.h"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/server/testing/wires.h"
#include "cluster/transport/testing/secret_volume.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr absl::Duration kDay = absl::Hours(24);
const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

PinnedCertificate Certificate(int server, absl::Duration from,
                              absl::Duration until) {
  return {server, absl::StrCat("server-", server, ".demo"),
          absl::StrCat("keys/", server, "/tls.crt"), kNow + from, kNow + until};
}

std::vector<std::string> TextsAt(
    absl::Time now, const std::vector<PinnedCertificate>& certificates,
    CertificateWarnings* warnings) {
  std::vector<std::string> texts;
  for (const PeerEvent& event : warnings->Due(certificates, now)) {
    EXPECT_EQ(event.type, PeerEvent::kWarning);
    texts.push_back(absl::StrCat(event.peer, " ", event.reason));
  }
  return texts;
}

TEST(CertificateWarningsTest, BeginThirtyDaysBeforeAndComeOnceADay) {
  CertificateWarnings warnings(1);
  const std::vector<PinnedCertificate> two = {Certificate(1, -kDay, 100 * kDay),
                                              Certificate(2, -kDay, 40 * kDay)};
  const auto at = [&](absl::Duration time) {
    return TextsAt(kNow + time, two, &warnings);
  };
  EXPECT_THAT(at(absl::ZeroDuration()), IsEmpty());
  EXPECT_THAT(at(10 * kDay - absl::Seconds(1)), IsEmpty());
  EXPECT_THAT(at(10 * kDay),
              ElementsAre("2 its certificate (server-2.demo) expires on "
                          "2027-02-24 08:00:00 UTC (keys/2/tls.crt); give it a "
                          "new one, and all servers a copy"));
  EXPECT_THAT(at(10 * kDay + absl::Hours(23)), IsEmpty());
  EXPECT_EQ(at(11 * kDay).size(), 1u);
  EXPECT_THAT(at(11 * kDay), IsEmpty());
  warnings.Reset();
  EXPECT_EQ(at(11 * kDay).size(), 1u);
  EXPECT_THAT(at(41 * kDay),
              ElementsAre(HasSubstr("(server-2.demo) expired on 2027-02-24")));
  EXPECT_THAT(at(80 * kDay),
              ElementsAre(StartsWith("1 this server's certificate (server-1."),
                          HasSubstr("2 its certificate (server-2.demo) exp")));
}

TEST(CertificateWarningsTest, KnowOfTheNextCertificate) {
  CertificateWarnings warnings(1);
  EXPECT_THAT(
      TextsAt(
          kNow,
          {Certificate(2, -kDay, 3 * kDay), Certificate(2, -kDay, 90 * kDay)},
          &warnings),
      ElementsAre(AllOf(HasSubstr("expires on 2027-01-18 08:00:00 UTC"),
                        HasSubstr(", and another one of it on 2027-04-15"))));
  // The old one is gone.
  EXPECT_THAT(TextsAt(kNow, {Certificate(2, -kDay, 90 * kDay)}, &warnings),
              IsEmpty());
  // Another trouble is no repetition.
  EXPECT_THAT(
      TextsAt(kNow, {Certificate(2, 2 * kDay, 90 * kDay)}, &warnings),
      ElementsAre(HasSubstr("is not valid before 2027-01-17 08:00:00 UTC")));
  EXPECT_THAT(TextsAt(kNow,
                      {Certificate(3, -9 * kDay, -3 * kDay),
                       Certificate(3, -9 * kDay, -2 * kDay)},
                      &warnings),
              ElementsAre(HasSubstr("expired on 2027-01-13 08:00:00 UTC")));
}

TEST(CertificateExpiryTest, IsThatOfTheFirstThatWillOrTheLastThatDid) {
  const std::vector<PinnedCertificate> some = {
      Certificate(2, -kDay, 9 * kDay), Certificate(2, -kDay, 3 * kDay),
      Certificate(2, -9 * kDay, -kDay), Certificate(3, -9 * kDay, -2 * kDay),
      Certificate(3, -9 * kDay, -kDay)};
  EXPECT_EQ(CertificateExpiry(some, 2, kNow), kNow + 3 * kDay);
  EXPECT_EQ(CertificateExpiry(some, 3, kNow), kNow - kDay);
  EXPECT_EQ(CertificateExpiry(some, 4, kNow), absl::InfiniteFuture());
}

class TransportWithCertificates : public Wires {
 public:
  std::vector<PinnedCertificate> Certificates() const override {
    return certificates;
  }
  std::vector<PinnedCertificate> certificates;
};

class KeyWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(testing::TempDir(), "/watchXXXXXX");
    ASSERT_NE(mkdtemp(&folder_[0]), nullptr);
    files_.identity = absl::StrCat(folder_, "/own");
    files_.peers[2] = absl::StrCat(folder_, "/two");
    for (const std::string& folder : {files_.identity, files_.peers[2]})
      fs::create_directory(folder);
    Write(files_.identity, "secret");
    Write(files_.peers[2], "public");
  }
  void TearDown() override { watch_.Stop(); }

  void Start() {
    ASSERT_TRUE(watch_
                    .Start(
                        [this] {
                          MutexLock lock(&mutex_);
                          ++looks_;
                          if (unrest_ > 0) {
                            std::ofstream(files_.identity + "/secret")
                                << std::string(--unrest_, 'x');
                            reloads_in_unrest_ = reloads_;
                          }
                          changed_.NotifyAll();
                          return files_;
                        },
                        [this] {
                          MutexLock lock(&mutex_);
                          ++reloads_;
                          changed_.NotifyAll();
                          return answer_;
                        },
                        absl::Milliseconds(1))
                    .ok());
    ASSERT_TRUE(Reloads(1));
  }

  // In one step, so that no look sees half of it.
  void Write(const std::string& folder, const std::string& name) const {
    const std::string aside = absl::StrCat(folder_, "/aside");
    std::ofstream(aside) << "text";
    fs::rename(aside, absl::StrCat(folder, "/", name));
  }
  static void Append(const std::string& file) {
    std::ofstream(file, std::ios::app) << "more";
  }

  // Waits for that many reloads, and for as many looks that there may be more.
  bool Reloads(int count) {
    MutexLock lock(&mutex_);
    const auto reached = [&] {
      mutex_.AssertHeld();
      return reloads_ >= count;
    };
    if (!changed_.WaitFor(&mutex_, std::chrono::seconds(60), reached))
      return false;
    const int looks = looks_ + 5;
    return changed_.WaitFor(&mutex_, std::chrono::seconds(60), [&] {
      mutex_.AssertHeld();
      return looks_ >= looks;
    }) && reloads_ == count;
  }
  void Answer(absl::Status status) {
    MutexLock lock(&mutex_);
    answer_ = std::move(status);
  }
  std::vector<std::string> Told() {
    MutexLock lock(&mutex_);
    return std::exchange(told_, {});
  }

  static constexpr char kReadAnew[] =
      "1 the key files have changed, and were read anew";

  std::string folder_;
  Mutex mutex_{LockRank::kApplication};
  CondVar changed_;
  SecurityFiles files_;  // constant once the watch has started
  absl::Status answer_ CLUSTER_GUARDED_BY(mutex_);
  int looks_ CLUSTER_GUARDED_BY(mutex_) = 0;
  int reloads_ CLUSTER_GUARDED_BY(mutex_) = 0;
  std::size_t unrest_ CLUSTER_GUARDED_BY(mutex_) = 0;  // looks with a change
  int reloads_in_unrest_ CLUSTER_GUARDED_BY(mutex_) = 0;
  std::vector<std::string> told_ CLUSTER_GUARDED_BY(mutex_);
  TransportWithCertificates transport_;
  KeyWatch watch_{
      1, &transport_, [this](const PeerEvent& event) {
        MutexLock lock(&mutex_);
        EXPECT_EQ(event.type, PeerEvent::kWarning);
        told_.push_back(absl::StrCat(event.peer, " ", event.reason));
      }};
};

TEST_F(KeyWatchTest, ReloadsAfterEachKindOfChange) {
  Write(folder_, "elsewhere");
  fs::create_symlink("../elsewhere", absl::StrCat(folder_, "/own/link"));
  Start();
  EXPECT_THAT(Told(), IsEmpty());  // it only reads what may have changed before
  const std::string file = absl::StrCat(folder_, "/two/public");
  int reloads = 1;
  const auto expect_reload = [&](const char* change) {
    EXPECT_TRUE(Reloads(++reloads)) << change;
    EXPECT_THAT(Told(), ElementsAre(kReadAnew)) << change;
  };
  Write(absl::StrCat(folder_, "/two"), "public");
  expect_reload("a rename");
  Append(absl::StrCat(folder_, "/elsewhere"));
  expect_reload("a write behind a link");
  Append(file);
  expect_reload("a write");
  ASSERT_EQ(chmod(file.c_str(), 0640), 0);
  expect_reload("a mode");
  fs::remove(file);
  expect_reload("a removal");
  fs::remove(absl::StrCat(folder_, "/two"));
  expect_reload("no folder");
  {
    MutexLock lock(&mutex_);
    files_.peers.erase(2);
  }
  expect_reload("a peer less");
}

TEST_F(KeyWatchTest, WaitsUntilFilesChangeNoMore) {
  Start();
  {
    MutexLock lock(&mutex_);
    unrest_ = 10;
  }
  EXPECT_TRUE(Reloads(2));
  MutexLock lock(&mutex_);
  EXPECT_EQ(unrest_, 0u);
  EXPECT_EQ(reloads_in_unrest_, 1);
}

TEST_F(KeyWatchTest, SeesEachVersionOfAMountedSecret) {
  SecretVolume volume(absl::StrCat(folder_, "/volume"));
  volume.Update({{"zmq.secret", "1"}, {"zmq.public", "1"}});
  files_.identity = volume.folder();
  Start();
  for (int version = 2; version < 6; ++version) {
    const std::string text = absl::StrCat(version);
    volume.Update({{"zmq.secret", text}, {"zmq.public", text}});
    EXPECT_TRUE(Reloads(version));
    EXPECT_THAT(Told(), ElementsAre(kReadAnew));
  }
}

TEST_F(KeyWatchTest, TellsOfAFailureOnceAndOfItsEnd) {
  Start();
  Answer(absl::NotFoundError("no such key"));
  Write(files_.identity, "more");
  EXPECT_TRUE(Reloads(2));
  EXPECT_THAT(Told(),
              ElementsAre("1 the key files cannot be used, and the keys "
                          "before stay in force: no such key"));
  Answer(absl::OkStatus());
  Write(files_.identity, "more still");
  EXPECT_TRUE(Reloads(3));
  EXPECT_THAT(Told(), ElementsAre(kReadAnew));
}

TEST_F(KeyWatchTest, WarnsOfCertificatesAtStartAndWhenKeysWereLoaded) {
  const absl::Time now = absl::Now();
  transport_.certificates = {
      {2, "server-2.demo", "two/tls.crt", now - kDay, now + kDay}};
  Start();
  EXPECT_THAT(Told(), ElementsAre(HasSubstr("(server-2.demo) expires on ")));
  watch_.KeysLoaded();
  EXPECT_THAT(Told(), ElementsAre(HasSubstr("(server-2.demo) expires on ")));
}

TEST_F(KeyWatchTest, HasNoThreadWithoutATask) {
  ASSERT_TRUE(watch_.Start(nullptr, nullptr).ok());
  watch_.Stop();
  EXPECT_THAT(Told(), IsEmpty());
}

}  // namespace
}  // namespace cluster::internal
