#include "cluster/transport/resolver/resolver.h"

// Later c-ares deprecates ares_get_servers_ports; 1.18 lacks its successor.
#define CARES_NO_DEPRECATED
#include <ares.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <future>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cluster/base/check.h"
#include "cluster/base/fork_generation.h"
#include "cluster/base/start_thread.h"

namespace cluster::internal {
namespace {

using Clock = std::chrono::steady_clock;

// A name server has this long for its first answer and twice that for the
// second. Of several servers each has its turn first.
constexpr int kTryMs = 1000;
constexpr int kTries = 2;

// How long to wait for the other family once one has an address. Some name
// servers never answer questions for IPv6.
constexpr std::chrono::milliseconds kOtherFamilyTime{500};

// The key of wake_fd_ among those of epoll, which are the tickets of look-ups.
constexpr std::uint64_t kWakeKey = 0;

// "" for an address that nobody can dial: some name servers deny with 0.0.0.0.
std::string NumberOf(const sockaddr& address) {
  const void* number = nullptr;
  if (address.sa_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address).sin_addr;
    if (v4.s_addr != INADDR_ANY) number = &v4;
  } else {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    if (!IN6_IS_ADDR_UNSPECIFIED(&v6)) number = &v6;
  }
  char text[INET6_ADDRSTRLEN];
  if (number == nullptr ||
      inet_ntop(address.sa_family, number, text, sizeof(text)) == nullptr) {
    return "";
  }
  return text;
}

// Puts a status of c-ares into words.
std::string Explain(int status) {
  switch (status) {
    case ARES_ENOTFOUND:
      return "there is no such name";
    case ARES_ENODATA:
      return "the name has no IPv4 and no IPv6 address";
    case ARES_ETIMEOUT:
      return "no name server answered in time";
    case ARES_ECONNREFUSED:  // c-ares 1.18 has this for all three
      return "each name server failed, refused to answer or cannot be reached";
    case ARES_ESERVFAIL:
      return "the name server failed (SERVFAIL)";
    case ARES_EREFUSED:
      return "the name server refused to answer (REFUSED)";
    case ARES_EFORMERR:
      return "the name server does not understand the question (FORMERR)";
    case ARES_ENOTIMP:
      return "the name server cannot answer that (NOTIMP)";
    case ARES_EBADRESP:
      return "the name server's answer is malformed";
    case ARES_EBADNAME:
      return "it is not the form of a name";
    default:
      return ares_strerror(status);
  }
}

bool IsDenial(int status) {
  return status == ARES_ENOTFOUND || status == ARES_ENODATA;
}

std::string ServersOf(ares_channel channel) {
  ares_addr_port_node* list = nullptr;
  if (channel == nullptr ||
      ares_get_servers_ports(channel, &list) != ARES_SUCCESS) {
    return "";
  }
  std::vector<std::string> servers;
  for (const ares_addr_port_node* node = list; node != nullptr;
       node = node->next) {
    char text[INET6_ADDRSTRLEN];
    if (inet_ntop(node->family, &node->addr, text, sizeof(text)) != nullptr)
      servers.emplace_back(text);
  }
  if (list != nullptr) ares_free_data(list);
  return servers.empty()
             ? ""
             : absl::StrCat(" (asked ", absl::StrJoin(servers, ", "), ")");
}

}  // namespace

// One look-up. A channel of c-ares reads resolv.conf when it is made, and can
// only cancel all that it does. So each look-up has its own.
class Resolver::LookUp {
 public:
  LookUp(Ticket ticket, std::string host, Source source, int epoll_fd)
      : ticket_(ticket),
        host_(std::move(host)),
        source_(std::move(source)),
        epoll_fd_(epoll_fd) {}
  LookUp(const LookUp&) = delete;
  LookUp& operator=(const LookUp&) = delete;
  // Ends what is under way.
  ~LookUp() {
    if (channel_ != nullptr) ares_destroy(channel_);
  }

  void Begin() {
    AskFamily(&v4_, Open("f"), AF_UNSPEC);
    if (!v4_.hosts.empty()) {
      v6_.status = ARES_SUCCESS;
      return;
    }
    if (channel_ != nullptr) ares_destroy(std::exchange(channel_, nullptr));
    const int opened = Open("b");
    AskFamily(&v6_, opened, AF_INET6);
    AskFamily(&v4_, opened, AF_INET);
  }

  // Sockets are ready. Which of its few ones they are does not matter: none of
  // them blocks.
  void OnReady() { ready_ = true; }

  // Takes what has arrived, and asks again where nothing has.
  void Process() {
    if (channel_ == nullptr) return;
    if (std::exchange(ready_, false)) {
      for (int fd : std::vector<int>(sockets_))
        ares_process_fd(channel_, fd, fd);
    }
    ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  }

  bool IsOver() const {
    return (v4_.ended() && v6_.ended()) || Clock::now() >= Deadline();
  }

  // When to look again, even if nothing arrives.
  Clock::time_point Due() const {
    timeval room;
    if (channel_ == nullptr ||
        ares_timeout(channel_, nullptr, &room) == nullptr) {
      return Deadline();
    }
    return std::min(Deadline(),
                    Clock::now() + std::chrono::seconds(room.tv_sec) +
                        std::chrono::microseconds(room.tv_usec + 999));
  }

