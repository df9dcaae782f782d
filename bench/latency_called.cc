// called_rtt: a round trip over bare zmq behind an interface like ours, as its
// limit. It makes and verifies a checksum, and has a connection each way. Any
// thread may call the sending function, which returns a status. A handler gets
// each envelope. called_rtt_pinned: with the whole process on one core.

#include <zmq.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "bench/cases.h"
#include "bench/checked_message.h"
#include "bench/measure.h"
#include "bench/process_usage.h"
#include "bench/rally.h"
#include "bench/record.h"
#include "bench/zmq_endpoint.h"
#include "cluster/base/check.h"
#include "cluster/base/mutex.h"

namespace cluster {
namespace bench {
namespace {

constexpr int kBytes = 64;

// One of two sides that dial each other.
class CalledSide {
 public:
  using Handler = std::function<void(const EnvelopeView&)>;

  explicit CalledSide(Handler handler)
      : handler_(std::move(handler)),
        push_(ZMQ_PUSH, kBytes),
        pull_(push_, ZMQ_PULL, kBytes) {
    pull_.Bind(Scheme::kTcp);
  }

  void Start(const CalledSide& other) {
    push_.Dial(other.pull_);
    receiver_ = std::thread([this] {
      pull_.ReceiveAll([this](absl::string_view message) { Take(message); });
    });
  }
  void Stop() {
    pull_.Shutdown();
    receiver_.join();
  }

  ABSL_ATTRIBUTE_NOINLINE absl::Status Send(const Envelope& envelope) {
    internal::MutexLock lock(&mutex_);
    zmq_msg_t message;
    const std::size_t bytes =
        RecordBytes(envelope.payload.size()) + kCheckBytes;
    if (zmq_msg_init_size(&message, bytes) != 0)
      return absl::ResourceExhaustedError(zmq_strerror(zmq_errno()));
    EnvelopeView view(envelope);
    view.message_id.sequence = ++sequence_;
    auto* const first = static_cast<char*>(zmq_msg_data(&message));
    PutCheck(first, WriteRecord(view, first));
    push_.Send(&message);
    return absl::OkStatus();
  }

 private:
  void Take(absl::string_view message) {
    EnvelopeView envelope;
    ReadRecord(CheckedRecords(message).data(), &envelope);
    handler_(envelope);
  }

  const Handler handler_;
  internal::Mutex mutex_;  // guards push_ and sequence_
  std::uint64_t sequence_ = 0;
  ZmqEndpoint push_;
  ZmqEndpoint pull_;
  std::thread receiver_;
};

// Like PingPong between two servers.
class CalledPingPong {
 public:
  CalledPingPong()
      : message_(RecordEnvelope(kBytes)),
        rally_([this] { SendFrom(&near_); }),
        near_([this](const EnvelopeView& envelope) {
          benchmark::DoNotOptimize(ReadFields(envelope));
          rally_.OnPong();
        }),
        far_([this](const EnvelopeView& envelope) {
          benchmark::DoNotOptimize(ReadFields(envelope));
          SendFrom(&far_);
        }) {
    near_.Start(far_);
    far_.Start(near_);
  }
  ~CalledPingPong() {
    near_.Stop();
    far_.Stop();
  }

  void Run(int times, Samples* samples) { rally_.Run(times, samples); }

 private:
  void SendFrom(CalledSide* side) {
    CLUSTER_CHECK(side->Send(message_).ok(), "it was not taken");
  }

  const Envelope message_;
  Rally rally_;
  CalledSide near_;
  CalledSide far_;
};

void MeasureCalledRoundTrips(benchmark::State& state, bool pinned) {
  absl::optional<PinnedToOneCore> one_core;
  if (pinned) one_core.emplace();
  CalledPingPong ping_pong;
  MeasureRoundTrips(state, [&](int times, Samples* samples) {
    ping_pong.Run(times, samples);
  });
}

}  // namespace

void AddCalledLatencyCases(const std::string& transport) {
  if (!HasOneWayEcho(transport)) return;
  AddCase(CaseName(kCalledRtt, transport, kBytes), [](benchmark::State& state) {
    MeasureCalledRoundTrips(state, false);
  });
  AddCase(
      CaseName(kCalledPinned, transport, kBytes),
      [](benchmark::State& state) { MeasureCalledRoundTrips(state, true); });
}

}  // namespace bench
}  // namespace cluster
