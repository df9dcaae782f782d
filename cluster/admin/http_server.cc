#include "cluster/admin/http_server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <list>
#include <new>
#include <thread>

#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"
#include "cluster/base/clock.h"
#include "cluster/base/fork_generation.h"
#include "cluster/base/start_thread.h"
#include "cluster/transport/address.h"

namespace cluster::internal {
namespace {

// A connection that is cut is closed a round later.
constexpr unsigned kConnectionsSlack = 32;
// Of one round.
constexpr int kAcceptsMax = 16;
constexpr int kNiceness = 10;
// Until the next look at the listener, where the process has no descriptor left.
constexpr absl::Duration kNoDescriptorWait = absl::Milliseconds(100);

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t bytes = 0;

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

absl::Status SystemError(const std::string& address, const char* call,
                         int error) {
  const std::string text = absl::StrCat(
      "admin address \"", address, "\": ", call, ": ", std::strerror(error));
  if (error == EADDRINUSE) {
    return absl::AlreadyExistsError(
        absl::StrCat(text, "; another process has it, want a free one"));
  }
  return absl::UnavailableError(text);
}

absl::StatusOr<SocketAddress> Resolve(const Address& address) {
  SocketAddress name;
  if (address.kind == Address::Kind::kIpc) {
    auto* const un = reinterpret_cast<sockaddr_un*>(&name.storage);
    un->sun_family = AF_UNIX;
    std::memcpy(un->sun_path, address.path.data(), address.path.size());
    name.bytes = sizeof(sockaddr_un);
    return name;
  }
  if (address.is_name()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "admin address \"", ToString(address),
        "\": want a number such as 127.0.0.1, localhost, or ipc:///path"));
  }
  absl::StatusOr<Address> numbers = ToNumbers(address);
  if (!numbers.ok()) return numbers.status();
  if (numbers->host == "*") numbers->host = "::";
  if (numbers->is_v6()) {
    auto* const v6 = reinterpret_cast<sockaddr_in6*>(&name.storage);
    const std::size_t zone = numbers->host.find('%');
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(numbers->port);
    if (zone != std::string::npos)
      v6->sin6_scope_id = static_cast<std::uint32_t>(
          std::strtoul(numbers->host.c_str() + zone + 1, nullptr, 10));
    inet_pton(AF_INET6, numbers->host.substr(0, zone).c_str(), &v6->sin6_addr);
    name.bytes = sizeof(sockaddr_in6);
  } else {
    auto* const v4 = reinterpret_cast<sockaddr_in*>(&name.storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(numbers->port);
    inet_pton(AF_INET, numbers->host.c_str(), &v4->sin_addr);
    name.bytes = sizeof(sockaddr_in);
  }
  return name;
}

// Whether the file is a socket that nobody listens on, as a process that was
// killed leaves it.
bool IsStale(SocketAddress* name) {
  const char* const path =
      reinterpret_cast<sockaddr_un*>(&name->storage)->sun_path;
  struct stat info;
  if (lstat(path, &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  const bool refused =
      connect(fd, name->get(), name->bytes) != 0 && errno == ECONNREFUSED;
  close(fd);
  return refused;
}

// A listening socket; the address gets the port.
absl::StatusOr<int> Listen(Address* address) {
  absl::StatusOr<SocketAddress> name = Resolve(*address);
  if (!name.ok()) return name.status();
  const std::string text = ToString(*address);
  const int family = name->storage.ss_family;
  const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return SystemError(text, "socket", errno);
  const int on = 1;
  if (family == AF_UNIX) {
    // The file that bind makes gets this mode.
    fchmod(fd, S_IRUSR | S_IWUSR);
    if (IsStale(&*name)) unlink(address->path.c_str());
  } else {
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  }
  const char* failed = nullptr;
  if (bind(fd, name->get(), name->bytes) != 0)
    failed = "bind";
  else if (listen(fd, SOMAXCONN) != 0)
    failed = "listen";
  if (failed == nullptr && family != AF_UNIX) {
    if (getsockname(fd, name->get(), &name->bytes) != 0) failed = "getsockname";
    address->port =
        ntohs(family == AF_INET6
                  ? reinterpret_cast<sockaddr_in6*>(&name->storage)->sin6_port
                  : reinterpret_cast<sockaddr_in*>(&name->storage)->sin_port);
  }
  if (failed == nullptr) return fd;
  const int error = errno;
  close(fd);
  return SystemError(text, failed, error);
}

std::string Text(const char* value) { return value == nullptr ? "" : value; }

class MicroHttpServer final : public HttpServer {
 public:
  MicroHttpServer(Handler handler, absl::Duration connection_life)
      : handler_(std::move(handler)), connection_life_(connection_life) {}

  ~MicroHttpServer() override {
    if (ForkGeneration() != started_in_) {
      // The parent's; kept for ever.
      // NOLINTNEXTLINE(bugprone-unhandled-exception-at-new)
      new std::thread(std::move(thread_));
      return;
    }
    if (thread_.joinable()) {
      Wake();
      thread_.join();
    }
    if (daemon_ != nullptr) MHD_stop_daemon(daemon_);
    if (wake_ >= 0) close(wake_);
    if (listener_ < 0) return;
    close(listener_);
    if (address_.kind == Address::Kind::kIpc) unlink(address_.path.c_str());
  }

  absl::Status Begin(const Options& options) {
    absl::StatusOr<Address> address = ParseAddress(options.address);
    if (!address.ok()) return address.status();
    address_ = *std::move(address);
    wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_ < 0) return SystemError(options.address, "eventfd", errno);
    absl::StatusOr<int> listener = Listen(&address_);
    if (!listener.ok()) return listener.status();
    listener_ = *listener;
    daemon_ = NewDaemon(options);
    if (daemon_ == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(
          "admin address \"", options.address, "\": libmicrohttpd refuses it",
          complaint_.empty() ? "" : ": ", complaint_,
          options.key.empty()
              ? ""
              : "; want a certificate and its own private key, in PEM"));
    }
    return StartThread(
        "cluster-admin", [this] { Run(); }, &thread_);
  }

  std::string address() const override { return ToString(address_); }
  int connections() const override { return connections_; }

 private:
  struct Connection {
    int fd = -1;
    absl::Time end;
    bool cut = false;
  };
  using Connections = std::list<Connection>;  // the oldest first

  // It gets its connections from Accept, so that this class bounds them.
  MHD_Daemon* NewDaemon(const Options& options) {
    std::vector<MHD_OptionItem> more;
    // A pointer, or a number in its place.
    const auto add = [&more](MHD_OPTION option, std::intptr_t value,
                             const void* pointer = nullptr) {
      more.push_back({option, value, const_cast<void*>(pointer)});
    };
    unsigned flags =
        MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET;
    add(MHD_OPTION_CONNECTION_LIMIT, kConnectionsMax + kConnectionsSlack);
    add(MHD_OPTION_CONNECTION_MEMORY_LIMIT, kRequestBytesMax);
    add(MHD_OPTION_CONNECTION_TIMEOUT, absl::ToInt64Seconds(kConnectionLife));
    add(MHD_OPTION_STRICT_FOR_CLIENT, 1);
    add(MHD_OPTION_NOTIFY_CONNECTION,
        reinterpret_cast<std::intptr_t>(&OnConnection), this);
    if (!options.key.empty()) {
      flags |= MHD_USE_TLS;
      add(MHD_OPTION_HTTPS_MEM_KEY, 0, options.key.c_str());
      add(MHD_OPTION_HTTPS_MEM_CERT, 0, options.certificate.c_str());
    }
    add(MHD_OPTION_END, 0);
    // The logger first: it hears of the others.
    return MHD_start_daemon(flags, 0, nullptr, nullptr, &OnRequest, this,
                            MHD_OPTION_EXTERNAL_LOGGER, &OnComplaint, this,
                            MHD_OPTION_ARRAY, more.data(), MHD_OPTION_END);
  }

  // Mistakes of clients are no news. Those of the start become its error.
  static void OnComplaint(void* self, const char* format, va_list arguments) {
    auto* const server = static_cast<MicroHttpServer*>(self);
    if (server->daemon_ != nullptr) return;
    char text[256];
    std::vsnprintf(text, sizeof(text), format, arguments);
    server->complaint_ = text;
    while (!server->complaint_.empty() && server->complaint_.back() == '\n')
      server->complaint_.pop_back();
  }

  static void OnConnection(void* self, MHD_Connection* connection,
                           void** context,
                           MHD_ConnectionNotificationCode code) {
    OrEndProcess("the admin server", [&] {
      auto* const server = static_cast<MicroHttpServer*>(self);
      if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context =
            server->Add(MHD_get_connection_info(
                            connection, MHD_CONNECTION_INFO_CONNECTION_FD)
                            ->connect_fd);
      } else if (*context != nullptr) {
        server->Forget(static_cast<Connections::iterator*>(*context));
      }
    });
  }

