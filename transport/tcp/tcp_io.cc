#include "cluster/transport/tcp/tcp_io.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "asio/basic_stream_socket.hpp"
#include "asio/basic_waitable_timer.hpp"
#include "asio/buffer.hpp"
#include "asio/error.hpp"
#include "asio/executor_work_guard.hpp"
#include "asio/generic/stream_protocol.hpp"
#include "asio/io_context.hpp"
#include "asio/post.hpp"
#include "cluster/base/check.h"
#include "cluster/base/mutex.h"
#include "cluster/transport/receive_threads.h"
#include "cluster/transport/stream/endpoint.h"
#include "cluster/transport/stream/write_batch.h"

namespace cluster::internal {
namespace tcp {
namespace {

using stream::Clock;
using Executor = asio::io_context::executor_type;
using Protocol = asio::generic::stream_protocol;
using Socket = asio::basic_stream_socket<Protocol, Executor>;
using Timer =
    asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;

// Events and bytes of one turn, before OnDrained: about a millisecond.
constexpr int kTurnEventsMax = 64;
constexpr std::size_t kTurnBytesMax = 2u << 20;
// A turn looks for events of other streams if the last look found some, and else
// every so many turns. A look that finds nothing delays OnDrained by a system
// call.
constexpr int kTurnsPerLook = 16;

class TcpOperation;
class TcpStream;

// The events of one transport. One thread at a time has the turn; `events` may
// be used from any.
struct Loop {
  struct Receive {
    TcpStream* stream;
    TcpOperation* operation;
    absl::Span<char> room;
  };

  // One thread at a time runs it.
  asio::io_context events{1};
  asio::executor_work_guard<Executor> work{events.get_executor()};

  // Asio's timers may not be used by two threads at once.
  Mutex timers_mutex;

  // Of the thread that has the turn.
  std::vector<Receive> receives;  // to begin with the next turn
  bool delivered = false;         // OnDrained is due
  bool is_full = false;           // a read has filled its room
  std::size_t bytes = 0;          // of this turn
};

// Memory for the one operation that is under way, inside of the Operation.
class OperationMemory {
 public:
  void* Take(std::size_t bytes) {
    if (bytes > sizeof(bytes_) || taken_) return ::operator new(bytes);
    taken_ = true;
    return bytes_;
  }
  void Give(void* memory) {
    if (memory != bytes_) return ::operator delete(memory);
    taken_ = false;
  }

 private:
  alignas(std::max_align_t) char bytes_[128];
  bool taken_ = false;
};

// Hands it to Asio.
template <typename T>
struct OperationAllocator {
  using value_type = T;

  explicit OperationAllocator(OperationMemory* from) : memory(from) {}
  // Asio converts it to allocators of other types, as the standard asks.
  template <typename U>
  // NOLINTNEXTLINE(google-explicit-constructor)
  OperationAllocator(const OperationAllocator<U>& other)
      : memory(other.memory) {}

  T* allocate(std::size_t count) {
    return static_cast<T*>(memory->Take(count * sizeof(T)));
  }
  void deallocate(T* given, std::size_t /*count*/) { memory->Give(given); }

  template <typename U>
  bool operator==(const OperationAllocator<U>& other) const {
    return memory == other.memory;
  }
  template <typename U>
  bool operator!=(const OperationAllocator<U>& other) const {
    return memory != other.memory;
  }

  OperationMemory* memory;
};

class TcpOperation final : public stream::Operation {
 public:
  // Asio calls it.
  struct Handler {
    using allocator_type = OperationAllocator<char>;
    allocator_type get_allocator() const noexcept {
      return allocator_type(&operation->memory_);
    }
    void operator()() const { operation->Ended(operation->error_, 0); }
    void operator()(const std::error_code& error, std::size_t bytes = 0) const {
      operation->Ended(error == asio::error::eof ? ESHUTDOWN : error.value(),
                       bytes);
    }

    TcpOperation* operation;
  };

  TcpOperation(Loop* loop, Done done) : Operation(done), loop_(loop) {}

