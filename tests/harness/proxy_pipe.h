// ProxyPipe: one direction of a proxied connection, with the bytes on their
// way.
//
// A bounded buffer with a due time for each piece, a pace, and a limit after
// which nothing passes. ProxiedConnection owns the sockets. Runs on the proxy's
// thread.
//
//   if (pipe.CanTake(conditions)) pipe.Take(dialler, now, conditions);
//   if (pipe.GiveAt(conditions) <= now) pipe.Give(target, now, conditions);

#ifndef TESTS_HARNESS_PROXY_PIPE_H_
#define TESTS_HARNESS_PROXY_PIPE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <string>

#include "tests/harness/network_conditions.h"

namespace cluster::internal {

class ProxyPipe {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Result {
    kGoesOn,
    kEnded,   // the source has sent its last byte
    kBroken,  // the socket is of no more use
    kLimit,   // as many bytes were given as may be
  };

  ProxyPipe(Way way, ProxyFigures* figures)
      : index_(static_cast<std::size_t>(way)), figures_(figures) {}

  // Passes the first `bytes` bytes only.
  void SetLimit(std::uint64_t bytes) { limit_ = bytes; }
  // Drops waiting bytes, and all future ones, under any conditions.
  void SwallowAll();
  // Keeps a copy of the first `bytes_max` bytes.
  void Record(std::size_t bytes_max) { record_bytes_max_ = bytes_max; }
  const std::string& recorded() const { return recorded_; }

  // Puts bytes in as if they had been taken.
  void Put(std::string bytes, Clock::time_point due);

  bool CanTake(const NetworkConditions& conditions) const;
  // Takes bytes from the socket, as far as there is room.
  Result Take(int source, Clock::time_point now,
              const NetworkConditions& conditions);
  // Gives the bytes that are due, as far as the socket takes them.
  Result Give(int sink, Clock::time_point now,
              const NetworkConditions& conditions);
  // When the next byte is due; Clock::time_point::max() if there is none.
  Clock::time_point GiveAt(const NetworkConditions& conditions) const;

  bool empty() const { return pieces_.empty(); }
  std::uint64_t taken() const { return taken_; }
  // Whether the conditions have swallowed bytes of the stream.
  bool has_hole() const { return has_hole_; }

 private:
  struct Piece {
    std::string bytes;
    Clock::time_point due;
  };

  bool Swallows(const NetworkConditions& conditions) const {
    return swallows_all_ || conditions.swallows[index_];
  }

  const std::size_t index_;
  ProxyFigures* const figures_;
  std::deque<Piece> pieces_;
  std::size_t buffered_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t given_ = 0;
  std::uint64_t limit_ = std::numeric_limits<std::uint64_t>::max();
  Clock::time_point paced_until_{};
  bool swallows_all_ = false;
  bool has_hole_ = false;
  std::size_t record_bytes_max_ = 0;
  std::string recorded_;
};

}  // namespace cluster::internal

#endif  // TESTS_HARNESS_PROXY_PIPE_H_
