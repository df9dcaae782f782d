// KeyWatch: looks at a secured server's keys while it runs, on a thread of its
// own. CertificateWarnings: the certificates that an operator should replace.
//
// The watch warns of certificates from 30 days before they expire: at Start, with
// each reload, and then once a day. On demand it also looks at the key files, once
// a second. It reloads them when they have changed and then stayed the same for
// one look. So it seldom reads half of a copy.
//
// Thread-safe, but for Start and Stop. `reload` runs on the thread of the watch,
// and `push` there or in KeysLoaded.
//
//   KeyWatch watch(1, &transport, push);
//   absl::Status status = watch.Start(files, reload);
//   watch.Stop();

#ifndef CLUSTER_SERVER_KEY_WATCH_H_
#define CLUSTER_SERVER_KEY_WATCH_H_

#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster/base/mutex.h"
#include "cluster/peer_event.h"
#include "cluster/transport/security.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {

class CertificateWarnings {
 public:
  static constexpr absl::Duration kNotice = absl::Hours(30 * 24);
  static constexpr absl::Duration kInterval = absl::Hours(24);

  explicit CertificateWarnings(int self_id) : self_id_(self_id) {}

  // The kWarning events that are due, at most one for each server.
  std::vector<PeerEvent> Due(const std::vector<PinnedCertificate>& certificates,
                             absl::Time now);
  // All is due again.
  void Reset() { warned_.clear(); }

 private:
  // "": there is nothing to say. All certificates are of one server.
  std::string TextOf(const std::vector<PinnedCertificate>& certificates,
                     absl::Time now) const;

  const int self_id_;
  std::map<int, absl::Time> warned_;  // the last warning of each server
};

// When the first of a server's certificates that have not expired will, or when
// its last one did; InfiniteFuture without any.
absl::Time CertificateExpiry(const std::vector<PinnedCertificate>& certificates,
                             int server, absl::Time now);

class KeyWatch {
 public:
  using Files = std::function<absl::StatusOr<SecurityFiles>()>;
  using Reload = std::function<absl::Status()>;

  KeyWatch(int self_id, const Transport* transport,
           std::function<void(PeerEvent)> push)
      : self_id_(self_id),
        transport_(transport),
        push_(std::move(push)),
        warnings_(self_id) {}
  KeyWatch(const KeyWatch&) = delete;
  KeyWatch& operator=(const KeyWatch&) = delete;

  // Without `reload` it looks at no files. Where no key expires either, it has
  // nothing to do and no thread. kResourceExhausted: the system gives none.
  absl::Status Start(Files files, Reload reload,
                     absl::Duration look_every = absl::Seconds(1));
  // Waits for a reload that is running.
  void Stop();

  // Warns of the certificates among keys that were loaded.
  void KeysLoaded();

 private:
  void Run();
  void Look(absl::Time now);
  void PushDue(absl::Time now) CLUSTER_EXCLUDES(mutex_);
  void PushWarning(std::string reason);

  const int self_id_;
  const Transport* const transport_;
  const std::function<void(PeerEvent)> push_;
  Files files_;
  Reload reload_;
  absl::Duration look_every_;

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ CLUSTER_GUARDED_BY(mutex_) = false;
  CertificateWarnings warnings_ CLUSTER_GUARDED_BY(mutex_);

  // The thread's own.
  std::string seen_;     // the state of the files at the last look
  std::string tried_;    // that at the last reload
  std::string failure_;  // the error of that reload; "": none
  absl::Time retry_at_ = absl::InfiniteFuture();
  std::thread thread_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_KEY_WATCH_H_
