// Key files of some servers, in a folder that the object removes, and TLS
// sessions with them.
//
// Not thread-safe. Errors abort.
//
//   const TestKeys keys({1, 2});
//   config.security = keys.FilesOf(1);

#ifndef CLUSTER_TRANSPORT_STREAM_TESTING_TEST_KEYS_H_
#define CLUSTER_TRANSPORT_STREAM_TESTING_TEST_KEYS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cluster/transport/stream/tls_session.h"
#include "cluster/transport/tls_material.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {
namespace stream {

class TestKeys {
 public:
  // `cluster`: "" is that of TransportConfig().
  explicit TestKeys(const std::vector<int>& ids, int starts_days_ago = 1,
                    int validity_days = 365, const std::string& cluster = "");
  ~TestKeys();
  TestKeys(const TestKeys&) = delete;
  TestKeys& operator=(const TestKeys&) = delete;

  std::string OwnFolder(int id) const;
  std::string PublicFolder(int id) const;
  // With all the others as peers.
  SecurityFiles FilesOf(int id) const;
  TransportConfig ConfigOf(int id) const;
  std::shared_ptr<const TlsMaterial> MaterialOf(int id) const;

 private:
  const std::vector<int> ids_;
  const std::string cluster_;
  std::string folder_;
};

// Aborts unless the files are good.
std::shared_ptr<const TlsMaterial> LoadMaterial(const TransportConfig& config);

// The two ends of a connection.
struct TlsPair {
  std::unique_ptr<TlsSession> dialler;
  std::unique_ptr<TlsSession> listener;

  TlsPair(std::shared_ptr<const TlsMaterial> dialling, int wanted,
          std::shared_ptr<const TlsMaterial> listening);

  // Carries each one's out() to the other, `part` bytes at a time, until both
  // are empty. Returns the plaintext that each read.
  struct Heard {
    std::string dialler;
    std::string listener;
  };
  Heard Carry(std::size_t part = SIZE_MAX);
};

// Feeds `bytes`, and returns the plaintext.
std::string Feed(TlsSession* to, absl::string_view bytes,
                 std::size_t part = SIZE_MAX);

}  // namespace stream
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_STREAM_TESTING_TEST_KEYS_H_
