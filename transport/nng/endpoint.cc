#include "cluster/transport/nng/endpoint.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"
#include "cluster/transport/stream/endpoint.h"

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
  return error == 0
             ? absl::OkStatus()
             : stream::ErrorStatus(ToErrno(error), "dial from", from->host);
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
  // First, since it may throw.
  auto owned = std::make_unique<std::function<void()>>(std::move(step));
  nng_aio* aio = nullptr;
  CLUSTER_CHECK(nng_aio_alloc(&aio, nullptr, nullptr) == 0, "out of memory");
  CLUSTER_CHECK(nng_aio_begin(aio), "a new aio does not begin");
  nng_aio_defer(aio, call, owned.release());
  nng_aio_reap(aio);
}

// One end of a stream; "" if it is not of TCP.
std::string TcpText(const nng_sockaddr& end) {
  sockaddr_storage name{};
  if (end.s_family == NNG_AF_INET) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(name);
    v4.sin_family = AF_INET;
    v4.sin_port = end.s_in.sa_port;
    v4.sin_addr.s_addr = end.s_in.sa_addr;
  } else if (end.s_family == NNG_AF_INET6) {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(name);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = end.s_in6.sa_port;
    std::memcpy(&v6.sin6_addr, end.s_in6.sa_addr, sizeof(v6.sin6_addr));
  }
  return stream::TcpText(name);
}

std::string TcpText(nng_stream* stream, const char* end) {
  nng_sockaddr name{};
  return nng_stream_get_addr(stream, end, &name) == 0 ? TcpText(name) : "";
}

}  // namespace

std::string Url(const Address& numbers) {
  return absl::StrCat(numbers.kind == Address::Kind::kIpc ? "" : "tcp://",
                      ToString(numbers));
}

int OpenListener(const Address& numbers, const TcpOptions& options,
                 nng_stream_listener** listener) {
  nng_stream_listener* made = nullptr;
  int error = nng_stream_listener_alloc(&made, Url(numbers).c_str());
  if (error != 0) return error;
  SetTcpOptions(numbers, options, made, nng_stream_listener_set_bool);
  error = nng_stream_listener_listen(made);
  if (error == 0) {
    *listener = made;
  } else {
    nng_stream_listener_free(made);
  }
  return error;
}

std::uint16_t BoundPort(nng_stream_listener* listener) {
  nng_sockaddr bound{};
  nng_stream_listener_get_addr(listener, NNG_OPT_LOCADDR, &bound);
  return ntohs(bound.s_family == NNG_AF_INET    ? bound.s_in.sa_port
               : bound.s_family == NNG_AF_INET6 ? bound.s_in6.sa_port
                                                : 0);
}

absl::Status OpenDialer(const Address& numbers, const TcpOptions& options,
                        nng_stream_dialer** dialer) {
  nng_stream_dialer* made = nullptr;
  const int error = nng_stream_dialer_alloc(&made, Url(numbers).c_str());
  if (error != 0) {
    return stream::ErrorStatus(ToErrno(error), "connect to", ToString(numbers));
  }
  if (absl::Status status = DialFrom(options.source, numbers, made);
      !status.ok()) {
    FreeDialer(made);
    return status;
  }
  SetTcpOptions(numbers, options, made, nng_stream_dialer_set_bool);
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
  return TcpText(stream, NNG_OPT_REMADDR);
}

bool LeadsToItself(nng_stream* stream) {
  const std::string local = TcpText(stream, NNG_OPT_LOCADDR);
  return !local.empty() && local == TcpText(stream, NNG_OPT_REMADDR);
}

void ResetToItself(nng_stream* itself) {
  const std::string local = TcpText(itself, NNG_OPT_LOCADDR);
  // nng does not expose the descriptor.
  DIR* const folder = local.empty() ? nullptr : opendir("/proc/self/fd");
  while (const dirent* const entry =
             folder == nullptr ? nullptr : readdir(folder)) {
    int fd = -1;
    if (!absl::SimpleAtoi(entry->d_name, &fd) ||
        stream::LocalText(fd) != local || stream::RemoteText(fd) != local) {
      continue;
    }
    // A FIN from nng would be its own answer, an orderly end.
    stream::ResetSocket(fd);
  }
  if (folder != nullptr) closedir(folder);
  nng_stream_close(itself);
}

int ToErrno(int error) {
  switch (error) {
    case 0:
      return 0;
    case NNG_ENOMEM:
      return ENOMEM;
    case NNG_EINVAL:
      return EINVAL;
    case NNG_ETIMEDOUT:
      return ETIMEDOUT;
    case NNG_ECONNREFUSED:
      return ECONNREFUSED;
    case NNG_ECLOSED:
    case NNG_ECANCELED:
      return ECANCELED;
    case NNG_EADDRINUSE:
      return EADDRINUSE;
    case NNG_ENOENT:
      return ENOENT;
    case NNG_EUNREACHABLE:
      return EHOSTUNREACH;
    case NNG_EADDRINVAL:
      return EADDRNOTAVAIL;
    case NNG_EPERM:
      return EACCES;
    case NNG_ECONNABORTED:
    case NNG_ECONNRESET:
      return ECONNRESET;
    case NNG_ENOFILES:
      return EMFILE;
    case NNG_ECONNSHUT:
      return ESHUTDOWN;
    default:
      return (error & NNG_ESYSERR) != 0 ? error & ~NNG_ESYSERR : EIO;
  }
}

}  // namespace nng
}  // namespace cluster::internal
