// UnixPeer: what goes to one peer: a queue of bytes and the connection that it
// leaves by.
//
// What it is: the outbound half of UnixTransport for one peer, without threads
// or callbacks. What it is not: safe; the transport's lock guards it.
//
// Errors: told by Write and Dial as texts, "" being none.

#ifndef TESTS_CUSTOM_UNIX_PEER_H_
#define TESTS_CUSTOM_UNIX_PEER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "cluster/transport/frame.h"
#include "cluster/transport/transport.h"
#include "tests/custom/unix_socket.h"

namespace cluster {

class UnixPeer {
 public:
  using Clock = std::chrono::steady_clock;

  // From now on it is dialled there. A connection that there was is given back,
  // to be closed when nobody polls it any more.
  OwnedFd MoveTo(std::string path, std::uint64_t generation);

  // Queues a copy, or counts one more OnWritable that is owed.
  SendResult Push(const Frame& frame);
  // The OnWritables that are due now; they are owed no more.
  int TakeWritables();

  // Tries to connect, if it is time.
  bool DialDue(Clock::time_point now) const {
    return !fd_.open() && now >= dial_at_;
  }
  std::string Dial(Clock::time_point now);
  // Writes what the connection takes.
  std::string Write();
  // What came back on a connection that only sends is its end: whether it has.
  bool HasEnded() const;
  // Gives up the connection, with the frame that was under way on it.
  OwnedFd Drop();

  int fd() const { return fd_.get(); }
  std::uint64_t generation() const { return generation_; }
  bool empty() const { return queue_.empty(); }
  Clock::time_point dial_at() const { return dial_at_; }

 private:
  std::string path_;
  std::uint64_t generation_ = 0;  // of the latest MoveTo
  OwnedFd fd_;
  Clock::time_point dial_at_{};
  std::chrono::milliseconds delay_{0};
  std::deque<std::string> queue_;
  std::size_t queue_bytes_ = 0;
  std::size_t written_bytes_ = 0;  // of the front
  int owed_ = 0;
};

}  // namespace cluster

#endif  // TESTS_CUSTOM_UNIX_PEER_H_
