// DeliveryLedger: compares what arrived with what was sent.
//
// It accounts for envelopes by stream (sender, receiver, lane). Each arrival
// must be the next one sent on its stream, with every field as sent. Between
// sending and arrival it keeps only a digest, so it bears millions of them.
//
// Thread-safe. Report the sends of one stream in the order of their Send calls,
// from one thread at a time. You may report an arrival before its sending.
// Problems returns all errors as texts.
//
//   DeliveryLedger ledger;
//   envelope.message_id = *server.SendWithId(envelope);  // and the sender's id
//   ledger.Sent(2, envelope);
//   ledger.Arrived(2, view);                             // in the receiver
//   EXPECT_TRUE(ledger.WaitUntilAllArrived());
//   EXPECT_THAT(ledger.Problems(), IsEmpty());

#ifndef TESTS_HARNESS_DELIVERY_LEDGER_H_
#define TESTS_HARNESS_DELIVERY_LEDGER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "cluster/base/mutex.h"
#include "cluster/envelope.h"

namespace cluster::internal {

// An envelope, with the size and the hash of its payload instead of the
// payload.
struct EnvelopeDigest {
  explicit EnvelopeDigest(const EnvelopeView& envelope);

  MessageId message_id;
  int pid;
  MsgType msg_type;
  int sender_id;
  std::uint64_t term;
  bool voted;
  Lane lane;
  std::uint64_t group;
  std::uint64_t correlation;
  std::size_t payload_bytes;
  std::size_t payload_hash;
};

// "" if they are the same; else each field that differs.
std::string Differences(const EnvelopeDigest& sent,
                        const EnvelopeDigest& arrived);
// One line for people.
std::string ToString(const EnvelopeDigest& digest);

class DeliveryLedger {
 public:
  enum class Promise {
    kExactlyOnce,  // everything arrives, in order
    kAtMostOnce,   // what arrives was sent, is in order, and comes once
  };
  explicit DeliveryLedger(Promise promise = Promise::kExactlyOnce)
      : promise_(promise) {}

  // `envelope` was accepted for `receiver`, and must arrive unchanged.
  void Sent(int receiver, const EnvelopeView& envelope);
  void Arrived(int receiver, const EnvelopeView& envelope);

  // Waits until all sent envelopes have arrived. False if none arrives for 30
  // s, or there is a problem; see Problems.
  bool WaitUntilAllArrived();
  // The same until `count` have arrived in all.
  bool WaitForArrivals(std::uint64_t count);

  std::uint64_t sent() const;
  std::uint64_t arrived() const;
  std::uint64_t arrived_bytes() const;
  // At most once: how many a later arrival overtook.
  std::uint64_t lost() const;

  // All errors so far. Under exactly once, an envelope that has not arrived is
  // an error.
  std::vector<std::string> Problems() const;

 private:
  using StreamKey = std::tuple<int, int, Lane>;  // sender, receiver
  struct Stream {
    std::deque<EnvelopeDigest> expected;  // sent and not arrived
    std::deque<EnvelopeDigest> early;     // arrived, but Sent not called yet
    std::uint64_t matched = 0;
    MessageId last_matched{};
  };

  void Match(const StreamKey& key, Stream* stream);
  bool MatchNext(const StreamKey& key, Stream* stream);
  std::string Mismatch(const Stream& stream) const;
  void Problem(const StreamKey& key, const std::string& text);
  template <typename Condition>
  bool WaitWhileArriving(Condition condition);

  const Promise promise_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::map<StreamKey, Stream> streams_;
  std::uint64_t sent_ = 0;
  std::uint64_t arrived_ = 0;
  std::uint64_t arrived_bytes_ = 0;
  std::uint64_t outstanding_ = 0;  // expected and early ones, of all streams
  std::uint64_t lost_ = 0;
  std::vector<std::string> problems_;
};

}  // namespace cluster::internal

#endif  // TESTS_HARNESS_DELIVERY_LEDGER_H_
