// Bare sockets as a baseline (raw_fanout.h): what transport/tcp does, by hand.
//
// Messages have their length in front. A send is one blocking system call. A
// receiver waits in epoll for its connections, and calls back itself. Errors
// abort.

#ifndef BENCH_RAW_TCP_H_
#define BENCH_RAW_TCP_H_

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "bench/raw_fanout.h"

namespace cluster {
namespace bench {

// One thread at a time, except for Close.
class TcpEndpoint {
 public:
  TcpEndpoint();
  ~TcpEndpoint();
  TcpEndpoint(const TcpEndpoint&) = delete;
  TcpEndpoint& operator=(const TcpEndpoint&) = delete;

  void Bind(Scheme scheme);
  void Dial(const TcpEndpoint& other);
  // A port of 127.0.0.1, and the own one.
  void DialPort(std::uint16_t port);
  std::uint16_t port() const;

  void Send(absl::string_view message);
  // Gives `receive` each message of each dialler until Close is called.
  void ReceiveAll(const std::function<void(absl::string_view)>& receive);
  // Waits for a message; "" once the other side has closed.
  absl::string_view Receive();
  // Waits for a dialler, whose messages Receive gets.
  void Accept();
  void Close();

 private:
  // The bytes of one connection that no message has yet.
  struct Stream {
    std::unique_ptr<char[]> bytes;
    std::size_t capacity = 0;
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  // False: it is over.
  static bool Read(int fd, Stream* stream);
  // False: the next message is not whole.
  static bool Next(Stream* stream, absl::string_view* message);
  void DialName(const sockaddr* name, socklen_t bytes);

  sockaddr_storage name_{};
  socklen_t name_bytes_ = 0;
  int listener_ = -1;
  int connection_ = -1;
  int stop_ = -1;
  Stream stream_;                  // of connection_
  std::map<int, Stream> streams_;  // of diallers
};

std::unique_ptr<RawFanout> NewTcpFanout(Scheme scheme, int connections,
                                        RawReceiver receiver);
std::unique_ptr<RawEcho> NewTcpEcho(std::size_t message_bytes);

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_RAW_TCP_H_
