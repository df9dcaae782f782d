// EventLog: the PeerEvents of some servers, to wait for and to search.
//
// Thread-safe. A wait that takes longer than 60 s returns false.
//
//   EventLog log;
//   spec.on_event = log.Sink();
//   EXPECT_TRUE(log.WaitForRejection(1, "unauthenticated"));

#ifndef TESTS_HARNESS_EVENT_LOG_H_
#define TESTS_HARNESS_EVENT_LOG_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "cluster/base/mutex.h"
#include "cluster/peer_event.h"

namespace cluster::internal {

class EventLog {
 public:
  using Entry = std::pair<int, PeerEvent>;  // observer, event

  std::function<void(int, const PeerEvent&)> Sink() {
    return [this](int observer, const PeerEvent& event) {
      MutexLock lock(&mutex_);
      entries_.emplace_back(observer, event);
      changed_.NotifyAll();
    };
  }

  // Waits for a kRejected of `observer` with `text` in its reason.
  bool WaitForRejection(int observer, absl::string_view text) {
    return WaitFor(observer, PeerEvent::kRejected, text);
  }

  // Waits for an event of that type with `text` in its reason.
  bool WaitFor(int observer, PeerEvent::Type type, absl::string_view text) {
    return WaitFor([&](const Entry& entry) {
      return entry.first == observer && entry.second.type == type &&
             absl::StrContains(entry.second.reason, text);
    });
  }

  // Waits for an event of that type about `peer`.
  bool WaitForPeer(int observer, int peer, PeerEvent::Type type) {
    return WaitFor([&](const Entry& entry) {
      return entry.first == observer && entry.second.peer == peer &&
             entry.second.type == type;
    });
  }

  // Waits until each of `ids` has reported the others as up.
  bool WaitUntilAllUp(const std::vector<int>& ids) {
    for (int observer : ids) {
      for (int peer : ids) {
        if (peer == observer) continue;
        if (!WaitForPeer(observer, peer, PeerEvent::kUp)) return false;
      }
    }
    return true;
  }

  // Waits for `count` of them.
  bool WaitFor(const std::function<bool(const Entry&)>& wanted,
               std::size_t count = 1) {
    MutexLock lock(&mutex_);
    return changed_.WaitFor(&mutex_, std::chrono::seconds(60), [&] {
      return static_cast<std::size_t>(std::count_if(
                 entries_.begin(), entries_.end(), wanted)) >= count;
    });
  }

  std::vector<Entry> Entries() {
    MutexLock lock(&mutex_);
    return entries_;
  }

  // All events, a line each.
  std::string Text() {
    std::ostringstream text;
    for (const auto& [observer, event] : Entries())
      text << observer << ": " << event << "\n";
    return text.str();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<Entry> entries_;
};

}  // namespace cluster::internal

#endif  // TESTS_HARNESS_EVENT_LOG_H_
