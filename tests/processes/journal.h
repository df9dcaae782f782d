// Journal: the counters of one life of a server process, in memory that
// outlives it.
//
// It is a file that both the test and the process map. The process counts in it
// as it sends and takes envelopes, so kill -9 loses no count. A sender numbers
// the envelopes of each stream (sender, life of the sender, addressed or
// broadcast, lane) from 1.
//
// The counters are atomic; each has one writer. The destructor unmaps the file;
// the caller removes it. It aborts if it cannot map the file.
//
//   Journal journal(path);                       // both processes
//   journal->sent[2][lane].accepted = number;    // the server
//   EXPECT_EQ(journal->sent[2][lane].accepted, 7u);   // the test

#ifndef TESTS_PROCESSES_JOURNAL_H_
#define TESTS_PROCESSES_JOURNAL_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "cluster/envelope.h"

namespace cluster::internal {

inline constexpr int kJournalIds = 8;
inline constexpr int kJournalLives = 32;

using Counter = std::atomic<std::uint64_t>;
static_assert(Counter::is_always_lock_free, "processes share them");

// The envelopes that a process took of one stream.
struct TakenStream {
  Counter first;
  Counter last;
  Counter count;
};

// The envelopes that a process sent on one stream.
struct SentStream {
  Counter begun;     // the number that Send was last called with
  Counter accepted;  // the number that Send last answered OK for
  Counter no_room;   // Sends that found no room in time
};

// Figures of Server::Stats, as of the last report.
struct PeerFigures {
  Counter accepted;
  Counter acknowledged;
  Counter queued;
  Counter in_flight;
  Counter dropped;
  Counter dropped_by_restart;
  Counter sessions;
  Counter queued_bytes;
  Counter unconsumed_bytes;
};

struct JournalPage {
  using ByLane = std::array<TakenStream, kLanes>;
  // By sender, life of the sender, and whether it was a broadcast.
  std::array<std::array<std::array<ByLane, 2>, kJournalLives>, kJournalIds>
      taken;
  // By receiver; broadcasts at 0.
  std::array<std::array<SentStream, kLanes>, kJournalIds> sent;
  Counter arrived;   // envelopes, of all streams
  Counter disorder;  // arrivals that did not follow the last of their stream
  Counter strange;   // arrivals that no process sends like that
  std::array<PeerFigures, kJournalIds> peers;
  Counter inbox_bytes;
};

class Journal {
 public:
  // Makes the file, filled with zeros, if it does not exist.
  explicit Journal(const std::string& path);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  JournalPage* operator->() const { return page_; }

 private:
  JournalPage* page_;
};

}  // namespace cluster::internal

#endif  // TESTS_PROCESSES_JOURNAL_H_
