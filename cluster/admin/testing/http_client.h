// A client for tests of HTTP servers: bytes out, bytes in.
//
// It waits for at most 30 s, and fails the test where the system fails.
//
//   const std::string answer = Ask(server->address(), Get("/healthz"));
//   EXPECT_EQ(CodeOf(answer), 200);

#ifndef CLUSTER_ADMIN_TESTING_HTTP_CLIENT_H_
#define CLUSTER_ADMIN_TESTING_HTTP_CLIENT_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cluster::internal {

// A connection to "127.0.0.1:PORT", "[::1]:PORT" or "ipc:///path".
class HttpClient {
 public:
  explicit HttpClient(const std::string& address);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // False: the server has closed the connection.
  bool Write(absl::string_view bytes);
  // Whether the server ends the connection by then. Drops all that it sends.
  bool EndsWithin(absl::Duration duration);
  // All until the server closes the connection.
  std::string ReadAll();

 private:
  int fd_;
};

// "GET /path", with a good Host and more header lines.
std::string Get(absl::string_view path, absl::string_view headers = "");

// The whole answer.
std::string Ask(const std::string& address, absl::string_view request);
// 0: there is none.
int CodeOf(absl::string_view answer);
std::string BodyOf(absl::string_view answer);

}  // namespace cluster::internal

#endif  // CLUSTER_ADMIN_TESTING_HTTP_CLIENT_H_
