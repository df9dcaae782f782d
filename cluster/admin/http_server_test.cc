#include "cluster/admin/http_server.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/admin/testing/http_client.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

HttpResponse Echo(const HttpRequest& request) {
  return {200, "text/plain",
          std::make_shared<const std::string>(absl::StrCat(
              request.method, " ", request.path, " ", request.argument("a")))};
}

HttpServer::Options At(const std::string& address) {
  HttpServer::Options options;
  options.address = address;
  return options;
}

std::unique_ptr<HttpServer> Serve(const std::string& address,
                                  HttpServer::Handler handler = Echo) {
  absl::StatusOr<std::unique_ptr<HttpServer>> server =
      HttpServer::Start(At(address), std::move(handler));
  EXPECT_TRUE(server.ok()) << server.status();
  return *std::move(server);
}

// The name of a file in a folder of this process. The path of a socket has at most
// 107 bytes, so it is not Bazel's.
std::string Path(const std::string& name) {
  static const std::string& folder = *new std::string([] {
    char path[] = "/tmp/admin-XXXXXX";
    return std::string(mkdtemp(path));
  }());
  return absl::StrCat(folder, "/", name);
}

TEST(HttpServer, AnswersOnEachKindOfAddress) {
  const std::string file = Path("answers.sock");
  for (const std::string& address :
       {std::string("127.0.0.1:0"), std::string("localhost:0"),
        std::string("[::1]:0"), absl::StrCat("ipc://", file)}) {
    const auto server = Serve(address);
    const std::string answer = Ask(server->address(), Get("/x%20y?a=b"));
    EXPECT_EQ(CodeOf(answer), 200) << address;
    EXPECT_EQ(BodyOf(answer), "GET /x y b") << address;
  }
  EXPECT_NE(access(file.c_str(), F_OK), 0) << "the file is left behind";
}

