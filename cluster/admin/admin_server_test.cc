#include "cluster/admin/admin_server.h"

#include <sys/stat.h>

#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cluster/admin/testing/http_client.h"
#include "cluster/testing/test_server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rapidjson/document.h"

namespace cluster::internal {
namespace {

using ::testing::HasSubstr;

constexpr char kToken[] = "0123456789abcdef0123456789abcdef";

std::string TokenFile(const std::string& token = kToken) {
  const std::string path = testing::TempDir() + "/token";
  std::ofstream(path) << token << "\n";
  chmod(path.c_str(), 0600);
  return path;
}

std::unique_ptr<AdminServer> Serve(Server* server, AdminOptions options = {}) {
  if (options.address.empty()) options.address = "127.0.0.1:0";
  absl::StatusOr<std::unique_ptr<AdminServer>> admin =
      AdminServer::Start(*server, options);
  EXPECT_TRUE(admin.ok()) << admin.status();
  return *std::move(admin);
}

std::string BearerLine(const std::string& token) {
  return absl::StrCat("Authorization: Bearer ", token, "\r\n");
}

// Asks until the answer holds the text.
std::string WaitFor(const AdminServer& admin, const std::string& path,
                    const std::string& text) {
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(30);
  std::string answer;
  do {
    answer = Ask(admin.Address(), Get(path));
  } while (!absl::StrContains(answer, text) &&
           std::chrono::steady_clock::now() < deadline);
  EXPECT_THAT(answer, HasSubstr(text));
  return answer;
}

TEST(AdminServer, EachPageIsThere) {
  const auto server = Started(1, MakeConfig(1));
  const auto admin = Serve(server.get());
  for (const char* path :
       {"/", "/metrics", "/healthz", "/readyz", "/status", "/config"}) {
    const std::string answer = Ask(admin->Address(), Get(path));
    EXPECT_EQ(CodeOf(answer), 200) << path;
    EXPECT_THAT(answer, HasSubstr("Cache-Control: no-store")) << path;
  }
  EXPECT_EQ(CodeOf(Ask(admin->Address(), Get("/nowhere"))), 404);
  const std::string head = Ask(
      admin->Address(), "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(CodeOf(head), 200);
  EXPECT_EQ(BodyOf(head), "");
}

TEST(AdminServer, ItIsReadyWithAMajority) {
  const Config config = MakeConfig(3);
  const auto one = Started(1, config);
  const auto admin = Serve(one.get());
  EXPECT_EQ(CodeOf(Ask(admin->Address(), Get("/readyz"))), 503);
  EXPECT_EQ(CodeOf(Ask(admin->Address(), Get("/healthz"))), 200);
  const auto two = Started(2, config);
  const std::string ready = WaitFor(*admin, "/readyz", "ready: 2 of 3");
  EXPECT_EQ(CodeOf(ready), 200);
  EXPECT_THAT(ready, HasSubstr("server 2: up\nserver 3: down\n"));
  WaitFor(*admin, "/metrics", "cluster_peer_up{peer=\"2\"} 1");
  one->Stop();
  WaitFor(*admin, "/healthz", "503");
}

TEST(AdminServer, AnIdlePeerCanBeProbed) {
  const Config config = MakeConfig(2);
  const auto one = Started(1, config);
  const auto two = Started(2, config);
  const auto admin = Serve(one.get());
  WaitFor(*admin, "/readyz", "server 2: up");
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (one->Stats().Peer(2)->round_trips.count() == 0 &&
         std::chrono::steady_clock::now() < deadline) {
    EXPECT_EQ(CodeOf(Ask(admin->Address(), Get("/probe?peer=2"))), 202);
  }
  EXPECT_GT(one->Stats().Peer(2)->rtt, absl::ZeroDuration());
  EXPECT_EQ(CodeOf(Ask(admin->Address(), Get("/probe?peer=3"))), 404);
  EXPECT_EQ(CodeOf(Ask(admin->Address(), Get("/probe"))), 400);
}

TEST(AdminServer, OnlyGetAndHeadAreAnswered) {
  const auto server = Started(1, MakeConfig(1));
  AdminOptions options;
  options.token_file = TokenFile();
  const auto admin = Serve(server.get(), options);
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE"}) {
    EXPECT_EQ(
        CodeOf(Ask(admin->Address(), absl::StrCat(method,
                                                  " /status HTTP/1.1\r\nHost: "
                                                  "localhost\r\n",
                                                  BearerLine(kToken), "\r\n"))),
        405)
        << method;
  }
}

TEST(AdminServer, WithATokenAllButHealthNeedsIt) {
  const auto server = Started(1, MakeConfig(1));
  AdminOptions options;
  options.token_file = TokenFile();
  const auto admin = Serve(server.get(), options);
  for (const char* path : {"/healthz", "/readyz"})
    EXPECT_EQ(CodeOf(Ask(admin->Address(), Get(path))), 200) << path;
  for (const char* path :
       {"/", "/metrics", "/status", "/config", "/probe?peer=2", "/nowhere",
        "/healthz/", "//healthz"}) {
    EXPECT_EQ(CodeOf(Ask(admin->Address(), Get(path))), 401) << path;
    EXPECT_EQ(CodeOf(Ask(admin->Address(),
                         Get(path, BearerLine("0123456789abcdef")))),
              401);
    EXPECT_NE(CodeOf(Ask(admin->Address(), Get(path, BearerLine(kToken)))), 401)
        << path;
  }
  // Neither in the URL nor in a cookie.
  EXPECT_EQ(CodeOf(Ask(admin->Address(),
                       Get(absl::StrCat("/status?token=", kToken),
                           absl::StrCat("Cookie: token=", kToken, "\r\n")))),
            401);
}

TEST(AdminServer, ATokenCanBeReplaced) {
  const auto server = Started(1, MakeConfig(1));
  AdminOptions options;
  options.token_file = TokenFile();
  const auto admin = Serve(server.get(), options);
  TokenFile("bad");
  EXPECT_FALSE(admin->ReloadToken().ok());
  EXPECT_EQ(CodeOf(Ask(admin->Address(), Get("/", BearerLine(kToken)))), 200);
  const std::string fresh = "fedcba9876543210";
  TokenFile(fresh);
  EXPECT_TRUE(admin->ReloadToken().ok());
  EXPECT_EQ(CodeOf(Ask(admin->Address(), Get("/", BearerLine(kToken)))), 401);
  EXPECT_EQ(CodeOf(Ask(admin->Address(), Get("/", BearerLine(fresh)))), 200);
}

TEST(AdminServer, AForeignHostIsRefused) {
  const auto server = Started(1, MakeConfig(1));
  AdminOptions options;
  options.hosts = {"db1.internal"};
  const auto admin = Serve(server.get(), options);
  const auto ask = [&](const std::string& host) {
    return CodeOf(
        Ask(admin->Address(),
            absl::StrCat("GET /healthz HTTP/1.1\r\nHost: ", host, "\r\n\r\n")));
  };
  EXPECT_EQ(ask("127.0.0.1"), 200);
  EXPECT_EQ(ask("db1.internal:9101"), 200);
  EXPECT_EQ(ask("evil.example"), 421);
  EXPECT_EQ(CodeOf(Ask(admin->Address(), "GET /healthz HTTP/1.0\r\n\r\n")),
            421);
}

TEST(AdminServer, OtherMachinesNeedAToken) {
  const auto server = Started(1, MakeConfig(1));
  AdminOptions options;
  options.address = "0.0.0.0:0";
  EXPECT_EQ(AdminServer::Start(*server, options).status().code(),
            absl::StatusCode::kFailedPrecondition);
  options.token_file = TokenFile();
  const auto admin = Serve(server.get(), options);
  const std::string address = absl::StrCat(
      "127.0.0.1", admin->Address().substr(admin->Address().rfind(':')));
  EXPECT_EQ(CodeOf(Ask(address, Get("/status", BearerLine(kToken)))), 200);
}

TEST(AdminServer, MistakesOfTheOptionsAreErrors) {
  const auto server = Started(1, MakeConfig(1));
  AdminOptions options;
  EXPECT_FALSE(AdminServer::Start(*server, options).ok());
  options.address = "127.0.0.1:0";
  options.token_file = "/nowhere/token";
  EXPECT_EQ(AdminServer::Start(*server, options).status().code(),
            absl::StatusCode::kNotFound);
  options.token_file.clear();
  options.key_file = "x";
  EXPECT_EQ(AdminServer::Start(*server, options).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(AdminServer, ItOutlivesTheStopOfItsServer) {
  const auto server = Started(1, MakeConfig(1));
  const auto admin = Serve(server.get());
  server->Stop();
  EXPECT_EQ(CodeOf(Ask(admin->Address(), Get("/healthz"))), 503);
  EXPECT_EQ(CodeOf(Ask(admin->Address(), Get("/status"))), 200);
}

}  // namespace
}  // namespace cluster::internal
