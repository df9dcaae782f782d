#include "tests/harness/delivery_ledger.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <string_view>

#include "absl/strings/str_cat.h"

namespace cluster::internal {
namespace {

constexpr std::chrono::seconds kSilenceMax{30};

// The first ones show the cause; the rest follow from them.
constexpr std::size_t kProblemsMax = 20;

}  // namespace

EnvelopeDigest::EnvelopeDigest(const EnvelopeView& envelope)
    : message_id(envelope.message_id),
      pid(envelope.pid),
      msg_type(envelope.msg_type),
      sender_id(envelope.sender_id),
      term(envelope.term),
      voted(envelope.voted),
      lane(envelope.lane),
      group(envelope.group),
      correlation(envelope.correlation),
      payload_bytes(envelope.payload.size()),
      payload_hash(std::hash<std::string_view>()(std::string_view(
          envelope.payload.data(), envelope.payload.size()))) {}

std::string ToString(const EnvelopeDigest& digest) {
  return absl::StrCat("{", ToString(digest.message_id), " pid ", digest.pid,
                      " ", MsgTypeName(digest.msg_type), " from ",
                      digest.sender_id, " term ", digest.term,
                      digest.voted ? " voted " : " ", LaneName(digest.lane),
                      " group ", digest.group, " correlation ",
                      digest.correlation, " ", digest.payload_bytes, " bytes}");
}

std::string Differences(const EnvelopeDigest& sent,
                        const EnvelopeDigest& arrived) {
  std::string text;
  const auto compare = [&text](const char* name, const auto& was,
                               const auto& is) {
    if (was == is) return;
    absl::StrAppend(&text, text.empty() ? "" : ", ", name, " ", is, " for ",
                    was);
  };
  compare("id", ToString(sent.message_id), ToString(arrived.message_id));
  compare("pid", sent.pid, arrived.pid);
  compare("type", MsgTypeName(sent.msg_type), MsgTypeName(arrived.msg_type));
  compare("sender", sent.sender_id, arrived.sender_id);
  compare("term", sent.term, arrived.term);
  compare("voted", sent.voted, arrived.voted);
  compare("lane", LaneName(sent.lane), LaneName(arrived.lane));
  compare("group", sent.group, arrived.group);
  compare("correlation", sent.correlation, arrived.correlation);
  compare("payload bytes", sent.payload_bytes, arrived.payload_bytes);
  compare("payload hash", sent.payload_hash, arrived.payload_hash);
  return text;
}

void DeliveryLedger::Sent(int receiver, const EnvelopeView& envelope) {
  EnvelopeDigest digest(envelope);
  const StreamKey key(envelope.sender_id, receiver, envelope.lane);
  MutexLock lock(&mutex_);
  Stream& stream = streams_[key];
  stream.expected.push_back(digest);
  ++sent_;
  ++outstanding_;
  Match(key, &stream);
}

void DeliveryLedger::Arrived(int receiver, const EnvelopeView& envelope) {
  EnvelopeDigest digest(envelope);
  const StreamKey key(envelope.sender_id, receiver, envelope.lane);
  MutexLock lock(&mutex_);
  Stream& stream = streams_[key];
  stream.early.push_back(digest);
  ++arrived_;
  arrived_bytes_ += digest.payload_bytes;
  ++outstanding_;
  Match(key, &stream);
}

void DeliveryLedger::Match(const StreamKey& key, Stream* stream) {
  while (!stream->early.empty() && !stream->expected.empty()) {
    if (!MatchNext(key, stream)) break;
  }
  changed_.NotifyAll();
}

// Settles the first arrival of the stream. False: its Sent may still come.
bool DeliveryLedger::MatchNext(const StreamKey& key, Stream* stream) {
  const EnvelopeDigest& arrived = stream->early.front();
  auto sent = stream->expected.begin();
  if (promise_ == Promise::kAtMostOnce) {
    sent = std::find_if(sent, stream->expected.end(),
                        [&](const EnvelopeDigest& one) {
                          return one.message_id == arrived.message_id;
                        });
    if (sent == stream->expected.end()) return false;
  }
  const std::string differences = Differences(*sent, arrived);
  const bool is_next = sent->message_id == arrived.message_id;
  if (!differences.empty()) {
    Problem(key, is_next ? absl::StrCat(ToString(arrived), " arrived as ",
                                        differences)
                         : Mismatch(*stream));
  }
  if (is_next) {
    const auto skipped =
        static_cast<std::uint64_t>(sent - stream->expected.begin());
    lost_ += skipped;
    outstanding_ -= skipped + 1;
    stream->last_matched = sent->message_id;
    ++stream->matched;
    stream->expected.erase(stream->expected.begin(), sent + 1);
  }
  stream->early.pop_front();
  --outstanding_;
  return true;
}

// Describes the error of the first arrival, which is not the next one sent.
std::string DeliveryLedger::Mismatch(const Stream& stream) const {
  const EnvelopeDigest& arrived = stream.early.front();
  const auto later =
      std::find_if(stream.expected.begin(), stream.expected.end(),
                   [&](const EnvelopeDigest& one) {
                     return one.message_id == arrived.message_id;
                   });
  if (later != stream.expected.end()) {
    return absl::StrCat(ToString(arrived), " arrived before ",
                        later - stream.expected.begin(),
                        " that were sent earlier, the first ",
                        ToString(stream.expected.front()));
  }
  const bool is_old =
      arrived.message_id.incarnation == stream.last_matched.incarnation &&
      arrived.message_id.sequence <= stream.last_matched.sequence;
  return absl::StrCat(
      ToString(arrived),
      is_old ? " arrived again, or late, after " : " was not sent; awaited ",
      is_old ? ToString(stream.last_matched)
             : ToString(stream.expected.front()));
}

void DeliveryLedger::Problem(const StreamKey& key, const std::string& text) {
  if (problems_.size() >= kProblemsMax) return;
  problems_.push_back(
      absl::StrCat("from ", std::get<0>(key), " to ", std::get<1>(key), ", ",
                   LaneName(std::get<2>(key)), ", after ",
                   streams_[key].matched, " good ones: ", text));
}

template <typename Condition>
bool DeliveryLedger::WaitWhileArriving(Condition condition) {
  MutexLock lock(&mutex_);
  while (!condition() && problems_.empty()) {
    const std::uint64_t before = arrived_;
    const bool woken = changed_.WaitFor(&mutex_, kSilenceMax, [&] {
      return condition() || !problems_.empty() || arrived_ != before;
    });
    if (!woken) return false;
  }
  return problems_.empty();
}

bool DeliveryLedger::WaitUntilAllArrived() {
  return WaitWhileArriving([this] { return outstanding_ == 0; });
}

bool DeliveryLedger::WaitForArrivals(std::uint64_t count) {
  return WaitWhileArriving([this, count] { return arrived_ >= count; });
}

std::uint64_t DeliveryLedger::sent() const {
  MutexLock lock(&mutex_);
  return sent_;
}

std::uint64_t DeliveryLedger::arrived() const {
  MutexLock lock(&mutex_);
  return arrived_;
}

std::uint64_t DeliveryLedger::arrived_bytes() const {
  MutexLock lock(&mutex_);
  return arrived_bytes_;
}

std::uint64_t DeliveryLedger::lost() const {
  MutexLock lock(&mutex_);
  return lost_;
}

std::vector<std::string> DeliveryLedger::Problems() const {
  MutexLock lock(&mutex_);
  std::vector<std::string> problems = problems_;
  for (const auto& [key, stream] : streams_) {
    const std::string where =
        absl::StrCat("from ", std::get<0>(key), " to ", std::get<1>(key), ", ",
                     LaneName(std::get<2>(key)), ": ");
    if (!stream.early.empty()) {
      problems.push_back(absl::StrCat(
          where, stream.early.size(), " arrived that were not sent, or twice",
          ", the first ", ToString(stream.early.front())));
    }
    if (!stream.expected.empty() && promise_ == Promise::kExactlyOnce) {
      problems.push_back(absl::StrCat(where, stream.expected.size(),
                                      " did not arrive after ", stream.matched,
                                      " that did, the first ",
                                      ToString(stream.expected.front())));
    }
  }
  return problems;
}

}  // namespace cluster::internal
