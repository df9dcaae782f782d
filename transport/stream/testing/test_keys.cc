#include "cluster/transport/stream/testing/test_keys.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"
#include "programs/keygen/keys.h"

namespace cluster::internal {
namespace stream {
namespace {

std::string NewFolder() {
  const char* const base = std::getenv("TEST_TMPDIR");
  std::string path =
      absl::StrCat(base == nullptr ? "/tmp" : base, "/keysXXXXXX");
  CLUSTER_CHECK(mkdtemp(&path[0]) != nullptr, "no folder for keys");
  return path;
}

}  // namespace

TestKeys::TestKeys(const std::vector<int>& ids, int starts_days_ago,
                   int validity_days, const std::string& cluster)
    : ids_(ids),
      cluster_(cluster.empty() ? TransportConfig().cluster : cluster),
      folder_(NewFolder()) {
  KeyRequest request;
  request.cluster = cluster_;
  request.server_ids = ids;
  request.folder = folder_;
  request.starts_days_ago = starts_days_ago;
  request.validity_days = validity_days;
  CLUSTER_CHECK(MakeKeys(request).ok(), "no keys");
}

TestKeys::~TestKeys() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string TestKeys::OwnFolder(int id) const {
  return absl::StrCat(folder_, "/", id);
}

std::string TestKeys::PublicFolder(int id) const {
  return absl::StrCat(folder_, "/public/", id);
}

SecurityFiles TestKeys::FilesOf(int id) const {
  SecurityFiles files;
  files.identity = OwnFolder(id);
  for (const int peer : ids_) files.peers[peer] = PublicFolder(peer);
  return files;
}

TransportConfig TestKeys::ConfigOf(int id) const {
  TransportConfig config;
  config.cluster = cluster_;
  config.server_id = id;
  config.handshake_timeout = absl::Seconds(60);
  config.security = FilesOf(id);
  return config;
}

std::shared_ptr<const TlsMaterial> TestKeys::MaterialOf(int id) const {
  return LoadMaterial(ConfigOf(id));
}

std::shared_ptr<const TlsMaterial> LoadMaterial(const TransportConfig& config) {
  auto material =
      TlsMaterial::Load(*config.security, config.cluster, config.server_id);
  CLUSTER_CHECK(material.ok(), material.status().ToString().c_str());
  return *std::move(material);
}

TlsPair::TlsPair(std::shared_ptr<const TlsMaterial> dialling, int wanted,
                 std::shared_ptr<const TlsMaterial> listening) {
  auto pool = std::make_shared<BufferPool>();
  dialler = std::make_unique<TlsSession>(
      std::move(dialling), TlsSession::Role::kDialler, pool, wanted);
  listener = std::make_unique<TlsSession>(std::move(listening),
                                          TlsSession::Role::kListener, pool);
}

TlsPair::Heard TlsPair::Carry(std::size_t part) {
  Heard heard;
  while (!dialler->out().bytes.empty() || !listener->out().bytes.empty()) {
    std::string bytes(dialler->out().bytes);
    dialler->Sent(bytes.size());
    heard.listener += Feed(listener.get(), bytes, part);
    bytes = std::string(listener->out().bytes);
    listener->Sent(bytes.size());
    heard.dialler += Feed(dialler.get(), bytes, part);
  }
  return heard;
}

std::string Feed(TlsSession* to, absl::string_view bytes, std::size_t part) {
  std::string heard;
  char room[1000];  // less than a record
  while (!bytes.empty()) {
    absl::string_view in = bytes.substr(0, part);
    bytes.remove_prefix(in.size());
    while (const std::size_t got = to->Read(&in, absl::MakeSpan(room))) {
      heard.append(room, got);
    }
    CLUSTER_CHECK(in.empty(), "the session left bytes");
  }
  return heard;
}

}  // namespace stream
}  // namespace cluster::internal
