// Measures the cost of a secured server: descriptors for itself and for each
// peer, and memory for each connection of a stranger. It prints the figures and
// asserts none, since they depend on the machine.

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <chrono>
#include <cstddef>
#include <iostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "cluster/transport/zmq/testing/raw_tcp.h"
#include "gtest/gtest.h"
#include "tests/harness/event_log.h"
#include "tests/harness/process_resources.h"
#include "tests/harness/test_cluster.h"

namespace cluster::internal {
namespace {

constexpr int kStrangers = 200;  // fewer than nng lets in unproven
constexpr std::chrono::seconds kPatience{60};

constexpr std::size_t kAnswerBytes = 64;  // at least

// Bytes to which a server answers a stranger without keys, who is silent then.
std::string Greeting() {
  if (absl::string_view(SECURITY_BACKEND) == "zmq") {
    std::string greeting(64, '\0');  // ZMTP's, with CURVE
    greeting[0] = '\xff';
    greeting[9] = '\x7f';
    greeting[10] = 3;
    greeting.replace(12, 5, "CURVE");
    return greeting;
  }
  // OpenSSL's ClientHello.
  SSL_CTX* const context = SSL_CTX_new(TLS_method());
  SSL* const ssl = SSL_new(context);
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
  SSL_connect(ssl);
  char* data = nullptr;
  const long bytes = BIO_get_mem_data(out, &data);
  const std::string hello(data, static_cast<std::size_t>(bytes));
  SSL_free(ssl);
  SSL_CTX_free(context);
  return hello;
}

// Runs `servers` servers, and calls `then` with them.
template <typename Then>
void WithServers(int servers, EventLog* log, const Then& then) {
  ClusterSpec spec;
  spec.config.transport = SECURITY_BACKEND;
  spec.config.handshake_timeout = absl::Minutes(10);
  spec.ids = FirstIds(servers);
  spec.secured = true;
  spec.on_event = log->Sink();
  spec.on_envelope = [](int, const EnvelopeView&) {};
  TestCluster cluster(std::move(spec));
  ASSERT_TRUE(cluster.Start());
  ASSERT_TRUE(log->WaitUntilAllUp(cluster.ids()));
  then(&cluster);
}

std::size_t DescriptorsWith(int servers) {
  EventLog log;
  const std::size_t before = CountResources().descriptors;
  std::size_t with = 0;
  WithServers(servers, &log,
              [&](TestCluster*) { with = CountResources().descriptors; });
  return with - before;
}

TEST(FootprintTest, DescriptorsOfAServerAndOfAPeer) {
  DescriptorsWith(1);  // opens those that a backend keeps for the process
  const std::size_t alone = DescriptorsWith(1);
  const std::size_t four = DescriptorsWith(4);
  std::cout << SECURITY_BACKEND << ": a server needs " << alone
            << " descriptors, and for each peer "
            << static_cast<double>(four - 4 * alone) / (4 * 3) << "\n";
}

TEST(FootprintTest, MemoryOfAStrangersConnection) {
  EventLog log;
  WithServers(1, &log, [](TestCluster* cluster) {
    std::vector<RawTcp> strangers;
    const std::size_t descriptors = CountResources().descriptors;
    const std::size_t before = ResidentBytes();
    for (int i = 0; i < kStrangers; ++i)
      strangers.push_back(RawTcp::Connect(cluster->address(1)));
    // Both ends are in this process.
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (CountResources().descriptors < descriptors + 2 * kStrangers) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
    const std::size_t silent = ResidentBytes();
    std::cout << SECURITY_BACKEND << ": a connection that is silent takes "
              << (silent - before) / kStrangers << " bytes\n";
    for (RawTcp& stranger : strangers) {
      stranger.Write(Greeting());
      EXPECT_TRUE(stranger.Skip(kAnswerBytes));
    }
    std::cout << "one that has greeted takes "
              << (ResidentBytes() - before) / kStrangers << " bytes\n";
  });
}

}  // namespace
}  // namespace cluster::internal