  absl::StatusOr<Hosts> Result() const {
    Hosts hosts;
    for (std::size_t i = 0; i < std::max(v4_.hosts.size(), v6_.hosts.size());
         ++i) {
      for (const Family* const family : {&v6_, &v4_})
        if (i < family->hosts.size()) hosts.push_back(family->hosts[i]);
    }
    if (!hosts.empty()) return hosts;
    const int status = Failure();
    const std::string text = absl::StrCat(
        "host \"", host_, "\" does not resolve: ", Explain(status),
        ServersOf(channel_), "; only the hosts file and DNS are read");
    if (status == ARES_ENOMEM) return absl::ResourceExhaustedError(text);
    return IsDenial(status) || status == ARES_EBADNAME
               ? absl::NotFoundError(text)
               : absl::UnavailableError(text);
  }

 private:
  static constexpr int kUnanswered = -1;

  // The question for one family of addresses.
  struct Family {
    bool ended() const { return status != kUnanswered; }

    int status = kUnanswered;  // of c-ares
    Hosts hosts;
    Clock::time_point answered;
  };

  // Opens channel_, which looks at files ("f") or asks DNS ("b"). Returns
  // c-ares' status.
  int Open(const char* lookups) {
    ares_options options{};
    int mask = ARES_OPT_LOOKUPS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
               ARES_OPT_SOCK_STATE_CB;
    options.lookups = const_cast<char*>(lookups);
    options.timeout = kTryMs;
    options.tries = kTries;
    options.sock_state_cb = &LookUp::OnSocket;
    options.sock_state_cb_data = this;
    if (!source_.resolv_conf.empty()) {
      mask |= ARES_OPT_RESOLVCONF;
      options.resolvconf_path = const_cast<char*>(source_.resolv_conf.c_str());
    }
    if (source_.port != 0) {
      mask |= ARES_OPT_UDP_PORT | ARES_OPT_TCP_PORT;
      options.udp_port = options.tcp_port = source_.port;
    }
    const int status = ares_init_options(&channel_, &options, mask);
    if (status != ARES_SUCCESS) channel_ = nullptr;
    return status;
  }

  // May be answered before it returns.
  void AskFamily(Family* family, int opened, int kind) {
    *family = Family();
    if (opened != ARES_SUCCESS) {
      family->status = opened;
      return;
    }
    ares_addrinfo_hints hints{};
    hints.ai_family = kind;
    hints.ai_socktype = SOCK_STREAM;
    ares_getaddrinfo(channel_, host_.c_str(), nullptr, &hints,
                     &LookUp::OnAnswer, family);
  }

  static void OnAnswer(void* asked, int status, int /*timeouts*/,
                       ares_addrinfo* found) {
    auto* const family = static_cast<Family*>(asked);
    family->answered = Clock::now();
    if (found != nullptr) {
      for (const auto* node = found->nodes; node != nullptr;
           node = node->ai_next) {
        std::string number = NumberOf(*node->ai_addr);
        if (!number.empty()) family->hosts.push_back(std::move(number));
      }
      ares_freeaddrinfo(found);
    }
    family->status =
        status == ARES_SUCCESS && family->hosts.empty() ? ARES_ENODATA : status;
  }