  Handler handler() { return Handler{this}; }

  // Ends soon, on the thread that has the turn.
  void EndSoon(int error) {
    error_ = error;
    asio::post(loop_->events, handler());
  }

  // Fills `bytes` of room.
  void SetRoom(std::size_t bytes) { room_bytes_ = bytes; }

  void Sleep(Clock::duration time) override {
    if (time <= Clock::duration::zero()) return EndSoon(0);
    // Asio's list of timers may grow.
    OrEndProcess("a timer", [&] {
      MutexLock lock(&loop_->timers_mutex);
      timer_ = absl::make_unique<Timer>(loop_->events);
      sleeps_ = true;
      timer_->expires_after(time);
      timer_->async_wait(handler());
    });
  }
  void Abort() override {
    MutexLock lock(&loop_->timers_mutex);
    if (timer_ != nullptr) timer_->cancel();
  }

 private:
  void Ended(int error, std::size_t bytes) {
    const std::size_t room = std::exchange(room_bytes_, 0);
    if (room > 0 && bytes == room) loop_->is_full = true;
    loop_->bytes += bytes;
    if (std::exchange(sleeps_, false)) {
      MutexLock lock(&loop_->timers_mutex);
      timer_ = nullptr;
    }
    End(error, bytes);
  }

  Loop* const loop_;
  OperationMemory memory_;
  int error_ = 0;
  std::size_t room_bytes_ = 0;
  bool sleeps_ = false;
  // Null unless it sleeps, since most operations never do.
  std::unique_ptr<Timer> timer_ CLUSTER_GUARDED_BY(loop_->timers_mutex);
};

TcpOperation* Own(stream::Operation* operation) {
  return static_cast<TcpOperation*>(operation);
}

// As Asio takes them. It copies these, so they are no more than pointers.
struct Buffers {
  using value_type = asio::const_buffer;
  using const_iterator = const asio::const_buffer*;

  const_iterator begin() const { return first; }
  const_iterator end() const { return last; }

  const_iterator first;
  const_iterator last;
};

class TcpStream final : public stream::ByteStream {
 public:
  // Takes ownership of `fd`. Null: the system has no room for it. `name`: to
  // connect to.
  static std::unique_ptr<TcpStream> Make(Loop* loop, int fd, int family,
                                         absl::optional<SocketName> name) {
    auto made = absl::WrapUnique(new TcpStream(loop, fd, name));
    std::error_code error;
    MutexLock lock(&made->mutex_);
    made->socket_.assign(Protocol(family, 0), fd, error);
    if (error) {
      close(fd);
    } else {
      made->socket_.non_blocking(true, error);
    }
    lock.Unlock();
    if (error) return nullptr;
    return made;
  }

  // The system answers for ipc at once.
  void Connect(stream::Operation* operation) override {
    MutexLock lock(&mutex_);
    if (name_->family() == AF_UNIX) {
      const int result = connect(fd_, name_->get(), name_->bytes);
      return Own(operation)->EndSoon(result == 0 ? 0 : errno);
    }
    socket_.async_connect(Protocol::endpoint(name_->get(), name_->bytes),
                          Own(operation)->handler());
  }

  // Begins with the next turn. So a read that finds nothing costs no time
  // before OnDrained.
  void Receive(stream::Operation* operation, absl::Span<char> room) override {
    loop_->receives.push_back(Loop::Receive{this, Own(operation), room});
  }
  void BeginReceive(TcpOperation* operation, absl::Span<char> room) {
    MutexLock lock(&mutex_);
    operation->SetRoom(room.size());
    socket_.async_receive(asio::mutable_buffer(room.data(), room.size()),
                          operation->handler());
  }

  absl::optional<Sent> TrySend(Segments segments) override {
    iovec parts[stream::WriteBatch::kSegmentsMax];
    msghdr message{};
    message.msg_iov = parts;
    for (const absl::string_view bytes : segments) {
      parts[message.msg_iovlen++] =
          iovec{const_cast<char*>(bytes.data()), bytes.size()};
    }
    const ssize_t sent = sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return Sent{0, static_cast<std::size_t>(sent)};
    if (errno == EAGAIN || errno == EINTR) return absl::nullopt;
    return Sent{errno, 0};
  }

