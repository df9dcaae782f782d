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

// The bytes that a dialler sent. Each part has the number of bytes that it had
// received before, since a handshake sent too soon is another one.
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

  // Takes both.
  ProxiedConnection(int dialler, int target, ProxyFigures* figures);
  // Without a dialler: it says what `script` has.
  ProxiedConnection(Recording script, int target, ProxyFigures* figures);
  ~ProxiedConnection();  // resets what is still there
  ProxiedConnection(const ProxiedConnection&) = delete;
  ProxiedConnection& operator=(const ProxiedConnection&) = delete;

  ProxyPipe& pipe(Way way) { return pipes_[static_cast<std::size_t>(way)]; }
  // How it is cut when a pipe reaches its limit.
  void SetCut(CutBy how) {
    limit_cut_ = how;
    cut_awaited_ = true;
  }
  // SetCut was called, and no pipe has reached its limit.
  bool cut_awaited() const { return cut_awaited_; }

  void Record(std::size_t bytes) { pipe(Way::kForward).Record(bytes); }
  const Recording& recording() const { return recording_; }

  // Ends it, with all that is on its way.
  void Cut(CutBy how);
  // Half-open: resets one side, and the other does not notice. Bytes on their
  // way there still arrive; bytes from there are swallowed.
  void Lose(Side side);

  // Appends what poll shall wait for: always one entry a side.
  void Watch(const NetworkConditions& conditions, Clock::time_point now,
             std::vector<pollfd>* watched) const;
  // When there will be more to wait for.
  Clock::time_point WakeAt(const NetworkConditions& conditions,
                           Clock::time_point now) const;
  // Does what can be done, `events` being what poll said of each side.
  void Move(const std::array<short, kSides>& events,
            const NetworkConditions& conditions, Clock::time_point now);

  // Neither cut nor ended.
  bool live() const { return state_ == State::kLive; }
  bool has_hole() const { return pipes_[0].has_hole() || pipes_[1].has_hole(); }
  // Both sockets are closed.
  bool gone() const { return sockets_[0] < 0 && sockets_[1] < 0; }

 private:
  enum class State {
    kLive,
    kLeaving,  // cut by FIN; until the sides have closed too
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
  std::array<bool, kWays> ended_{};     // the source has said its last
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
