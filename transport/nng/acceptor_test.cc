#include "transport/nng/acceptor.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "gtest/gtest.h"
#include "transport/nng/raw_stream.h"

namespace cluster {
namespace nng {
namespace {

struct FreeConfig {
  void operator()(nng_tls_config* config) const { nng_tls_config_free(config); }
};
using Config = std::unique_ptr<nng_tls_config, FreeConfig>;

Config NewConfig() {
  nng_tls_config* config = nullptr;
  EXPECT_EQ(nng_tls_config_alloc(&config, NNG_TLS_MODE_SERVER), 0);
  return Config(config);
}

class AcceptorTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(caretaker_.Start().ok());
    const Config first = NewConfig();
    auto acceptor =
        Acceptor::Open(&caretaker_, *ParseAddress("127.0.0.1:0"), first.get(),
                       [this](nng_stream* stream, std::uint64_t generation) {
                         nng_stream_close(stream);
                         nng_stream_free(stream);
                         std::lock_guard<std::mutex> lock(mutex_);
                         EXPECT_GE(generation, generation_);
                         generation_ = generation;
                       });
    ASSERT_TRUE(acceptor.ok()) << acceptor.status();
    acceptor_ = *std::move(acceptor);
    caretaker_.Add(acceptor_);
    acceptor_->Start();
  }

  void TearDown() override {
    acceptor_->Close();
    caretaker_.Stop();
  }

  std::uint64_t generation() {
    std::lock_guard<std::mutex> lock(mutex_);
    return generation_;
  }

  Caretaker caretaker_;
  std::shared_ptr<Acceptor> acceptor_;
  std::mutex mutex_;
  std::uint64_t generation_ = 0;  // of the latest; guarded by mutex_
};

// Nobody but the acceptor keeps a configuration that another has replaced.
TEST_F(AcceptorTest, ConfigurationsMayChangeWhileConnectionsComeIn) {
  constexpr std::uint64_t kGenerations = 20000;
  std::thread clients([this] {
    while (generation() < kGenerations) {
      RawStream client = RawStream::Dial(acceptor_->bound_address());
      ASSERT_TRUE(client.ok());
      EXPECT_TRUE(client.WaitForEnd());
    }
  });
  for (std::uint64_t i = 1; i <= kGenerations; ++i) {
    acceptor_->SetTls(NewConfig().get(), i);
  }
  clients.join();
}

}  // namespace
}  // namespace nng
}  // namespace cluster
