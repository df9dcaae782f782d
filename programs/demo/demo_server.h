// DemoServer: one server of the demo, in a process of its own.
//
// What it is: a cluster::Server that does what lines on standard input say and
// tells on standard output how it went. What it is not: for people; demo_run.h
// is the other end.
//
//   in:   peer <id> <address>   the address of another server
//         run <scenario>        send the scenario's envelopes
//         report
//         (end of the input)    stop, and exit
//   out:  address <address>     where it listens
//         connected             every other server is up
//         progress <arrivals>   so many of the scenario's have arrived
//         sent <scenario>       all of them were accepted
//         received <scenario>   all that are awaited have arrived
//         tally <scenario> <numbers>   (tally.h), one per scenario
//         reported
//         error <text>          it cannot go on
//
// Threads: main reads lines, another sends, the library's receive.
//
//   return RunDemoServer(2, config, {20000, 64});

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

// Returns the process's exit code.
int RunDemoServer(int server_id, const Config& config, const Load& load);

}  // namespace demo
}  // namespace cluster

#endif  // PROGRAMS_DEMO_DEMO_SERVER_H_
