// Blocking sockets for tests that play a broken, hostile or slow peer.
//
// Not thread-safe. A call that fails, or waits over 30 s, returns false.
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
  // Reads exactly `bytes`.
  bool Read(std::size_t bytes, std::string* text);
  // Reads and drops bytes until the other side has closed or reset.
  bool WaitForEnd();
  // Sends FIN; the other direction stays open.
  void Finish();
  void Close();
  // Closes by RST.
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
