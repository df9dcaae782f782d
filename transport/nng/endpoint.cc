#include "cluster/transport/nng/endpoint.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"

namespace cluster {
namespace nng {
namespace {

bool IsName(const Address& address) {
  if (address.is_v6()) return false;
  in_addr parsed;
  return inet_pton(AF_INET, address.host.c_str(), &parsed) != 1;
}

std::string Url(absl::string_view scheme, const Address& address) {
  if (address.kind == Address::Kind::kIpc) {
    return absl::StrCat("ipc://", address.path);
  }
  return absl::StrCat(scheme, "://", ToString(address));
}

// Without it a dead peer's machine is noticed only by what is above us.
// Without Nagle's delay the last small frame leaves at once.
template <typename Endpoint, typename SetBool>
void SetTcpOptions(const Address& address, Endpoint* endpoint, SetBool set) {
  if (address.kind != Address::Kind::kTcp) return;
  set(endpoint, NNG_OPT_TCP_NODELAY, true);
  set(endpoint, NNG_OPT_TCP_KEEPALIVE, true);
}

// nng removes whatever lies where an ipc listener is to be, if nobody listens
// on it; a file that is no socket is somebody's data.
absl::Status CheckReplaceable(const Address& address) {
  if (address.kind != Address::Kind::kIpc) return absl::OkStatus();
  struct stat file;
  if (lstat(address.path.c_str(), &file) != 0) return absl::OkStatus();
  if (S_ISSOCK(file.st_mode)) return absl::OkStatus();
  return absl::AlreadyExistsError(
      absl::StrCat("listen on ", ToString(address),
                   ": a file that is no socket is in the way; remove it or use "
                   "another path"));
}

// Calls `call` on nng's reaper thread, later. Reaping an aio that has an
// operation cancels that, which is how one gets there.
void CallOnReaper(nng_aio_cancelfn call, void* argument) {
  nng_aio* aio = nullptr;
  CLUSTER_CHECK(nng_aio_alloc(&aio, nullptr, nullptr) == 0, "out of memory");
  CLUSTER_CHECK(nng_aio_begin(aio), "a new aio does not begin");
  nng_aio_defer(aio, call, argument);
  nng_aio_reap(aio);
}

void FreeReaped(nng_aio* aio, void* dialer, int error) {
  nng_stream_dialer_free(static_cast<nng_stream_dialer*>(dialer));
  nng_aio_finish(aio, error);
}

// How often the reaper thread has come by.
struct Visits {
  std::mutex mutex;
  std::condition_variable changed;
  int count = 0;
};

void CountVisit(nng_aio* aio, void* share, int error) {
  const std::unique_ptr<std::shared_ptr<Visits>> visits(
      static_cast<std::shared_ptr<Visits>*>(share));
  {
    std::lock_guard<std::mutex> lock((*visits)->mutex);
    ++(*visits)->count;
    (*visits)->changed.notify_all();
  }
  nng_aio_finish(aio, error);
}

}  // namespace

std::string ListenUrl(const Address& address) { return Url("tcp", address); }

std::string DialUrl(const Address& address, unsigned attempt) {
  static constexpr const char* kSchemes[] = {"tcp", "tcp4", "tcp6"};
  return Url(IsName(address) ? kSchemes[attempt % 3] : "tcp", address);
}

absl::Status OpenListener(const Address& address,
                          nng_stream_listener** listener) {
  const absl::Status status = CheckReplaceable(address);
  if (!status.ok()) return status;
  nng_stream_listener* made = nullptr;
  int error = nng_stream_listener_alloc(&made, ListenUrl(address).c_str());
  if (error != 0) return ErrorStatus(error, "listen on", address);
  SetTcpOptions(address, made, nng_stream_listener_set_bool);
  error = nng_stream_listener_listen(made);
  if (error != 0) {
    nng_stream_listener_free(made);
    return ErrorStatus(error, "listen on", address);
  }
  *listener = made;
  return absl::OkStatus();
}

absl::Status OpenDialer(const Address& address, unsigned attempt,
                        nng_stream_dialer** dialer) {
  nng_stream_dialer* made = nullptr;
  const int error =
      nng_stream_dialer_alloc(&made, DialUrl(address, attempt).c_str());
  if (error != 0) return ErrorStatus(error, "connect to", address);
  SetTcpOptions(address, made, nng_stream_dialer_set_bool);
  *dialer = made;
  return absl::OkStatus();
}

// The connection of a failed attempt shares the dialer until nng's reaper frees
// it, and the last of the two destroys a mutex. Their order hangs on an atomic
// inside nng, which a thread sanitizer does not see; on one thread it is plain.
void FreeDialer(nng_stream_dialer* dialer) {
  CallOnReaper(&FreeReaped, dialer);
}

// The reaper takes one kind of things after the other, and all of a kind that
// wait at once. So a visit may overtake what was freed before it, but not the
// next visit, which is asked for only after the first. What TLS frees frees a
// stream below it, in turn.
bool AwaitReaper(std::chrono::steady_clock::time_point deadline) {
  constexpr int kVisits = 4;
  const auto visits = std::make_shared<Visits>();
  std::unique_lock<std::mutex> lock(visits->mutex);
  for (int wanted = 1; wanted <= kVisits; ++wanted) {
    lock.unlock();
    CallOnReaper(&CountVisit, new std::shared_ptr<Visits>(visits));
    lock.lock();
    const bool came = visits->changed.wait_until(
        lock, deadline, [&] { return visits->count == wanted; });
    if (!came) return false;
  }
  return true;
}

namespace {

// Reads the numeric address into `address`; false: it is none of tcp.
bool ReadTcp(const nng_sockaddr& from, Address* address) {
  char text[INET6_ADDRSTRLEN];
  if (from.s_family == NNG_AF_INET) {
    inet_ntop(AF_INET, &from.s_in.sa_addr, text, sizeof text);
    address->port = ntohs(from.s_in.sa_port);
  } else if (from.s_family == NNG_AF_INET6) {
    inet_ntop(AF_INET6, from.s_in6.sa_addr, text, sizeof text);
    address->port = ntohs(from.s_in6.sa_port);
  } else {
    return false;
  }
  address->host = text;
  return true;
}

std::vector<int> OpenDescriptors() {
  std::vector<int> open;
  DIR* const folder = opendir("/proc/self/fd");
  if (folder == nullptr) return open;
  while (const dirent* const entry = readdir(folder)) {
    int fd = -1;
    if (absl::SimpleAtoi(entry->d_name, &fd)) open.push_back(fd);
  }
  closedir(folder);
  return open;
}

// One end of a TCP socket; "" if the descriptor is none.
template <typename GetName>
std::string EndText(int fd, GetName get_name) {
  sockaddr_storage name{};
  socklen_t bytes = sizeof(name);
  if (get_name(fd, reinterpret_cast<sockaddr*>(&name), &bytes) != 0) return "";
  char text[INET6_ADDRSTRLEN];
  Address address;
  if (name.ss_family == AF_INET) {
    const auto* const v4 = reinterpret_cast<const sockaddr_in*>(&name);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    address.port = ntohs(v4->sin_port);
  } else if (name.ss_family == AF_INET6) {
    const auto* const v6 = reinterpret_cast<const sockaddr_in6*>(&name);
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    address.port = ntohs(v6->sin6_port);
  } else {
    return "";
  }
  address.host = text;
  return ToString(address);
}

}  // namespace

std::string BoundAddress(const Address& address,
                         nng_stream_listener* listener) {
  nng_sockaddr bound{};
  const int error =
      nng_stream_listener_get_addr(listener, NNG_OPT_LOCADDR, &bound);
  if (error != 0 || address.kind == Address::Kind::kIpc) {
    return ToString(address);
  }
  Address result = address;
  ReadTcp(bound, &result);
  return ToString(result);
}

std::string RemoteText(nng_stream* stream) {
  nng_sockaddr remote{};
  Address address;
  if (nng_stream_get_addr(stream, NNG_OPT_REMADDR, &remote) == 0 &&
      ReadTcp(remote, &address)) {
    return ToString(address);
  }
  return "an unknown address";
}

bool LeadsToItself(nng_stream* stream) {
  nng_sockaddr local{};
  nng_sockaddr remote{};
  Address local_address;
  Address remote_address;
  return nng_stream_get_addr(stream, NNG_OPT_LOCADDR, &local) == 0 &&
         nng_stream_get_addr(stream, NNG_OPT_REMADDR, &remote) == 0 &&
         ReadTcp(local, &local_address) && ReadTcp(remote, &remote_address) &&
         ToString(local_address) == ToString(remote_address);
}

void ResetToItself(nng_stream* stream) {
  nng_sockaddr local{};
  Address address;
  if (nng_stream_get_addr(stream, NNG_OPT_LOCADDR, &local) == 0 &&
      ReadTcp(local, &address)) {
    // nng does not tell the descriptor.
    for (const int fd : OpenDescriptors()) {
      if (EndText(fd, getsockname) != ToString(address) ||
          EndText(fd, getpeername) != ToString(address)) {
        continue;
      }
      // Resets it at once: nng's orderly end would be the socket's own answer.
      sockaddr none{};
      none.sa_family = AF_UNSPEC;
      connect(fd, &none, sizeof(none));
    }
  }
  nng_stream_close(stream);
  nng_stream_free(stream);
}

absl::Status ErrorStatus(int error, absl::string_view doing,
                         const Address& address) {
  const std::string text =
      absl::StrCat(doing, " ", ToString(address), ": ", nng_strerror(error));
  switch (error) {
    case NNG_EADDRINUSE:
      return absl::AlreadyExistsError(absl::StrCat(
          text,
          "; stop whoever listens there, or use another address (port 0 takes "
          "a free one)"));
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
}  // namespace cluster