TEST(HttpServer, ASocketFileIsForItsUserAlone) {
  const std::string file = Path("mode.sock");
  const auto server = Serve(absl::StrCat("ipc://", file));
  struct stat info;
  ASSERT_EQ(stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(HttpServer, AnAddressInUseIsAnError) {
  const auto tcp = Serve("127.0.0.1:0");
  EXPECT_EQ(HttpServer::Start(At(tcp->address()), Echo).status().code(),
            absl::StatusCode::kAlreadyExists);
  const auto ipc = Serve(absl::StrCat("ipc://", Path("used.sock")));
  EXPECT_EQ(HttpServer::Start(At(ipc->address()), Echo).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(CodeOf(Ask(ipc->address(), Get("/"))), 200);
}

TEST(HttpServer, ASocketFileOfADeadProcessIsReplaced) {
  const std::string file = Path("stale.sock");
  {
    const auto server = Serve(absl::StrCat("ipc://", file));
    // As a kill leaves it: another name stays when the server unlinks its own.
    ASSERT_EQ(link(file.c_str(), Path("left.sock").c_str()), 0);
  }
  const auto server = Serve(absl::StrCat("ipc://", Path("left.sock")));
  EXPECT_EQ(CodeOf(Ask(server->address(), Get("/"))), 200);
}

TEST(HttpServer, AFileThatIsNoSocketStays) {
  const std::string file = Path("precious.txt");
  std::ofstream(file) << "precious";
  EXPECT_FALSE(HttpServer::Start(At(absl::StrCat("ipc://", file)), Echo).ok());
  EXPECT_EQ(access(file.c_str(), F_OK), 0);
}

TEST(HttpServer, ANameIsNoAddressToListenAt) {
  const absl::Status status =
      HttpServer::Start(At("db1.example:9101"), Echo).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
}

TEST(HttpServer, AThousandIdleConnectionsKeepNobodyOut) {
  const auto server = Serve("127.0.0.1:0");
  std::vector<std::unique_ptr<HttpClient>> idle;
  for (int i = 0; i < 1000; ++i) {
    idle.push_back(std::make_unique<HttpClient>(server->address()));
    if (i % 2 == 0) idle.back()->Write("GET / HTTP/1.1\r\nHost: lo");
    if (i % 100 != 0) continue;
    EXPECT_EQ(CodeOf(Ask(server->address(), Get("/"))), 200) << i;
  }
  EXPECT_EQ(CodeOf(Ask(server->address(), Get("/"))), 200);
  EXPECT_LE(server->connections(), kConnectionsMax + 32);
  // The first ones had to go.
  EXPECT_EQ(idle[1]->ReadAll(), "");
}

TEST(HttpServer, ARequestThatIsTooLongIsRefused) {
  const auto server = Serve("127.0.0.1:0");
  const std::string path(kRequestBytesMax, 'x');
  EXPECT_NE(CodeOf(Ask(server->address(), Get(absl::StrCat("/", path)))), 200);
  const std::string header = absl::StrCat("X: ", path, "\r\n");
  EXPECT_NE(CodeOf(Ask(server->address(), Get("/", header))), 200);
  std::string many;
  for (int i = 0; i < 2000; ++i) absl::StrAppend(&many, "X", i, ": y\r\n");
  EXPECT_NE(CodeOf(Ask(server->address(), Get("/", many))), 200);
  EXPECT_EQ(CodeOf(Ask(server->address(), Get("/"))), 200);
}

TEST(HttpServer, ABodyIsNotRead) {
  const auto server = Serve("127.0.0.1:0");
  HttpClient client(server->address());
  client.Write(
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n");
  // It answers, and closes, before the body comes.
  EXPECT_EQ(CodeOf(client.ReadAll()), 200);
}

TEST(HttpServer, HostileBytesHurtNobody) {
  const auto server = Serve("127.0.0.1:0");
  std::mt19937 random(1);
  const std::vector<std::string> seeds = {
      Get("/"),
      "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
      absl::StrCat(
          "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
          std::string(16, 'f'), "\r\n"),
      "GET / HTTP/1.1\r\nContent-Length: -1\r\nContent-Length: 5\r\n\r\n",
      "GET /%00%ff%zz?a=%00&&==& HTTP/1.1\r\n\r\n",
      absl::StrCat("GET ", std::string(1, '\0'), " HTTP/1.1\r\n\r\n"),
      "\r\n\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11),
  };
  for (int i = 0; i < 400; ++i) {
    std::string bytes = seeds[random() % seeds.size()];
    for (int change = random() % 8; change > 0; --change) {
      const std::size_t at = random() % (bytes.size() + 1);
      if (random() % 2 == 0)
        bytes.insert(at, 1, static_cast<char>(random()));
      else
        bytes.erase(at, 1);
    }
    HttpClient client(server->address());
    client.Write(bytes);
    // Half of them wait for more: those are cut in time, or end here.
  }
  EXPECT_EQ(CodeOf(Ask(server->address(), Get("/"))), 200);
}

TEST(HttpServer, AReaderThatDoesNotReadHoldsUpNobody) {
  const auto page =
      std::make_shared<const std::string>(std::string(8u << 20, 'x'));
  const auto server = Serve("127.0.0.1:0", [&](const HttpRequest& request) {
    return request.path == "/large" ? HttpResponse{200, "text/plain", page}
                                    : Echo(request);
  });
  std::vector<std::unique_ptr<HttpClient>> slow;
  for (int i = 0; i < 20; ++i) {
    slow.push_back(std::make_unique<HttpClient>(server->address()));
    slow.back()->Write(Get("/large"));
  }
  EXPECT_EQ(CodeOf(Ask(server->address(), Get("/"))), 200);
  EXPECT_EQ(BodyOf(Ask(server->address(), Get("/large"))).size(), page->size());
}

TEST(HttpServer, AConnectionEndsHoweverBusyItLooks) {
  HttpServer::Options options;
  options.address = "127.0.0.1:0";
  options.connection_life = absl::Milliseconds(200);
  const auto server = HttpServer::Start(options, Echo).value();
  HttpClient client(server->address());
  ASSERT_TRUE(client.Write("GET / HTTP/1.1\r\nHost: localhost\r\nX: "));
  // A byte now and then, which a time-out of silence never ends.
  int bytes = 0;
  while (!client.EndsWithin(absl::Milliseconds(10)) && client.Write("x"))
    ASSERT_LT(++bytes, 3000);
}

TEST(HttpServer, ItStopsWithConnectionsOpen) {
  auto server = Serve("127.0.0.1:0");
  HttpClient idle(server->address());
  EXPECT_EQ(CodeOf(Ask(server->address(), Get("/"))), 200);
  server.reset();
  EXPECT_EQ(idle.ReadAll(), "");
}

}  // namespace
}  // namespace cluster::internal
