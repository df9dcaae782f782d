// RawStream and RawListener: blocking sockets of the system, for tests that
// play a peer which is broken, hostile or slow.
//
// Threads: one at a time. Errors: a wait over 30 s, and anything else that goes
// wrong, makes the call return false.
//
//   RawStream stream = RawStream::Dial(transport->Address());
//   stream.Write(garbage);
//   EXPECT_TRUE(stream.WaitForEnd());

#ifndef CLUSTER_TRANSPORT_STREAM_TESTING_RAW_STREAM_H_
#define CLUSTER_TRANSPORT_STREAM_TESTING_RAW_STREAM_H_

#include <string>

#include "absl/strings/string_view.h"

namespace cluster::internal {
namespace stream {

class RawStream {
 public:
  explicit RawStream(int fd = -1) : fd_(fd) {}
  ~RawStream() { Close(); }
  RawStream(RawStream&& other) noexcept;
  RawStream& operator=(RawStream&& other) noexcept;

  // To "127.0.0.1:port".
  static RawStream Dial(const std::string& address);
  // A socket that is not connected yet, for DialWith.
  static RawStream Unconnected();
  bool DialWith(const std::string& address);

  bool ok() const { return fd_ >= 0; }
  int fd() const { return fd_; }  // borrowed
  bool Write(absl::string_view bytes);
  // Reads so many bytes.
  bool Read(std::size_t bytes, std::string* text);
  // Reads, and drops what comes, until the other side has closed or reset.
  bool WaitForEnd();
  // FIN, the other direction stays open.
  void Finish();
  void Close();
  // RST.
  void Reset();

 private:
  int fd_;
};

class RawListener {
 public:
  RawListener();  // on 127.0.0.1 and a free port
  ~RawListener();
  RawListener(const RawListener&) = delete;
  RawListener& operator=(const RawListener&) = delete;

  std::string address() const;
  RawStream Accept();

 private:
  int fd_;
};

}  // namespace stream
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_STREAM_TESTING_RAW_STREAM_H_