  void Send(stream::Operation* operation, Segments segments) override {
    auto* const last =
        std::transform(segments.begin(), segments.end(), sending_.begin(),
                       [](absl::string_view bytes) {
                         return asio::const_buffer(bytes.data(), bytes.size());
                       });
    MutexLock lock(&mutex_);
    socket_.async_send(Buffers{sending_.begin(), last},
                       Own(operation)->handler());
  }

  // The descriptor stays open for a TrySend that is under way.
  void Close() override {
    MutexLock lock(&mutex_);
    shutdown(fd_, SHUT_RDWR);
    std::error_code ignored;
    socket_.cancel(ignored);
  }

  std::string RemoteText() const override { return stream::RemoteText(fd_); }
  bool LeadsToItself() const override {
    const std::string local = stream::LocalText(fd_);
    return !local.empty() && local == stream::RemoteText(fd_);
  }
  void Reset() override { stream::ResetSocket(fd_); }

 private:
  TcpStream(Loop* loop, int fd, absl::optional<SocketName> name)
      : loop_(loop), fd_(fd), name_(name), socket_(loop->events) {}

  Loop* const loop_;
  const int fd_;
  // Of the Send under way.
  std::array<asio::const_buffer, stream::WriteBatch::kSegmentsMax> sending_;
  const absl::optional<SocketName> name_;
  // Asio's objects may not be used by two threads at once.
  Mutex mutex_;
  Socket socket_ CLUSTER_GUARDED_BY(mutex_);
};

class TcpListener final : public stream::Listener {
 public:
  // Takes ownership of `fd`.
  TcpListener(Loop* loop, const TcpSettings& settings, const SocketName& name,
              const std::string& path, int fd)
      : loop_(loop),
        settings_(settings),
        family_(name.family()),
        path_(path),
        fd_(fd),
        socket_(loop->events) {
    if (!path_.empty() && lstat(path_.c_str(), &file_) != 0) path_.clear();
    MutexLock lock(&mutex_);
    socket_.assign(Protocol(family_, 0), fd);
  }
  // Another process may have replaced the file.
  ~TcpListener() override {
    struct stat now;
    if (!path_.empty() && lstat(path_.c_str(), &now) == 0 &&
        now.st_ino == file_.st_ino && now.st_dev == file_.st_dev) {
      unlink(path_.c_str());
    }
  }

  void Accept(stream::Operation* operation) override {
    MutexLock lock(&mutex_);
    socket_.async_wait(Socket::wait_read, Own(operation)->handler());
  }

  std::unique_ptr<stream::ByteStream> TakeStream() override {
    int fd = -1;
    if (AcceptFrom(fd_, &fd) != 0) return nullptr;
    if (family_ != AF_UNIX) SetOptions(settings_, fd);
    return TcpStream::Make(loop_, fd, family_, absl::nullopt);
  }

  void Close() override {
    MutexLock lock(&mutex_);
    std::error_code ignored;
    socket_.cancel(ignored);
  }

  std::uint16_t port() const override { return BoundPort(fd_); }

 private:
  Loop* const loop_;
  const TcpSettings& settings_;
  const int family_;
  std::string path_;     // of the socket file; "": none
  struct stat file_ {};  // at path_
  const int fd_;
  Mutex mutex_;
  Socket socket_ CLUSTER_GUARDED_BY(mutex_);
};

class TcpIo final : public stream::Io {
 public:
  explicit TcpIo(const TcpSettings& settings) : settings_(settings) {}
  ~TcpIo() override { Stop(); }

  absl::Status Start(TransportHandler* handler) override {
    try {
      auto loop = absl::make_unique<Loop>();
      const Timer opens_the_queue(loop->events);
      loop_ = std::move(loop);
    } catch (const std::system_error& error) {
      return absl::ResourceExhaustedError(
          absl::StrCat("cannot open a queue of events: ", error.what(),
                       "; raise the limit of descriptors (ulimit -n)"));
    }
    return threads_.Start(handler, [this] { return Turn(); });
  }

