#include "cluster/admin/admin_server.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "cluster/admin/access.h"
#include "cluster/admin/http_server.h"
#include "cluster/admin/metrics.h"
#include "cluster/admin/pages.h"
#include "cluster/admin/snapshot.h"
#include "cluster/base/clock.h"
#include "cluster/base/mutex.h"
#include "cluster/transport/address.h"
#include "cluster/version.h"

namespace cluster {
namespace internal {
namespace {

// How old the figures of a page may be. So a client that asks in a loop takes the
// locks of the server ten times a second at most.
constexpr absl::Duration kSnapshotAge = absl::Milliseconds(100);

constexpr char kText[] = "text/plain; charset=utf-8";
constexpr char kJson[] = "application/json";

constexpr char kIndex[] =
    "/metrics  for Prometheus\n"
    "/healthz  200 while the server runs\n"
    "/readyz   200 while it reaches a majority of the members\n"
    "/status   all figures, in JSON\n"
    "/config   the config in use, in JSON\n"
    "/probe?peer=ID  measures a round trip; /status has it then\n";

HttpResponse Page(int code, const char* type, std::string body) {
  return {code, type, std::make_shared<const std::string>(std::move(body))};
}

// A page and when it was made, for all who ask soon.
class Kept {
 public:
  template <typename Make>
  std::shared_ptr<const std::string> Get(absl::Time of, Make make) {
    if (page_ == nullptr || of_ != of) {
      page_ = std::make_shared<const std::string>(make());
      of_ = of;
    }
    return page_;
  }

 private:
  std::shared_ptr<const std::string> page_;
  absl::Time of_;
};

class AdminServerOnHttp final : public AdminServer {
 public:
  AdminServerOnHttp(Server& server, const AdminOptions& options)
      : server_(server), options_(options) {}

  absl::Status Begin() {
    if (options_.certificate_file.empty() != options_.key_file.empty()) {
      return absl::InvalidArgumentError(
          "admin: found one of certificate and key, want both or none");
    }
    HttpServer::Options http;
    http.address = options_.address;
    absl::StatusOr<cluster::Address> address = ParseAddress(options_.address);
    if (!address.ok()) return address.status();
    if (absl::Status status =
            CheckExposure(options_.address, !options_.token_file.empty());
        !status.ok()) {
      return status;
    }
    if (address->is_name()) options_.hosts.push_back(address->host);
    if (!options_.token_file.empty()) {
      if (absl::Status status = ReloadToken(); !status.ok()) return status;
    }
    if (!options_.key_file.empty()) {
      absl::StatusOr<std::string> certificate =
          ReadPublic(options_.certificate_file);
      if (!certificate.ok()) return certificate.status();
      http.certificate = *std::move(certificate);
      const absl::StatusOr<Secret> key = ReadPrivate(options_.key_file);
      if (!key.ok()) return key.status();
      http.key = std::string(key->text());
    }
    absl::StatusOr<std::unique_ptr<HttpServer>> started = HttpServer::Start(
        http, [this](const HttpRequest& request) { return Answer(request); });
    OPENSSL_cleanse(&http.key[0], http.key.size());
    if (!started.ok()) return started.status();
    http_ = *std::move(started);
    return absl::OkStatus();
  }

  std::string Address() const override { return http_->address(); }

  absl::Status ReloadToken() override {
    absl::StatusOr<Token> token = Token::Load(options_.token_file);
    if (!token.ok()) return token.status();
    MutexLock lock(&token_mutex_);
    token_ = *std::move(token);
    return absl::OkStatus();
  }

 private:
  HttpResponse Answer(const HttpRequest& request) {
    if (!HostAllowed(request.header("Host"), options_.hosts)) {
      return Page(421, kText,
                  "Host: want a number, localhost, or a name that the admin "
                  "server was given\n");
    }
    if (request.method != "GET" && request.method != "HEAD") {
      HttpResponse refused = Page(405, kText, "want GET or HEAD\n");
      refused.headers.push_back({"Allow", "GET, HEAD"});
      return refused;
    }
    if (request.path == "/healthz") return Health();
    if (request.path == "/readyz") {
      const Snapshot& snapshot = Fresh();
      return Page(snapshot.ready() ? 200 : 503, kText, ReadyPage(snapshot));
    }
    if (!Allowed(request.header("Authorization"))) {
      HttpResponse refused =
          Page(401, kText, "want the header \"Authorization: Bearer TOKEN\"\n");
      refused.headers.push_back({"WWW-Authenticate", "Bearer"});
      return refused;
    }
    return Figures(request);
  }

  HttpResponse Figures(const HttpRequest& request) {
    if (request.path == "/") return Page(200, kText, kIndex);
    if (request.path == "/probe") return Probe(request.argument("peer"));
    const Snapshot& snapshot = Fresh();
    const absl::Time of = snapshot.at;
    if (request.path == "/metrics") {
      return {200, kMetricsType,
              metrics_.Get(of, [&] { return MetricsPage(snapshot); })};
    }
    if (request.path == "/status") {
      return {200, kJson,
              status_.Get(of, [&] { return StatusPage(snapshot); })};
    }
    if (request.path == "/config") {
      return {200, kJson,
              config_.Get(of, [&] { return ConfigPage(snapshot); })};
    }
    return Page(404, kText, absl::StrCat("no such page; there are\n", kIndex));
  }

  HttpResponse Health() {
    const bool running = Fresh().running();
    return Page(running ? 200 : 503, kText, running ? "ok\n" : "stopped\n");
  }

  HttpResponse Probe(const std::string& text) {
    int peer = 0;
    if (!absl::SimpleAtoi(text, &peer))
      return Page(400, kText, "want /probe?peer=ID\n");
    const absl::Status status = server_.Probe(peer);
    if (status.ok()) return Page(202, kText, "probing\n");
    return Page(absl::IsNotFound(status) ? 404 : 409, kText,
                absl::StrCat(status.message(), "\n"));
  }

  bool Allowed(const std::string& authorization) {
    MutexLock lock(&token_mutex_);
    return !token_ || token_->Matches(authorization);
  }

  const Snapshot& Fresh() {
    const absl::Time now = MonotonicNow();
    if (now - taken_at_ < kSnapshotAge) return snapshot_;
    Snapshot snapshot;
    snapshot.at = absl::Now();
    snapshot.id = server_.Pid();
    snapshot.address = server_.Address();
    snapshot.config = server_.CurrentConfig();
    snapshot.peers = server_.Peers();
    snapshot.stats = server_.Stats();
    snapshot_ = std::move(snapshot);
    taken_at_ = now;
    return snapshot_;
  }

  Server& server_;
  AdminOptions options_;
  Mutex token_mutex_{LockRank::kLeaf};
  absl::optional<Token> token_ CLUSTER_GUARDED_BY(token_mutex_);
  // The HTTP thread's.
  absl::Time taken_at_ = absl::InfinitePast();
  Snapshot snapshot_;
  Kept metrics_;
  Kept status_;
  Kept config_;
  // Last: its thread uses the rest.
  std::unique_ptr<HttpServer> http_;
};

}  // namespace
}  // namespace internal

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(
    Server& server, const AdminOptions& options) {
  auto admin = std::make_unique<internal::AdminServerOnHttp>(server, options);
  if (absl::Status status = admin->Begin(); !status.ok()) return status;
  return admin;
}

}  // namespace cluster
