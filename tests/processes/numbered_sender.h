// NumberedSender: a thread that sends numbered envelopes to one pid, and counts
// them in the journal.
//
// The sending half of a test's server process, and the payload's format. It
// counts each Send that finds no room, and repeats it. It passes other errors
// to `on_trouble`. Borrows the server and the journal.
//
//   NumberedSender sender(&server, &journal, {2, kEndless, 64, life}, ...);
//   sender.Halt();

#ifndef TESTS_PROCESSES_NUMBERED_SENDER_H_
#define TESTS_PROCESSES_NUMBERED_SENDER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "absl/strings/string_view.h"
#include "cluster/server.h"
#include "tests/processes/journal.h"

namespace cluster::internal {

inline constexpr std::uint64_t kEndless = UINT64_MAX;
inline constexpr std::size_t kNumberedPayloadBytesMin = 16;

struct Numbered {
  std::uint64_t life = 0;  // of the sender
  std::uint64_t number = 0;
};
std::string NumberedPayload(const Numbered& numbered, std::size_t bytes);
// False: the payload has another form.
bool ReadNumberedPayload(absl::string_view payload, Numbered* numbered);

struct Sending {
  int pid = 0;  // or kBroadcast
  std::uint64_t count = kEndless;
  std::size_t payload_bytes = kNumberedPayloadBytesMin;
  std::uint64_t life = 0;
};

class NumberedSender {
 public:
  // Calls `on_end` when `count` envelopes have been accepted.
  NumberedSender(Server* server, Journal* journal, const Sending& sending,
                 std::function<void()> on_end,
                 std::function<void(const std::string&)> on_trouble);
  ~NumberedSender() { Halt(); }

  // Waits until the present Send returns.
  void Halt();

 private:
  void Run();
  bool SendNext(Lane lane);

  Server* const server_;
  Journal* const journal_;
  const Sending sending_;
  const std::function<void()> on_end_;
  const std::function<void(const std::string&)> on_trouble_;
  std::atomic<bool> halting_{false};
  std::thread thread_;
};

}  // namespace cluster::internal

#endif  // TESTS_PROCESSES_NUMBERED_SENDER_H_