  void Stop() override {
    if (loop_ != nullptr)
      threads_.Stop([this] { asio::post(loop_->events, [] {}); });
  }

  std::unique_ptr<stream::Operation> NewOperation(
      stream::Operation::Done done) override {
    return absl::make_unique<TcpOperation>(loop_.get(), done);
  }

  int Listen(const Address& numbers,
             std::unique_ptr<stream::Listener>* listener) override {
    SocketName name(numbers);
    int fd = -1;
    int error = ListenOn(name, &fd);
    if (error == EAFNOSUPPORT && numbers.host == "*") {
      Address v4 = numbers;  // the system has no IPv6
      v4.host = "0.0.0.0";
      name = SocketName(v4);
      error = ListenOn(name, &fd);
    }
    if (error != 0) return error;
    try {
      *listener = absl::make_unique<TcpListener>(loop_.get(), settings_, name,
                                                 numbers.path, fd);
    } catch (const std::system_error& refused) {
      close(fd);
      return refused.code().value();
    }
    return 0;
  }

  absl::StatusOr<std::unique_ptr<stream::ByteStream>> NewStream(
      const Address& numbers) override {
    absl::Status status = settings_.source.CheckReaches(numbers);
    if (!status.ok()) return status;
    const SocketName name(numbers);
    int fd = -1;
    int error = OpenSocket(name.family(), &fd);
    if (error == 0 && name.family() != AF_UNIX) error = SetUp(fd);
    std::unique_ptr<stream::ByteStream> made;
    if (error == 0) {
      made = TcpStream::Make(loop_.get(), fd, name.family(), name);
    } else if (fd >= 0) {
      close(fd);
    }
    if (made != nullptr) return made;
    return stream::ErrorStatus(error == 0 ? ENOMEM : error, "connect to",
                               ToString(numbers));
  }

  void Drain() override { loop_->delivered = true; }

 private:
  // Prepares a socket to dial. The result is an errno.
  int SetUp(int fd) {
    SetOptions(settings_, fd);
    if (!settings_.source.address()) return 0;
    const auto source = ToNumbers(*settings_.source.address());
    return source.ok() ? BindSource(SocketName(*source), fd) : EADDRNOTAVAIL;
  }

  bool Turn() {
    loop_->delivered = false;
    loop_->is_full = false;
    loop_->bytes = 0;
    BeginReceives();
    WaitForEvent();
    const bool looks = found_others_ || ++turns_ % kTurnsPerLook == 0;
    if (looks) found_others_ = false;
    for (int events = 1;
         events < kTurnEventsMax && loop_->bytes < kTurnBytesMax; ++events) {
      const bool goes_on = std::exchange(loop_->is_full, false);
      if (goes_on) {
        BeginReceives();
      } else if (!looks) {
        break;
      }
      if (loop_->events.poll_one() == 0) break;
      if (!goes_on) found_others_ = true;
    }
    return loop_->delivered;
  }

  void BeginReceives() {
    for (const Loop::Receive& receive : loop_->receives)
      receive.stream->BeginReceive(receive.operation, receive.room);
    loop_->receives.clear();
  }

  void WaitForEvent() {
    if (settings_.spin.count() > 0) {
      const Clock::time_point until = Clock::now() + settings_.spin;
      do {
        if (loop_->events.poll_one() > 0) return;
      } while (Clock::now() < until);
    }
    loop_->events.run_one();
  }

  const TcpSettings settings_;
  std::unique_ptr<Loop> loop_;
  // Of the thread that has the turn.
  unsigned turns_ = 0;
  bool found_others_ = false;
  ReceiveThreads threads_;
};

}  // namespace

std::unique_ptr<stream::Io> NewTcpIo(const TcpSettings& settings) {
  return absl::make_unique<TcpIo>(settings);
}

}  // namespace tcp
}  // namespace cluster::internal
