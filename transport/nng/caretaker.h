// Caretaker: the one thread that a transport has of its own, for all that may
// not be done in a callback of nng: freeing, waiting, and doing things later.
//
// It looks after each thing in its list when its time has come, and after all of
// them when anybody calls Wake. What it does is rare; no frame waits for it.
//
// Threads: Add and Wake from any, nng's too; Tend is called on the caretaker's
// alone. Ownership: it shares each thing until that has finished. Errors: of
// Start.
//
//   Caretaker caretaker;
//   absl::Status status = caretaker.Start();
//   caretaker.Add(connection);

#ifndef CLUSTER_TRANSPORT_NNG_CARETAKER_H_
#define CLUSTER_TRANSPORT_NNG_CARETAKER_H_

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/optional.h"

namespace cluster {
namespace nng {

using Clock = std::chrono::steady_clock;

class Tended {
 public:
  virtual ~Tended() = default;

  // Does what is due and tells when to come again, at the latest (a Wake brings
  // it earlier); nothing when it has finished and can be let go of.
  virtual absl::optional<Clock::time_point> Tend(Clock::time_point now) = 0;
};

class Caretaker {
 public:
  Caretaker() = default;
  ~Caretaker() { Stop(); }
  Caretaker(const Caretaker&) = delete;
  Caretaker& operator=(const Caretaker&) = delete;

  // Begins to tend; once. kResourceExhausted: there is no thread to be had.
  absl::Status Start();

  void Add(std::shared_ptr<Tended> tended);
  void Wake();

  // Waits until everything has finished, then ends the thread, if there is one.
  // Idempotent; not from two threads at once.
  void Stop();

 private:
  void Run();
  // Tends each, drops what has finished, and returns when to come again.
  Clock::time_point TendAll();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<Tended>> added_;   // guarded by mutex_
  bool woken_ = false;                           // guarded by mutex_
  bool stopping_ = false;                        // guarded by mutex_
  std::vector<std::shared_ptr<Tended>> tended_;  // the thread's own
  std::thread thread_;
};

}  // namespace nng
}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_NNG_CARETAKER_H_
