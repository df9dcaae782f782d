// Rally: times round trips in which each pong sends the next ping.
//
// It has the clock, the count and the end; the caller defines the ping. Call
// Run from one thread at a time, OnPong from the handler's.
//
//   Rally rally([&] { Send(ping); });
//   rally.Run(100, &samples);   // the handler calls rally.OnPong()

#ifndef BENCH_RALLY_H_
#define BENCH_RALLY_H_

#include <chrono>
#include <functional>
#include <utility>

#include "bench/delivery_count.h"
#include "bench/samples.h"

namespace cluster {
namespace bench {

class Rally {
 public:
  explicit Rally(std::function<void()> send_ping)
      : send_ping_(std::move(send_ping)) {}

  // Waits for the last pong.
  void Run(int times, Samples* samples) {
    samples_ = samples;
    left_ = times;
    rounds_.Expect(1);
    Ping();
    rounds_.Wait();
  }

  void OnPong() {
    samples_->Add(Clock::now() - sent_);
    if (--left_ > 0) {
      Ping();
    } else {
      rounds_.Add(1);
    }
  }

 private:
  using Clock = std::chrono::steady_clock;

  void Ping() {
    sent_ = Clock::now();
    send_ping_();
  }

  const std::function<void()> send_ping_;
  // Only the handler uses these while Run waits.
  Clock::time_point sent_;
  int left_ = 0;
  Samples* samples_ = nullptr;
  DeliveryCount rounds_;
};

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_RALLY_H_
