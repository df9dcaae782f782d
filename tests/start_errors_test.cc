// The errors that stop a server at its start, through the config, on every
// transport.

#include <sys/stat.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "cluster/server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/fresh_address.h"
#include "tests/harness/transports.h"

namespace cluster::internal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class StartErrorsTest : public testing::TestWithParam<const char*> {
 protected:
  // The error of NewServer(1) or its Start, for a config with these members.
  std::string ErrorOf(const std::string& members) {
    const std::string file = absl::StrCat(ScratchFolder(), "/start.json");
    std::ofstream(file) << "{\"transport\": \"" << GetParam() << "\",\n"
                        << members << "}";
    auto server = NewServer(1, file);
    const absl::Status status =
        server.ok() ? (*server)->Start() : server.status();
    std::string text(status.message());
    if (text.rfind(file, 0) == 0) text.replace(0, file.size(), "start.json");
    return text;
  }
  std::string ErrorAt(const std::string& address) {
    return ErrorOf(
        absl::StrCat("\"allow_plaintext\": true, \"servers\": "
                     "[{\"id\": 1, \"address\": \"",
                     address, "\"}]"));
  }
};

constexpr char kServers[] =
    "\"servers\": [{\"id\": 1, \"address\": \"127.0.0.1:0\"}, "
    "{\"id\": 2, \"address\": \"127.0.0.1:0\"}]";

TEST_P(StartErrorsTest, OptionsOfEveryTransportAreChecked) {
  for (const char* transport : AllTransports()) {
    EXPECT_THAT(ErrorOf(absl::StrCat("\"", transport, "\": {\"bogus\": 2},\n",
                                     kServers)),
                StartsWith(absl::StrCat("start.json:2: $.", transport,
                                        ".bogus: unknown key")));
  }
}

TEST_P(StartErrorsTest, AnAddressOfAnotherMachinePointsAtListen) {
  // These are for documents only, so no machine has them.
  EXPECT_THAT(ErrorAt("192.0.2.1:10001"),
              AllOf(HasSubstr("this machine has no such address"),
                    HasSubstr("add \"listen\": \"*:10001\"")));
  EXPECT_THAT(ErrorAt("[2001:db8::1]:10001"),
              HasSubstr("add \"listen\": \"[::]:10001\""));
}

TEST_P(StartErrorsTest, AnAddressInUseAsksForAnotherOfItsKind) {
  for (AddressKind kind : {AddressKind::kIpv4, AddressKind::kIpc}) {
    Config config;
    config.transport = GetParam();
    config.servers = {{1, FreshAddress(kind)}};
    auto first = NewServer(1, config);
    ASSERT_TRUE(first.ok()) << first.status();
    ASSERT_TRUE((*first)->Start().ok());
    const std::string error = ErrorAt((*first)->Address());
    EXPECT_THAT(error, HasSubstr("in use"));
    EXPECT_THAT(error, HasSubstr(kind == AddressKind::kIpc ? "another path"
                                                           : "(0: any free"));
    EXPECT_THAT(error,
                Not(HasSubstr(kind == AddressKind::kIpc ? "port" : "path")));
  }
}

std::string Security(const std::string& folder) {
  return absl::StrCat("\"security\": {\"mode\": \"mutual\", \"identity\": \"",
                      folder, "/{id}\", \"peers\": \"", folder, "/public\"},\n",
                      kServers);
}

TEST_P(StartErrorsTest, MissingKeysNameTheirConfigKeyAndKeygen) {
  const std::string keygen = absl::StrCat(
      "; to make it: bazel run @cluster//tools:keygen -- --config=",
      ScratchFolder(), "/start.json --out=FOLDER");
  std::string error = ErrorOf(Security("nothing"));
  EXPECT_THAT(error, StartsWith("start.json:2: $.security.peers: "));
  EXPECT_THAT(error, HasSubstr("nothing/public"));
  EXPECT_THAT(error, HasSubstr(keygen));

  // With the folder of peers, and without the own one.
  const std::string keys = absl::StrCat(ScratchFolder(), "/keys_", GetParam());
  ASSERT_EQ(mkdir(keys.c_str(), 0755), 0);
  ASSERT_EQ(mkdir((keys + "/public").c_str(), 0755), 0);
  ASSERT_EQ(mkdir((keys + "/public/2").c_str(), 0755), 0);
  error = ErrorOf(Security(keys));
  EXPECT_THAT(error, StartsWith("start.json:2: $.security.identity: "));
  EXPECT_THAT(error, HasSubstr(keys + "/1"));
  EXPECT_THAT(error, HasSubstr(keygen));

  // With an own folder that lacks its files.
  ASSERT_EQ(mkdir((keys + "/1").c_str(), 0700), 0);
  error = ErrorOf(Security(keys));
  EXPECT_THAT(error, StartsWith("start.json:2: $.security.identity: "));
  EXPECT_THAT(error, HasSubstr(keygen));

  // A private file that others may change is there, so keygen does not help.
  for (const char* name : {"/1/zmq.secret", "/1/tls.key", "/1/tls.crt"}) {
    std::ofstream(keys + name) << "a key\n";
    ASSERT_EQ(chmod((keys + name).c_str(), 0666), 0);
  }
  error = ErrorOf(Security(keys));
  EXPECT_THAT(error, StartsWith("start.json:2: $.security.identity: "));
  EXPECT_THAT(error, HasSubstr("chmod "));
  EXPECT_THAT(error, Not(HasSubstr("keygen")));
}

INSTANTIATE_TEST_SUITE_P(Transports, StartErrorsTest,
                         testing::ValuesIn(SocketTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
