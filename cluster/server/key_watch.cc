#include "cluster/server/key_watch.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/base/clock.h"
#include "cluster/base/start_thread.h"

namespace cluster::internal {
namespace {

namespace fs = std::filesystem;

// A look at certificates alone.
constexpr absl::Duration kLookAtDates = absl::Hours(1);
// A reload that failed may succeed with the same files: an address is free again.
constexpr absl::Duration kRetry = absl::Seconds(30);

std::string Date(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", time, absl::UTCTimeZone());
}

bool Before(const PinnedCertificate& one, const PinnedCertificate& other) {
  return one.valid_until < other.valid_until;
}

// The files of a folder, and of each the facts that a new version changes. Links
// are followed. Folders are left out: of a mounted secret they come and go before
// and after its new version is in place.
void AddState(const std::string& folder, std::string* state) {
  std::vector<std::string> entries;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    struct stat info {};
    const bool found = ::stat(entry->path().c_str(), &info) == 0;
    if (found && S_ISDIR(info.st_mode)) continue;
    entries.push_back(absl::StrCat(
        entry->path().filename().string(), " ", found, " ", info.st_dev, " ",
        info.st_ino, " ", info.st_mode, " ", info.st_uid, " ", info.st_size,
        " ", info.st_mtim.tv_sec, ".", info.st_mtim.tv_nsec, " ",
        info.st_ctim.tv_sec, ".", info.st_ctim.tv_nsec));
  }
  std::sort(entries.begin(), entries.end());
  absl::StrAppend(state, folder, ": ", error.value(), "\n");
  for (const std::string& one : entries) absl::StrAppend(state, one, "\n");
}

std::string StateOf(const absl::StatusOr<SecurityFiles>& files) {
  if (!files.ok()) return files.status().ToString();
  std::string state;
  AddState(files->identity, &state);
  for (const auto& [id, folder] : files->peers) {
    absl::StrAppend(&state, id, " ");
    AddState(folder, &state);
  }
  return state;
}

}  // namespace

std::vector<PeerEvent> CertificateWarnings::Due(
    const std::vector<PinnedCertificate>& certificates, absl::Time now) {
  std::map<int, std::vector<PinnedCertificate>> by_server;
  for (const PinnedCertificate& one : certificates)
    by_server[one.server].push_back(one);
  std::vector<PeerEvent> due;
  for (const auto& [server, its] : by_server) {
    PeerEvent event;
    event.type = PeerEvent::kWarning;
    event.peer = server;
    event.reason = TextOf(its, now);
    if (event.reason.empty()) {
      warned_.erase(server);
      continue;
    }
    const auto last = warned_.emplace(server, absl::InfinitePast()).first;
    if (now - last->second < kInterval) continue;
    last->second = now;
    due.push_back(std::move(event));
  }
  return due;
}

std::string CertificateWarnings::TextOf(
    const std::vector<PinnedCertificate>& certificates, absl::Time now) const {
  const bool own = certificates.front().server == self_id_;
  const auto text = [&](const PinnedCertificate& one, absl::string_view fact,
                        absl::Time date, absl::string_view more = "") {
    return absl::StrCat(own ? "this server's" : "its", " certificate (",
                        one.name, ") ", fact, " ", Date(date), " (", one.file,
                        ")", more, "; give ", own ? "this server" : "it",
                        " a new one, and all servers a copy");
  };
  std::vector<PinnedCertificate> good;
  std::copy_if(certificates.begin(), certificates.end(),
               std::back_inserter(good), [now](const PinnedCertificate& one) {
                 return one.valid_from <= now && now < one.valid_until;
               });
  const PinnedCertificate& last =
      *std::max_element(certificates.begin(), certificates.end(), Before);
  if (good.empty()) {
    return last.valid_until <= now
               ? text(last, "expired on", last.valid_until)
               : text(last, "is not valid before", last.valid_from);
  }
  const PinnedCertificate& first =
      *std::min_element(good.begin(), good.end(), Before);
  if (first.valid_until - now > kNotice) return "";
  const std::string more =
      first.valid_until == last.valid_until
          ? ""
          : absl::StrCat(", and another one of it on ", Date(last.valid_until));
  return text(first, "expires on", first.valid_until, more);
}

absl::Time CertificateExpiry(const std::vector<PinnedCertificate>& certificates,
                             int server, absl::Time now) {
  absl::Time next = absl::InfiniteFuture();
  absl::Time last = absl::InfinitePast();
  for (const PinnedCertificate& one : certificates) {
    if (one.server != server) continue;
    if (one.valid_until > now) next = std::min(next, one.valid_until);
    last = std::max(last, one.valid_until);
  }
  return next == absl::InfiniteFuture() && last != absl::InfinitePast() ? last
                                                                        : next;
}

absl::Status KeyWatch::Start(Files files, Reload reload,
                             absl::Duration look_every) {
  if (reload == nullptr && transport_->Certificates().empty())
    return absl::OkStatus();
  files_ = std::move(files);
  reload_ = std::move(reload);
  look_every_ = reload_ == nullptr ? kLookAtDates : look_every;
  return StartThread(
      "cluster-keys", [this] { Run(); }, &thread_);
}

void KeyWatch::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void KeyWatch::KeysLoaded() {
  {
    MutexLock lock(&mutex_);
    warnings_.Reset();
  }
  PushDue(absl::Now());
}

void KeyWatch::Run() {
  MutexLock lock(&mutex_);
  while (!stopping_) {
    lock.Unlock();
    if (reload_ != nullptr) Look(MonotonicNow());
    PushDue(absl::Now());
    lock.Lock();
    changed_.WaitUntil(&mutex_, Deadline(look_every_), [this] {
      mutex_.AssertHeld();
      return stopping_;
    });
  }
}

// The first look reloads what may have changed since the keys were read.
void KeyWatch::Look(absl::Time now) {
  std::string state = StateOf(files_());
  const bool settled = state == seen_ || tried_.empty();
  seen_ = state;
  const bool changed = state != tried_;
  if (changed ? !settled : now < retry_at_) return;
  const bool first = tried_.empty();
  tried_ = std::move(state);
  const absl::Status status = reload_();
  if (absl::IsCancelled(status)) return;  // the server stops
  retry_at_ = status.ok() ? absl::InfiniteFuture() : now + kRetry;
  const std::string failure(status.ok() ? "" : status.message());
  if (!failure.empty() && (changed || failure != failure_)) {
    PushWarning(absl::StrCat(
        "the key files cannot be used, and the keys before stay in force: ",
        failure));
  } else if (failure.empty() && !first) {
    PushWarning("the key files have changed, and were read anew");
  }
  failure_ = failure;
}

void KeyWatch::PushDue(absl::Time now) {
  const std::vector<PinnedCertificate> certificates =
      transport_->Certificates();
  std::vector<PeerEvent> due;
  {
    MutexLock lock(&mutex_);
    due = warnings_.Due(certificates, now);
  }
  for (PeerEvent& event : due) push_(std::move(event));
}

void KeyWatch::PushWarning(std::string reason) {
  PeerEvent event;
  event.type = PeerEvent::kWarning;
  event.peer = self_id_;
  event.reason = std::move(reason);
  push_(std::move(event));
}

}  // namespace cluster::internal
