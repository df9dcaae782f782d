// Streams and listeners of the tcp backend against sockets of the test's own.

#include "cluster/transport/tcp/tcp_io.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "cluster/base/mutex.h"
#include "cluster/transport/address.h"
#include "cluster/transport/contract/recording_handler.h"
#include "cluster/transport/options.h"
#include "cluster/transport/source_address.h"
#include "cluster/transport/stream/io.h"
#include "cluster/transport/stream/operation.h"
#include "cluster/transport/tcp/sockets.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace tcp {
namespace {

Address Numbers(const std::string& address) {
  return *ToNumbers(*ParseAddress(address));
}

// A listening or a connected socket of IPv4.
class PlainSocket {
 public:
  PlainSocket() : PlainSocket(socket(AF_INET, SOCK_STREAM, 0)) {}
  PlainSocket(const PlainSocket&) = delete;
  PlainSocket& operator=(const PlainSocket&) = delete;
  ~PlainSocket() { close(fd_); }

  int Listen() {
    sockaddr_in name = Loopback(0);
    socklen_t bytes = sizeof(name);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&name), bytes), 0);
    EXPECT_EQ(listen(fd_, 1), 0);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&name), &bytes);
    return ntohs(name.sin_port);
  }
  bool Connect(int port) {
    const sockaddr_in name = Loopback(port);
    return connect(fd_, reinterpret_cast<const sockaddr*>(&name),
                   sizeof(name)) == 0;
  }
  std::unique_ptr<PlainSocket> Accept() {
    return std::unique_ptr<PlainSocket>(
        new PlainSocket(accept(fd_, nullptr, nullptr)));
  }
  std::string RemoteHost() const {
    sockaddr_in name{};
    socklen_t bytes = sizeof(name);
    getpeername(fd_, reinterpret_cast<sockaddr*>(&name), &bytes);
    std::array<char, INET_ADDRSTRLEN> text{};
    return inet_ntop(AF_INET, &name.sin_addr, text.data(), text.size());
  }
  void ShutDown() { shutdown(fd_, SHUT_WR); }

 private:
  explicit PlainSocket(int fd) : fd_(fd) {}

  static sockaddr_in Loopback(int port) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    name.sin_port = htons(static_cast<std::uint16_t>(port));
    return name;
  }

  const int fd_;
};

// A stream with one operation, whose end it waits for.
class Dialler final : public stream::AsyncHandle {
 public:
  Dialler(stream::Io* io, stream::HandleCount* handles,
          std::unique_ptr<stream::ByteStream> stream)
      : AsyncHandle(handles),
        stream_(std::move(stream)),
        operation_(io->NewOperation(&stream::Call<Dialler, &Dialler::OnEnd>)) {}

  int Connect() {
    Begin(operation_.get(), [this] { stream_->Connect(operation_.get()); });
    return AwaitEnd();
  }
  // A Receive begins on a thread of the transport, so in a callback.
  int Receive() {
    receives_ = true;
    Begin(operation_.get(), [this] { operation_->Sleep({}); });
    return AwaitEnd();
  }
  stream::ByteStream* stream() { return stream_.get(); }

 private:
  void OnEnd(int error, std::size_t /*bytes*/) {
    if (std::exchange(receives_, false)) {
      Begin(operation_.get(), [this] {
        stream_->Receive(operation_.get(), absl::MakeSpan(room_));
      });
      return;
    }
    MutexLock lock(&mutex_);
    error_ = error;
    ended_ = true;
    changed_.NotifyAll();
  }
  int AwaitEnd() {
    MutexLock lock(&mutex_);
    while (!ended_) changed_.Wait(&mutex_);
    ended_ = false;
    return error_;
  }
  void EndOperations() override { stream_->Close(); }

  const std::unique_ptr<stream::ByteStream> stream_;
  const std::unique_ptr<stream::Operation> operation_;
  std::array<char, 16> room_{};
  bool receives_ = false;
  Mutex mutex_;
  CondVar changed_;
  bool ended_ CLUSTER_GUARDED_BY(mutex_) = false;
  int error_ CLUSTER_GUARDED_BY(mutex_) = 0;
};

class TcpIoTest : public testing::Test {
 protected:
  ~TcpIoTest() override {
    dialler_ = nullptr;
    handles_.AwaitNone();
    if (io_ != nullptr) io_->Stop();
  }

  void Start() {
    io_ = NewTcpIo(settings_);
    ASSERT_TRUE(io_->Start(&handler_).ok());
  }
  // Connects to a socket of the test.
  void Dial() {
    PlainSocket listener;
    const int port = listener.Listen();
    auto made = io_->NewStream(Numbers(absl::StrCat("127.0.0.1:", port)));
    ASSERT_TRUE(made.ok()) << made.status();
    dialler_ =
        std::make_shared<Dialler>(io_.get(), &handles_, *std::move(made));
    ASSERT_EQ(dialler_->Connect(), 0);
    remote_ = listener.Accept();
  }

  TcpSettings settings_;
  RecordingHandler handler_;
  stream::HandleCount handles_;
  std::unique_ptr<stream::Io> io_;
  std::shared_ptr<Dialler> dialler_;
  std::unique_ptr<PlainSocket> remote_;
};

TEST_F(TcpIoTest, AFullSocketTakesNothingAndIsNoError) {
  Start();
  Dial();
  const std::string bytes(1 << 20, 'x');
  const absl::string_view segment = bytes;
  while (const auto sent = dialler_->stream()->TrySend({&segment, 1}))
    ASSERT_EQ(sent->error, 0);
}

TEST_F(TcpIoTest, TheEndOfAStreamIsAnError) {
  Start();
  Dial();
  remote_->ShutDown();
  EXPECT_EQ(dialler_->Receive(), ESHUTDOWN);
}

TEST_F(TcpIoTest, ItDialsFromTheSourceAddress) {
  TransportOptions options;
  options.values["source_address"] = std::string("127.0.0.2");
  OptionReader reader(options);
  settings_.source = SourceAddress::Read(options, &reader);
  Start();
  Dial();
  EXPECT_EQ(remote_->RemoteHost(), "127.0.0.2");
}

TEST_F(TcpIoTest, EveryInterfaceIsThatOfIPv4Too) {
  Start();
  std::unique_ptr<stream::Listener> listener;
  ASSERT_EQ(io_->Listen(Numbers("*:0"), &listener), 0);
  PlainSocket client;
  EXPECT_TRUE(client.Connect(listener->port()));
}

}  // namespace
}  // namespace tcp
}  // namespace cluster::internal