  // c-ares says what to wait for at a socket; nothing, before it closes it.
  static void OnSocket(void* self, ares_socket_t fd, int readable,
                       int writable) {
    auto* const look_up = static_cast<LookUp*>(self);
    std::vector<int>& sockets = look_up->sockets_;
    const auto known = std::find(sockets.begin(), sockets.end(), fd);
    if (readable == 0 && writable == 0) {
      epoll_ctl(look_up->epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
      if (known != sockets.end()) sockets.erase(known);
      return;
    }
    epoll_event event{};
    if (readable != 0) event.events |= EPOLLIN;
    if (writable != 0) event.events |= EPOLLOUT;
    event.data.u64 = look_up->ticket_;
    const bool is_new = known == sockets.end();
    if (is_new) sockets.push_back(fd);
    // Where it fails, for lack of memory, the question times out.
    epoll_ctl(look_up->epoll_fd_, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd,
              &event);
  }

  Clock::time_point Deadline() const {
    Clock::time_point deadline = begun_ + kLookUpTime;
    for (const Family* const family : {&v6_, &v4_}) {
      if (!family->hosts.empty())
        deadline = std::min(deadline, family->answered + kOtherFamilyTime);
    }
    return deadline;
  }

  // Why there is no address: a denial only if both families are denied.
  int Failure() const {
    const int v4 = v4_.ended() ? v4_.status : ARES_ETIMEOUT;
    const int v6 = v6_.ended() ? v6_.status : ARES_ETIMEOUT;
    if (!IsDenial(v4)) return v4;
    if (!IsDenial(v6)) return v6;
    return v4 == v6 ? v4 : ARES_ENODATA;
  }

  const Ticket ticket_;
  const std::string host_;
  const Source source_;
  const int epoll_fd_;
  const Clock::time_point begun_ = Clock::now();
  ares_channel channel_ = nullptr;
  std::vector<int> sockets_;  // of channel_
  bool ready_ = false;
  Family v4_;
  Family v6_;
};

Resolver& Resolver::OfProcess() { return OfThisProcess<Resolver>(); }

absl::StatusOr<Resolver::Ticket> Resolver::Begin(const std::string& host,
                                                 Done done) {
  Ticket ticket = 0;
  {
    MutexLock lock(&mutex_);
    if (absl::Status status = StartLocked(); !status.ok()) return status;
    ticket = ++last_;
    asked_.emplace(ticket, Asked{host, std::move(done)});
  }
  Wake();
  return ticket;
}

void Resolver::Cancel(Ticket ticket) {
  Asked cancelled;  // freed after the lock is released
  {
    MutexLock lock(&mutex_);
    const auto found = asked_.find(ticket);
    if (found == asked_.end()) return;
    cancelled = std::move(found->second);
    asked_.erase(found);
  }
  Wake();
}

absl::StatusOr<Resolver::Hosts> Resolver::Find(const std::string& host) {
  const auto found = std::make_shared<std::promise<absl::StatusOr<Hosts>>>();
  const absl::StatusOr<Ticket> begun =
      Begin(host, [found](Ticket, absl::StatusOr<Hosts> hosts) {
        found->set_value(std::move(hosts));
      });
  return begun.ok() ? found->get_future().get() : begun.status();
}

void Resolver::SetSource(Source source) {
  MutexLock lock(&mutex_);
  source_ = std::move(source);
}

absl::Status Resolver::StartLocked() {
  if (started_) return absl::OkStatus();
  if (epoll_fd_ < 0) epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd_ >= 0 && wake_fd_ < 0)
    wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  epoll_event wake{};
  wake.events = EPOLLIN;
  wake.data.u64 = kWakeKey;
  if (epoll_fd_ < 0 || wake_fd_ < 0 ||
      (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd_, &wake) != 0 &&
       errno != EEXIST)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot look up names: ", std::strerror(errno)));
  }
  std::thread thread;
  const absl::Status status = StartThread(
      "cluster-names", [this] { Run(); }, &thread);
  if (!status.ok()) return status;
  // It serves the process to its end, and so does this object.
  thread.detach();
  started_ = true;
  return absl::OkStatus();
}

void Resolver::Wake() {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the thread is awake.
  (void)!write(wake_fd_, &one, sizeof(one));
}

void Resolver::Run() {
  CLUSTER_CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS,
                "c-ares does not start");
  while (true) {
    WaitForNews();
    Adopt();
    for (auto next = running_.begin(); next != running_.end();) {
      const auto current = next++;
      current->second->Process();
      if (!current->second->IsOver()) continue;
      const Ticket ticket = current->first;
      absl::StatusOr<Hosts> hosts = current->second->Result();
      running_.erase(current);
      End(ticket, std::move(hosts));
    }
  }
}

void Resolver::Adopt() {
  std::vector<Ticket> begun;
  {
    MutexLock lock(&mutex_);
    for (auto next = running_.begin(); next != running_.end();) {
      const auto current = next++;
      if (asked_.count(current->first) == 0) running_.erase(current);
    }
    for (const auto& [ticket, asked] : asked_) {
      const auto [entry, is_new] = running_.try_emplace(ticket);
      if (!is_new) continue;
      entry->second =
          std::make_unique<LookUp>(ticket, asked.host, source_, epoll_fd_);
      begun.push_back(ticket);
    }
  }
  for (Ticket ticket : begun) running_.at(ticket)->Begin();
}

void Resolver::End(Ticket ticket, absl::StatusOr<Hosts> hosts) {
  Asked ended;
  {
    MutexLock lock(&mutex_);
    const auto found = asked_.find(ticket);
    if (found == asked_.end()) return;
    ended = std::move(found->second);
    asked_.erase(found);
  }
  ended.done(ticket, std::move(hosts));
}

void Resolver::WaitForNews() {
  int wait_ms = -1;
  if (!running_.empty()) {
    Clock::time_point due = Clock::time_point::max();
    for (const auto& [ticket, look_up] : running_)
      due = std::min(due, look_up->Due());
    wait_ms = static_cast<int>(std::max<std::int64_t>(
        0, std::chrono::ceil<std::chrono::milliseconds>(due - Clock::now())
               .count()));
  }
  std::array<epoll_event, 64> events;
  const int count = epoll_wait(epoll_fd_, events.data(),
                               static_cast<int>(events.size()), wait_ms);
  CLUSTER_CHECK(count >= 0 || errno == EINTR, "epoll_wait failed");
  for (int i = 0; i < count; ++i) {
    if (events[i].data.u64 == kWakeKey) {
      std::uint64_t wakes;
      (void)!read(wake_fd_, &wakes, sizeof(wakes));
    } else if (const auto ready = running_.find(events[i].data.u64);
               ready != running_.end()) {
      ready->second->OnReady();
    }
  }
}

}  // namespace cluster::internal