  Connections::iterator* Add(int fd) {
    list_.push_back({fd, MonotonicNow() + connection_life_});
    connections_ = static_cast<int>(list_.size());
    const auto open = std::count_if(
        list_.begin(), list_.end(),
        [](const Connection& connection) { return !connection.cut; });
    if (open > kConnectionsMax) Cut(absl::InfiniteFuture(), 1);
    return new Connections::iterator(std::prev(list_.end()));
  }

  void Forget(Connections::iterator* place) {
    list_.erase(*place);
    delete place;
    connections_ = static_cast<int>(list_.size());
  }

  // Cuts at most so many of those that end by then, the oldest first.
  // libmicrohttpd finds their sockets at an end, and closes them.
  void Cut(absl::Time by, int most) {
    for (Connection& connection : list_) {
      if (most == 0 || connection.end > by) return;
      if (connection.cut) continue;
      connection.cut = true;
      shutdown(connection.fd, SHUT_RDWR);
      --most;
    }
  }

  static MHD_Result OnRequest(void* self, MHD_Connection* connection,
                              const char* path, const char* method,
                              const char* /*version*/, const char* /*data*/,
                              std::size_t* /*data_bytes*/, void** /*context*/) {
    try {
      return static_cast<MicroHttpServer*>(self)->Answer(connection, path,
                                                         method);
    } catch (const std::bad_alloc&) {
      return MHD_NO;  // closes the connection
    }
  }

