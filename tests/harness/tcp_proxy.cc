#include "tests/harness/tcp_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"
#include "cluster/transport/address.h"

namespace cluster::internal {
namespace {

constexpr int kBacklog = 100;
constexpr std::chrono::minutes kPatience{1};

// The first entry for poll; each connection's sides follow.
constexpr std::size_t kWakeEntry = 0;
constexpr std::size_t kListenerEntry = 1;
constexpr std::size_t kFirstConnectionEntry = 2;

int NewSocket() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  CLUSTER_CHECK(fd >= 0, "no socket for a proxy");
  return fd;
}

sockaddr_in NameOf(const std::string& text) {
  const absl::StatusOr<Address> address = ParseAddress(text);
  CLUSTER_CHECK(address.ok(), text.c_str());
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(address->port);
  CLUSTER_CHECK(inet_pton(AF_INET, address->host.c_str(), &name.sin_addr) == 1,
                text.c_str());
  return name;
}

int Listen() {
  const int fd = NewSocket();
  const sockaddr_in any_port = NameOf("127.0.0.1:0");
  CLUSTER_CHECK(bind(fd, reinterpret_cast<const sockaddr*>(&any_port),
                     sizeof any_port) == 0 &&
                    listen(fd, kBacklog) == 0,
                "a proxy cannot listen");
  return fd;
}

std::string BoundAddress(int listener) {
  sockaddr_in name{};
  socklen_t bytes = sizeof name;
  getsockname(listener, reinterpret_cast<sockaddr*>(&name), &bytes);
  return absl::StrCat("127.0.0.1:", ntohs(name.sin_port));
}

absl::Duration Between(absl::Duration least, absl::Duration most,
                       std::mt19937_64* random) {
  const auto span_us =
      static_cast<std::uint64_t>(absl::ToInt64Microseconds(most - least));
  return least + absl::Microseconds((*random)() % (span_us + 1));
}

bool Same(const ProxyFigures& one, const ProxyFigures& other) {
  return one.connections == other.connections && one.cuts == other.cuts &&
         one.taken == other.taken && one.given == other.given;
}

}  // namespace

TcpProxy::TcpProxy(const std::string& target)
    : target_(target),
      listener_(Listen()),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      address_(BoundAddress(listener_)),
      thread_([this] { Loop(); }) {}

TcpProxy::~TcpProxy() {
  Do([this] {
    MutexLock lock(&mutex_);
    stopping_ = true;
  });
  thread_.join();
  close(listener_);
  close(wake_);
}

void TcpProxy::Do(const std::function<void()>& task) {
  MutexLock lock(&mutex_);
  changed_.Wait(&mutex_, [this] { return task_ == nullptr; });
  task_ = &task;
  CLUSTER_CHECK(eventfd_write(wake_, 1) == 0, "a proxy cannot be woken");
  changed_.Wait(&mutex_, [&] { return task_ != &task; });
}

void TcpProxy::RunTask() {
  const std::function<void()>* task = nullptr;
  {
    MutexLock lock(&mutex_);
    task = task_;
  }
  if (task == nullptr) return;
  (*task)();
  // Publish first, so that the caller sees the figures that the task changed.
  Publish();
  MutexLock lock(&mutex_);
  task_ = nullptr;
  changed_.NotifyAll();
}

void TcpProxy::Set(const NetworkConditions& conditions) {
  Do([&] {
    conditions_ = conditions;
    if (conditions.swallows[0] || conditions.swallows[1]) return;
    for (const auto& connection : connections_) {
      if (connection->has_hole()) connection->Cut(CutBy::kReset);
    }
  });
}

void TcpProxy::Cut(CutBy how, int connections) {
  Do([&] {
    for (const auto& connection : connections_) {
      if (!connection->live()) continue;
      if (connections-- <= 0) return;
      connection->Cut(how);
    }
  });
}

void TcpProxy::CutEvery(absl::Duration least, absl::Duration most,
                        std::uint64_t seed) {
  Do([&] {
    cut_least_ = least;
    cut_most_ = most;
    random_.seed(seed);
    cut_at_ = Clock::now();
  });
}

void TcpProxy::CutNoMore() {
  Do([this] { cut_at_ = Clock::time_point::max(); });
}

void TcpProxy::CutAfter(Way way, std::uint64_t bytes, CutBy how, int cuts) {
  Do([&] {
    cut_way_ = way;
    cut_bytes_ = bytes;
    cut_by_ = how;
    cuts_left_ = cuts;
  });
}

