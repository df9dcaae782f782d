// DemoServer: one server of the demo, in a process of its own.
//
// It obeys lines on standard input and reports on standard output. demo_run.h
// is the other end. The main thread reads lines, another one sends, and the
// library's threads receive.
//
//   in:   peer <id> <address>   the address of another server
//         run <scenario>        send the scenario's envelopes
//         report
//         (end of the input)    stop, and exit
//   out:  address <address>     the address at which it listens
//         connected             every other server is up
//         progress <arrivals>   this many of the scenario have arrived
//         sent <scenario>       all of them were accepted
//         received <scenario>   all expected ones have arrived
//         tally <scenario> <numbers>   (tally.h), one per scenario
//         reported
//         error <text>          it cannot go on
//
//   RunDemoServer(2, config, {20000, 64});

#ifndef PROGRAMS_DEMO_DEMO_SERVER_H_
#define PROGRAMS_DEMO_DEMO_SERVER_H_

#include <cstddef>
#include <cstdint>

#include "cluster/config.h"

namespace cluster {
namespace demo {

struct Load {
  std::uint64_t rounds = 0;       // of each scenario
  std::size_t payload_bytes = 0;  // of each envelope
};

// Returns at the end of the input, or after it has reported an error.
void RunDemoServer(int server_id, const Config& config, const Load& load);

}  // namespace demo
}  // namespace cluster

#endif  // PROGRAMS_DEMO_DEMO_SERVER_H_
