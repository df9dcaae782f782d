#include "transport/nng/secured_nodes.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tools/keys/keys.h"
#include "transport/key_files.h"
#include "transport/nng/endpoint.h"
#include "transport/nng/nng_transport.h"

namespace cluster {
namespace nng {
namespace {

std::string NewFolder() {
  const char* const base = std::getenv("TEST_TMPDIR");
  std::string path =
      absl::StrCat(base == nullptr ? "/tmp" : base, "/keysXXXXXX");
  EXPECT_NE(mkdtemp(&path[0]), nullptr) << path;
  return path;
}

}  // namespace

TestKeys::TestKeys(const std::vector<int>& ids, int starts_days_ago,
                   int validity_days)
    : ids_(ids), folder_(NewFolder()) {
  KeyRequest request;
  request.cluster = TransportConfig().cluster;
  request.server_ids = ids;
  request.folder = folder_;
  request.starts_days_ago = starts_days_ago;
  request.validity_days = validity_days;
  const absl::Status made = MakeKeys(request);
  EXPECT_TRUE(made.ok()) << made;
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
  config.server_id = id;
  config.handshake_timeout = absl::Seconds(60);
  config.security = FilesOf(id);
  return config;
}

std::unique_ptr<TestNode> StartSecured(const TransportConfig& config) {
  auto node = std::make_unique<TestNode>();
  auto transport = NewNngTransport(config);
  EXPECT_TRUE(transport.ok()) << transport.status();
  if (!transport.ok()) return nullptr;
  node->transport = *std::move(transport);
  const absl::Status started =
      node->transport->Start(&node->handler, "127.0.0.1:0");
  EXPECT_TRUE(started.ok()) << started;
  return started.ok() ? std::move(node) : nullptr;
}

void ConnectBoth(TestNode& one, int one_id, TestNode& two, int two_id) {
  EXPECT_TRUE(one.Connect(two_id, two.transport->Address()).ok());
  EXPECT_TRUE(two.Connect(one_id, one.transport->Address()).ok());
}

bool Delivers(TestNode& from, int peer, TestNode& to, const std::string& text) {
  return from.Send(peer, text) == SendResult::kSent &&
         to.handler.WaitFor(
             [&](const Recorded& r) { return r.HasFrame(text); });
}

TlsClient::TlsClient(const std::string& address,
                     const std::string& own_folder) {
  EXPECT_EQ(nng_aio_alloc(&aio_, nullptr, nullptr), 0);
  EXPECT_EQ(nng_aio_alloc(&end_aio_, nullptr, nullptr), 0);
  EXPECT_EQ(nng_tls_config_alloc(&config_, NNG_TLS_MODE_CLIENT), 0);
  nng_tls_config_auth_mode(config_, NNG_TLS_AUTH_MODE_NONE);
  if (!own_folder.empty()) {
    const auto certificate = ReadPublicFile(own_folder, kTlsCertificateFile);
    const auto key = ReadPrivateFile(own_folder, kTlsKeyFile);
    EXPECT_TRUE(certificate.ok() && key.ok());
    EXPECT_EQ(nng_tls_config_own_cert(config_, certificate->c_str(),
                                      key->c_str(), nullptr),
              0);
  }
  EXPECT_EQ(nng_stream_dialer_alloc(
                &dialer_, absl::StrCat("tls+tcp://", address).c_str()),
            0);
  EXPECT_EQ(nng_stream_dialer_set_ptr(dialer_, NNG_OPT_TLS_CONFIG, config_), 0);
  nng_stream_dialer_dial(dialer_, aio_);
  nng_aio_wait(aio_);
  EXPECT_EQ(nng_aio_result(aio_), 0);
  if (nng_aio_result(aio_) == 0) {
    stream_ = static_cast<nng_stream*>(nng_aio_get_output(aio_, 0));
    // From the start: one that began after the end would never call back.
    nng_iov segment{dropped_, sizeof dropped_};
    nng_aio_set_iov(end_aio_, 1, &segment);
    nng_stream_recv(stream_, end_aio_);
  }
}

TlsClient::~TlsClient() {
  if (stream_ != nullptr) {
    nng_stream_close(stream_);
    nng_aio_wait(end_aio_);
    nng_stream_free(stream_);
  }
  FreeDialer(dialer_);
  nng_tls_config_free(config_);
  nng_aio_free(aio_);
  nng_aio_free(end_aio_);
}

bool TlsClient::Write(absl::string_view bytes) {
  while (!bytes.empty()) {
    nng_iov segment{const_cast<char*>(bytes.data()), bytes.size()};
    nng_aio_set_iov(aio_, 1, &segment);
    nng_stream_send(stream_, aio_);
    nng_aio_wait(aio_);
    if (nng_aio_result(aio_) != 0) return false;
    bytes.remove_prefix(nng_aio_count(aio_));
  }
  return true;
}

bool TlsClient::WaitForEnd() {
  nng_aio_wait(end_aio_);
  return nng_aio_result(end_aio_) != 0;
}

}  // namespace nng
}  // namespace cluster