void TcpProxy::Lose(Side side) {
  Do([&] {
    for (const auto& connection : connections_) connection->Lose(side);
  });
}

void TcpProxy::Record(std::size_t bytes) {
  Do([&] { record_bytes_ = bytes; });
}

std::vector<Recording> TcpProxy::Recordings() {
  std::vector<Recording> recordings;
  Do([&] {
    recordings = recordings_;
    for (const auto& connection : connections_)
      recordings.push_back(connection->recording());
  });
  return recordings;
}

void TcpProxy::Replay(Recording recording) {
  Do([&] {
    connections_.push_back(std::make_unique<ProxiedConnection>(
        std::move(recording), DialTarget(), &figures_));
  });
}

ProxyFigures TcpProxy::Figures() {
  ProxyFigures figures;
  Do([&] { figures = figures_; });
  return figures;
}

bool TcpProxy::WaitUntil(
    const std::function<bool(const ProxyFigures&)>& condition) {
  MutexLock lock(&mutex_);
  return changed_.WaitFor(&mutex_, kPatience,
                          [&] { return condition(published_); });
}

void TcpProxy::Publish() {
  MutexLock lock(&mutex_);
  if (Same(published_, figures_)) return;
  published_ = figures_;
  changed_.NotifyAll();
}

void TcpProxy::Loop() {
  std::vector<pollfd> watched;
  while (true) {
    Clock::time_point now = Clock::now();
    watched.clear();
    Watch(&watched, now);
    poll(watched.data(), watched.size(), TimeoutMs(now));
    Move(watched);
    if (watched[kListenerEntry].revents != 0) Accept();
    CutIfDue(Clock::now());
    Publish();
    eventfd_t ignored;
    if (watched[kWakeEntry].revents != 0) eventfd_read(wake_, &ignored);
    RunTask();
    MutexLock lock(&mutex_);
    if (stopping_) return;
  }
}

void TcpProxy::Watch(std::vector<pollfd>* watched,
                     Clock::time_point now) const {
  watched->push_back({wake_, POLLIN, 0});
  watched->push_back({conditions_.stalled ? -1 : listener_, POLLIN, 0});
  for (const auto& connection : connections_)
    connection->Watch(conditions_, now, watched);
}

int TcpProxy::TimeoutMs(Clock::time_point now) const {
  Clock::time_point at = cut_at_;
  for (const auto& connection : connections_)
    at = std::min(at, connection->WakeAt(conditions_, now));
  if (at == Clock::time_point::max()) return -1;
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(at - now).count();
  return static_cast<int>(std::max<std::int64_t>(0, left + 1));
}

void TcpProxy::Move(const std::vector<pollfd>& watched) {
  const Clock::time_point now = Clock::now();
  std::size_t entry = kFirstConnectionEntry;
  for (const auto& connection : connections_) {
    connection->Move({watched[entry].revents, watched[entry + 1].revents},
                     conditions_, now);
    entry += kSides;
  }
  for (const auto& connection : connections_) {
    if (!connection->gone()) continue;
    if (record_bytes_ > 0) recordings_.push_back(connection->recording());
    if (connection->cut_awaited()) ++cuts_left_;
  }
  connections_.erase(
      std::remove_if(connections_.begin(), connections_.end(),
                     [](const auto& connection) { return connection->gone(); }),
      connections_.end());
}

void TcpProxy::Accept() {
  while (true) {
    const int dialler =
        accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (dialler < 0) return;
    ++figures_.connections;
    auto connection =
        std::make_unique<ProxiedConnection>(dialler, DialTarget(), &figures_);
    connection->Record(record_bytes_);
    if (cuts_left_ > 0) {
      --cuts_left_;
      connection->pipe(cut_way_).SetLimit(cut_bytes_);
      connection->SetCut(cut_by_);
    }
    connections_.push_back(std::move(connection));
  }
}

int TcpProxy::DialTarget() const {
  const int fd = NewSocket();
  const sockaddr_in name = NameOf(target_);
  // Connects in the background; the first use of the socket finds a failure.
  (void)connect(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name);
  return fd;
}

void TcpProxy::CutIfDue(Clock::time_point now) {
  if (now < cut_at_) return;
  const CutBy how = random_() % 2 == 0 ? CutBy::kReset : CutBy::kFinish;
  for (const auto& connection : connections_) connection->Cut(how);
  cut_at_ = now + absl::ToChronoMicroseconds(
                      Between(cut_least_, cut_most_, &random_));
}

}  // namespace cluster::internal