  // At once, so a body is never read.
  MHD_Result Answer(MHD_Connection* connection, const char* path,
                    const char* method) {
    HttpRequest request;
    request.method = method;
    request.path = path;
    request.header = [connection](const char* name) {
      return Text(
          MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name));
    };
    request.argument = [connection](const char* name) {
      return Text(
          MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name));
    };
    const HttpResponse answer = handler_(request);
    // Slow readers of one page share it.
    auto* const body = new std::shared_ptr<const std::string>(answer.body);
    MHD_Response* const response =
        MHD_create_response_from_buffer_with_free_callback_cls(
            (*body)->size(), const_cast<char*>((*body)->data()),
            [](void* kept) {
              delete static_cast<std::shared_ptr<const std::string>*>(kept);
            },
            body);
    if (response == nullptr) {
      delete body;
      return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", answer.type.c_str());
    MHD_add_response_header(response, "Connection", "close");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    for (const auto& [name, value] : answer.headers)
      MHD_add_response_header(response, name.c_str(), value.c_str());
    const MHD_Result result = MHD_queue_response(
        connection, static_cast<unsigned>(answer.code), response);
    MHD_destroy_response(response);
    return result;
  }

  void Run() {
    // Of this thread alone. The server's own threads go first.
    setpriority(PRIO_PROCESS, 0, kNiceness);
    const int epoll =
        MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    while (!stop_) {
      pollfd polled[] = {{epoll, POLLIN, 0},
                         {wake_, POLLIN, 0},
                         {no_descriptor_ ? -1 : listener_, POLLIN, 0}};
      poll(polled, 3, WaitMs());
      no_descriptor_ = false;
      Accept();
      Cut(MonotonicNow(), kConnectionsMax);
      MHD_run(daemon_);
    }
  }

  // A few at a time, so that the answers of the others go on.
  void Accept() {
    for (int i = 0; i < kAcceptsMax; ++i) {
      SocketAddress peer;
      peer.bytes = sizeof(peer.storage);
      const int fd = accept4(listener_, peer.get(), &peer.bytes,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        // It closes the socket if it does not take it.
        MHD_add_connection(daemon_, fd, peer.get(), peer.bytes);
        continue;
      }
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
          errno == ENOBUFS) {
        no_descriptor_ = true;
        Cut(absl::InfiniteFuture(), 1);
      }
      if (errno != ECONNABORTED && errno != EINTR) return;
    }
  }

  int WaitMs() {
    absl::Duration wait =
        list_.empty() ? absl::Minutes(1) : list_.front().end - MonotonicNow();
    if (no_descriptor_) wait = kNoDescriptorWait;
    // A connection that was cut is about to be closed.
    wait = std::clamp(wait, absl::Milliseconds(100), absl::Minutes(1));
    MHD_UNSIGNED_LONG_LONG at_most_ms = 0;
    if (MHD_get_timeout(daemon_, &at_most_ms) == MHD_YES)
      wait = std::min(wait, absl::Milliseconds(at_most_ms));
    return static_cast<int>(
        absl::ToInt64Milliseconds(absl::Ceil(wait, absl::Milliseconds(1))));
  }

  void Wake() {
    stop_ = true;
    const std::uint64_t one = 1;
    while (write(wake_, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
  }

  const Handler handler_;
  const absl::Duration connection_life_;
  const std::uint64_t started_in_ = ForkGeneration();
  Address address_;
  std::string complaint_;
  int wake_ = -1;
  int listener_ = -1;
  bool no_descriptor_ = false;
  MHD_Daemon* daemon_ = nullptr;
  std::atomic<bool> stop_{false};
  std::atomic<int> connections_{0};
  Connections list_;  // the thread's
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    const Options& options, Handler handler) {
  auto server = std::make_unique<MicroHttpServer>(std::move(handler),
                                                  options.connection_life);
  if (absl::Status status = server->Begin(options); !status.ok()) return status;
  return server;
}

}  // namespace cluster::internal
