// HttpServer: answers small GET requests over HTTP, on libmicrohttpd.
//
// One thread of its own serves all connections (epoll), at a low priority. A
// connection carries one request without a body and is closed after the answer.
// Each has an end: after connection_life it is cut, however busy it looks. Past
// kConnectionsMax the oldest is cut for the newest. So neither idle connections
// nor slow ones keep others out, and all hold a bounded number of descriptors and
// bytes.
//
// Thread-safe. The handler runs on that thread, one call at a time. In a child of
// fork the destructor leaves everything as it is.
//
//   auto http = HttpServer::Start({"127.0.0.1:0"}, [](const HttpRequest& request) {
//     return HttpResponse{200, "text/plain", "hello\n"};
//   });

#ifndef CLUSTER_ADMIN_HTTP_SERVER_H_
#define CLUSTER_ADMIN_HTTP_SERVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace cluster::internal {

inline constexpr int kConnectionsMax = 64;
inline constexpr absl::Duration kConnectionLife = absl::Seconds(10);
// Of the request's line and headers.
inline constexpr std::size_t kRequestBytesMax = 16u << 10;

struct HttpRequest {
  std::string method;
  std::string path;  // decoded, without the query
  // "" where it is missing.
  std::function<std::string(const char* name)> header;
  std::function<std::string(const char* name)> argument;  // of the query
};

struct HttpResponse {
  int code = 200;
  std::string type;  // "text/plain"
  std::shared_ptr<const std::string> body;
  std::vector<std::pair<std::string, std::string>> headers{};
};

class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest& request)>;

  struct Options {
    // "127.0.0.1:9101", "[::1]:0" or "ipc:///path". A socket file is for the own
    // user alone; one that no process listens on is replaced.
    std::string address;
    // PEM; both empty: without TLS.
    std::string certificate{};
    std::string key{};
    absl::Duration connection_life = kConnectionLife;
  };

  // kInvalidArgument: the address, or a key that does not fit its certificate.
  // kAlreadyExists: the address is in use.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(
      const Options& options, Handler handler);
  virtual ~HttpServer() = default;

  // With the port that the system gave.
  virtual std::string address() const = 0;
  // Connections at this moment, for tests.
  virtual int connections() const = 0;
};

}  // namespace cluster::internal

#endif  // CLUSTER_ADMIN_HTTP_SERVER_H_
