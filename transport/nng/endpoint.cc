#include "cluster/transport/nng/endpoint.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"
#include "cluster/transport/resolver/resolver.h"

namespace cluster::internal {
namespace nng {
namespace {

// Keep-alive notices the death of a peer's machine even if nothing above us
// does. Without Nagle's delay the last small frame leaves at once.
template <typename Endpoint, typename SetBool>
void SetTcpOptions(const Address& address, const TcpOptions& options,
                   Endpoint* endpoint, SetBool set) {
  if (address.kind != Address::Kind::kTcp) return;
  set(endpoint, NNG_OPT_TCP_NODELAY, true);
  set(endpoint, NNG_OPT_TCP_KEEPALIVE, options.keepalive);
}

absl::Status DialFrom(const SourceAddress& source, const Address& address,
                      nng_stream_dialer* dialer) {
  if (!source.address() || address.kind != Address::Kind::kTcp)
    return absl::OkStatus();
  if (absl::Status status = source.CheckReaches(address); !status.ok())
    return status;
  const absl::StatusOr<Address> from = ToNumbers(*source.address());
  if (!from.ok()) return from.status();
  const std::size_t percent = from->host.find('%');
  const std::string number = from->host.substr(0, percent);
  nng_sockaddr name{};
  if (from->is_v6()) {
    name.s_in6.sa_family = NNG_AF_INET6;
    inet_pton(AF_INET6, number.c_str(), name.s_in6.sa_addr);
    if (percent != std::string::npos) {
      CLUSTER_CHECK(absl::SimpleAtoi(from->host.substr(percent + 1),
                                     &name.s_in6.sa_scope),
                    "ToNumbers leaves a zone that is no number");
    }
  } else {
    name.s_in.sa_family = NNG_AF_INET;
    inet_pton(AF_INET, number.c_str(), &name.s_in.sa_addr);
  }
  const int error = nng_stream_dialer_set_addr(dialer, NNG_OPT_LOCADDR, &name);
  return error == 0 ? absl::OkStatus()
                    : ErrorStatus(error, "dial from", from->host);
}

// nng replaces any file at the path of an ipc listener on which nobody listens.
// A file that is not a socket is somebody's data.
absl::Status CheckReplaceable(const Address& address) {
  struct stat file;
  if (address.kind != Address::Kind::kIpc ||
      lstat(address.path.c_str(), &file) != 0 || S_ISSOCK(file.st_mode)) {
    return absl::OkStatus();
  }
  return absl::AlreadyExistsError(
      absl::StrCat("listen on ", ToString(address),
                   ": a file that is no socket is in the way; remove it or use "
                   "another path"));
}

// `text` names the address.
absl::Status ListenError(int error, const Address& address,
                         const std::string& text) {
  const bool ipc = address.kind == Address::Kind::kIpc;
  const absl::Status status = ErrorStatus(error, "listen on", text);
  if (error == NNG_EADDRINUSE) {
    return absl::AlreadyExistsError(absl::StrCat(
        status.message(), "; stop whoever listens there, or use another ",
        ipc ? "path" : "port (0: any free one)"));
  }
  if (error != NNG_EADDRINVAL || ipc) return status;
  return absl::FailedPreconditionError(
      absl::StrCat("listen on ", text, ": ", NoSuchAddressText(address)));
}

// `text` names the address in errors.
absl::Status ListenAt(const Address& address, const std::string& text,
                      const TcpOptions& options,
                      nng_stream_listener** listener) {
  absl::Status status = CheckReplaceable(address);
  if (!status.ok()) return status;
  const absl::StatusOr<Address> numbers = ToNumbers(address);
  if (!numbers.ok()) return numbers.status();
  nng_stream_listener* made = nullptr;
  int error = nng_stream_listener_alloc(&made, Url(*numbers).c_str());
  if (error != 0) return ListenError(error, address, text);
  SetTcpOptions(address, options, made, nng_stream_listener_set_bool);
  error = nng_stream_listener_listen(made);
  if (error != 0) {
    nng_stream_listener_free(made);
    return ListenError(error, address, text);
  }
  *listener = made;
  return absl::OkStatus();
}

// Calls `step` on nng's reaper thread, later: reaping an aio cancels its
// operation.
void CallOnReaper(std::function<void()> step) {
  const nng_aio_cancelfn call = [](nng_aio* aio, void* owned, int error) {
    const std::unique_ptr<std::function<void()>> step(
        static_cast<std::function<void()>*>(owned));
    (*step)();
    nng_aio_finish(aio, error);
  };
  nng_aio* aio = nullptr;
  CLUSTER_CHECK(nng_aio_alloc(&aio, nullptr, nullptr) == 0, "out of memory");
  CLUSTER_CHECK(nng_aio_begin(aio), "a new aio does not begin");
  nng_aio_defer(aio, call, new std::function<void()>(std::move(step)));
  nng_aio_reap(aio);
}

// One end of a socket; "" if it is not of TCP. `port` in network order.
std::string TcpText(int family, const void* host, std::uint16_t port) {
  char text[INET6_ADDRSTRLEN];
  if (inet_ntop(family, host, text, sizeof text) == nullptr) return "";
  Address address;
  address.host = text;
  address.port = ntohs(port);
  return ToString(address);
}

std::string TcpText(const nng_sockaddr& end) {
  return end.s_family == NNG_AF_INET
             ? TcpText(AF_INET, &end.s_in.sa_addr, end.s_in.sa_port)
         : end.s_family == NNG_AF_INET6
             ? TcpText(AF_INET6, &end.s_in6.sa_addr, end.s_in6.sa_port)
             : "";
}

std::string TcpText(nng_stream* stream, const char* end) {
  nng_sockaddr name{};
  return nng_stream_get_addr(stream, end, &name) == 0 ? TcpText(name) : "";
}

template <typename GetName>
std::string TcpText(int fd, GetName get_name) {
  sockaddr_storage name{};
  socklen_t bytes = sizeof(name);
  if (get_name(fd, reinterpret_cast<sockaddr*>(&name), &bytes) != 0) return "";
  // Both have the port at the same place.
  const auto* const v4 = reinterpret_cast<const sockaddr_in*>(&name);
  const auto* const v6 = reinterpret_cast<const sockaddr_in6*>(&name);
  return name.ss_family == AF_INET
             ? TcpText(AF_INET, &v4->sin_addr, v4->sin_port)
             : TcpText(name.ss_family, &v6->sin6_addr, v6->sin6_port);
}

}  // namespace

std::string Url(const Address& numbers) {
  return absl::StrCat(numbers.kind == Address::Kind::kIpc ? "" : "tcp://",
                      ToString(numbers));
}

absl::Status OpenListener(const Address& address, const TcpOptions& options,
                          nng_stream_listener** listener) {
  if (!address.is_name())
    return ListenAt(address, ToString(address), options, listener);
  const absl::StatusOr<Resolver::Hosts> hosts =
      Resolver::OfProcess().Find(address.host);
  if (!hosts.ok()) {
    return absl::Status(hosts.status().code(),
                        absl::StrCat("listen on ", ToString(address), ": ",
                                     hosts.status().message()));
  }
  absl::Status status = absl::InternalError("a name of no address");
  for (const std::string& host : *hosts) {
    Address numbers = address;
    numbers.host = host;
    status = ListenAt(numbers, absl::StrCat(ToString(address), " (", host, ")"),
                      options, listener);
    if (status.ok()) break;
  }
  return status;
}

std::string BoundAddress(const Address& address,
                         nng_stream_listener* listener) {
  nng_sockaddr bound{};
  nng_stream_listener_get_addr(listener, NNG_OPT_LOCADDR, &bound);
  const std::string text = TcpText(bound);
  const absl::StatusOr<Address> numbers = ParseAddress(text);
  if (!numbers.ok()) return ToString(address);  // ipc
  if (address.host.find('%') == std::string::npos && !address.is_name())
    return text;
  Address named = address;
  named.port = numbers->port;
  return ToString(named);
}

absl::Status OpenDialer(const Address& address, const TcpOptions& options,
                        nng_stream_dialer** dialer) {
  const absl::StatusOr<Address> numbers = ToNumbers(address);
  if (!numbers.ok()) return numbers.status();
  nng_stream_dialer* made = nullptr;
  const int error = nng_stream_dialer_alloc(&made, Url(*numbers).c_str());
  if (error != 0) return ErrorStatus(error, "connect to", ToString(address));
  if (absl::Status status = DialFrom(options.source, address, made);
      !status.ok()) {
    FreeDialer(made);
    return status;
  }
  SetTcpOptions(address, options, made, nng_stream_dialer_set_bool);
  *dialer = made;
  return absl::OkStatus();
}

// The connection of a failed attempt shares the dialer until nng's reaper frees
// it, and the last user destroys a mutex. Only an atomic inside nng orders the
// two, which a thread sanitizer does not see. On one thread the order is plain.
void FreeDialer(nng_stream_dialer* dialer) {
  try {
    CallOnReaper([dialer] { nng_stream_dialer_free(dialer); });
  } catch (const std::bad_alloc&) {
    nng_stream_dialer_free(dialer);
  }
}

// The reaper takes one kind of object after the other, and frees all of a kind
// at once. So a visit may overtake objects that were released before it. The
// next visit does not, since it is requested after the first. Freed objects may
// release others, so there are more visits.
bool AwaitReaper(std::chrono::steady_clock::time_point deadline) {
  constexpr int kVisits = 4;
  for (int visit = 0; visit < kVisits; ++visit) {
    const auto visited = std::make_shared<std::promise<void>>();
    const std::future<void> came = visited->get_future();
    CallOnReaper([visited] { visited->set_value(); });
    if (came.wait_until(deadline) != std::future_status::ready) return false;
  }
  return true;
}

std::string RemoteText(nng_stream* stream) {
  const std::string text = TcpText(stream, NNG_OPT_REMADDR);
  return text.empty() ? "an unknown address" : text;
}

bool LeadsToItself(nng_stream* stream) {
  const std::string local = TcpText(stream, NNG_OPT_LOCADDR);
  return !local.empty() && local == TcpText(stream, NNG_OPT_REMADDR);
}

void ResetToItself(nng_stream* stream) {
  const std::string local = TcpText(stream, NNG_OPT_LOCADDR);
  // nng does not expose the descriptor.
  DIR* const folder = local.empty() ? nullptr : opendir("/proc/self/fd");
  while (const dirent* const entry =
             folder == nullptr ? nullptr : readdir(folder)) {
    int fd = -1;
    if (!absl::SimpleAtoi(entry->d_name, &fd) ||
        TcpText(fd, getsockname) != local ||
        TcpText(fd, getpeername) != local) {
      continue;
    }
    // Resets at once. A FIN from nng would be its own answer, an orderly end.
    sockaddr none{};
    none.sa_family = AF_UNSPEC;
    static_cast<void>(connect(fd, &none, sizeof(none)));
  }
  if (folder != nullptr) closedir(folder);
  nng_stream_close(stream);
  nng_stream_free(stream);
}

std::string ErrorText(int error) {
  switch (error) {
    case NNG_ENOMEM:
      return "out of memory";
    case NNG_ETIMEDOUT:
      return "no answer within the time allowed";
    case NNG_ECONNREFUSED:
      return "connection refused: nobody listens there";
    case NNG_ECLOSED:
    case NNG_ECANCELED:
      return "this side closed it";
    case NNG_EADDRINUSE:
      return "address in use";
    case NNG_ENOENT:
      return "the path does not exist";
    case NNG_EUNREACHABLE:
      return "there is no route to it";
    case NNG_EADDRINVAL:
      return "the address is not valid here";
    case NNG_EPERM:
      return "permission denied";
    case NNG_ECONNABORTED:
    case NNG_ECONNRESET:
      return "the connection was reset";
    case NNG_ENOFILES:
      return "the process has no more descriptors";
    case NNG_ECRYPTO:
      return "TLS failed";
    case NNG_ECONNSHUT:
      return "the other side closed it";
    default:
      return (error & NNG_ESYSERR) != 0 ? std::strerror(error & ~NNG_ESYSERR)
                                        : nng_strerror(error);
  }
}

absl::Status ErrorStatus(int error, absl::string_view doing,
                         absl::string_view address) {
  const std::string text =
      absl::StrCat(doing, " ", address, ": ", ErrorText(error));
  switch (error) {
    case NNG_EADDRINUSE:
      return absl::AlreadyExistsError(text);
    case NNG_EADDRINVAL:
    case NNG_EINVAL:
      return absl::InvalidArgumentError(text);
    case NNG_EPERM:
      return absl::PermissionDeniedError(text);
    case NNG_ENOENT:
      return absl::NotFoundError(text);
    default:
      return absl::UnavailableError(text);
  }
}

}  // namespace nng
}  // namespace cluster::internal
