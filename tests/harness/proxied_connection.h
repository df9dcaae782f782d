// ProxiedConnection: the two sockets of a connection through a TcpProxy.
//
// It passes on data, FIN and RST by two pipes, and can be cut or lose a side.
// It owns the sockets and runs on the proxy's thread; TcpProxy has the loop. An
// error of a socket ends the connection.
//
//   ProxiedConnection connection(dialler, target, &figures);
//   connection.Watch(conditions, now, &watched);
//   poll(...);
//   connection.Move({watched[0].revents, watched[1].revents}, conditions, now);

#ifndef TESTS_HARNESS_PROXIED_CONNECTION_H_
#define TESTS_HARNESS_PROXIED_CONNECTION_H_

#include <poll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/harness/network_conditions.h"
#include "tests/harness/proxy_pipe.h"

namespace cluster::internal {

// The bytes that a dialler sent, in parts. Each part has the number of bytes
// that the dialler had received before, so that a replay waits for as many.
struct Recording {
  struct Part {
    std::uint64_t heard = 0;
    std::string bytes;
  };
  std::vector<Part> parts;

  std::size_t size() const;
};

class ProxiedConnection {
 public:
  using Clock = ProxyPipe::Clock;

  // Takes over both sockets.
  ProxiedConnection(int dialler, int target, ProxyFigures* figures);
  // Sends `script` instead of a dialler's bytes.
  ProxiedConnection(Recording script, int target, ProxyFigures* figures);
  ~ProxiedConnection();  // resets what is still there
  ProxiedConnection(const ProxiedConnection&) = delete;
  ProxiedConnection& operator=(const ProxiedConnection&) = delete;

  ProxyPipe& pipe(Way way) { return pipes_[static_cast<std::size_t>(way)]; }
  // Sets how the connection ends when a pipe reaches its limit.
  void SetCut(CutBy how) {
    limit_cut_ = how;
    cut_awaited_ = true;
  }
  // Whether SetCut was called and no pipe has reached its limit.
  bool cut_awaited() const { return cut_awaited_; }

  void Record(std::size_t bytes) { pipe(Way::kForward).Record(bytes); }
  const Recording& recording() const { return recording_; }

  // Ends the connection, and drops all bytes on their way.
  void Cut(CutBy how);
  // Resets one side, and the other does not notice. Bytes on their way to the
  // other side still arrive; bytes from it are swallowed.
  void Lose(Side side);

  // Appends the entries for poll, always one for each side.
  void Watch(const NetworkConditions& conditions, Clock::time_point now,
             std::vector<pollfd>* watched) const;
  // When there will be more to wait for.
  Clock::time_point WakeAt(const NetworkConditions& conditions,
                           Clock::time_point now) const;
  // Moves the bytes that it can. `events` is the answer of poll for each side.
  void Move(const std::array<short, kSides>& events,
            const NetworkConditions& conditions, Clock::time_point now);

  // Whether it is neither cut nor ended.
  bool live() const { return state_ == State::kLive; }
  bool has_hole() const { return pipes_[0].has_hole() || pipes_[1].has_hole(); }
  // Whether both sockets are closed.
  bool gone() const { return sockets_[0] < 0 && sockets_[1] < 0; }

 private:
  enum class State {
    kLive,
    kLeaving,  // cut by FIN; the sides have not both closed yet
  };

  bool OneSided() const { return sockets_[0] < 0 || sockets_[1] < 0; }
  void TakeFrom(std::size_t side, const NetworkConditions& conditions,
                Clock::time_point now);
  void GiveTo(std::size_t side, const NetworkConditions& conditions,
              Clock::time_point now);
  void Drain(std::size_t side);
  void KeepRecord();
  void FollowScript(Clock::time_point now);
  void PassEndsOn();
  void Close(std::size_t side);
  void Reset(std::size_t side);

  State state_ = State::kLive;
  ProxyFigures* const figures_;
  std::array<int, kSides> sockets_;
  std::array<ProxyPipe, kWays> pipes_;  // by the side that each begins at
  std::array<bool, kWays> ended_{};     // the source has sent its last byte
  std::array<bool, kWays> end_told_{};
  Recording recording_;
  Recording script_;
  std::size_t script_said_ = 0;  // parts
  bool broken_ = false;
  CutBy limit_cut_ = CutBy::kReset;
  bool cut_awaited_ = false;
};

}  // namespace cluster::internal

#endif  // TESTS_HARNESS_PROXIED_CONNECTION_H_
