#include "cluster/server/event_log.h"

#include <chrono>
#include <sstream>
#include <string>
#include <vector>

#include "cluster/base/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::MatchesRegex;

PeerEvent EventOf(PeerEvent::Type type, const std::string& reason) {
  PeerEvent event;
  event.type = type;
  event.peer = 2;
  event.reason = reason;
  return event;
}

std::string TextOf(const LogRecord& record) {
  std::ostringstream out;
  out << record;
  return out.str();
}

TEST(EventLog, WithoutASinkItDoesNothing) {
  EventLog log(1);
  EXPECT_TRUE(log.Start().ok());
  log.Say(LogSeverity::kInfo, "started", "");
  log.Add(EventOf(PeerEvent::kUp, ""));
}

TEST(EventLog, HandsOverEachRecordInOrder) {
  std::vector<LogRecord> records;
  EventLog log(1);
  log.SetSink([&](const LogRecord& record) { records.push_back(record); });
  ASSERT_TRUE(log.Start().ok());
  log.Say(LogSeverity::kInfo, "started", "at 127.0.0.1:1");
  log.Add(EventOf(PeerEvent::kUp, "first session"));
  log.Add(EventOf(PeerEvent::kDown, "a\nb\x1b[31m"));
  log.Stop();  // hands over what waits
  ASSERT_EQ(records.size(), 3u);
  EXPECT_THAT(TextOf(records[0]),
              MatchesRegex("....-..-..T..:..:..\\....Z info server 1: started: "
                           "at 127.0.0.1:1"));
  EXPECT_THAT(TextOf(records[1]),
              MatchesRegex(".* info server 1: peer 2 up: first session"));
  // A record is one line, whatever a peer says.
  EXPECT_THAT(
      TextOf(records[2]),
      MatchesRegex(".* warning server 1: peer 2 down: a\\\\x0ab\\\\x1b\\[31m"));
}

TEST(EventLog, TooManyAreLeftOutAndCounted) {
  constexpr std::uint64_t kTooMany = 5;
  std::vector<LogRecord> records;
  Mutex mutex;
  EventLog log(1);
  log.SetSink([&](const LogRecord& record) {
    MutexLock lock(&mutex);
    records.push_back(record);
  });
  // Nobody takes any until Start.
  for (std::uint64_t i = 0; i < EventLog::kBurst + kTooMany; ++i)
    log.Add(EventOf(PeerEvent::kRejected, ""));
  ASSERT_TRUE(log.Start().ok());
  // Until time lets another one in.
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(30);
  std::uint64_t said = 0;
  std::uint64_t taken = 0;
  while (taken <= EventLog::kBurst &&
         std::chrono::steady_clock::now() < deadline) {
    log.Say(LogSeverity::kInfo, "again", "");
    ++said;
    MutexLock lock(&mutex);
    taken = records.size();
  }
  log.Stop();
  ASSERT_GT(records.size(), static_cast<std::size_t>(EventLog::kBurst));
  EXPECT_EQ(records.front().withheld, 0u);
  const LogRecord& late = records[EventLog::kBurst];
  EXPECT_EQ(late.event, "again");
  EXPECT_GE(late.withheld, kTooMany);
  EXPECT_LE(late.withheld, kTooMany + said);
}

}  // namespace
}  // namespace cluster::internal
