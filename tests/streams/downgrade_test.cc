// A secured server refuses peers that want an older or weaker TLS, although
// their keys are good, whether it listens or dials.

#include <openssl/ssl.h>

#include <algorithm>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "cluster/transport/contract/recording_handler.h"
#include "cluster/transport/stream/preamble.h"
#include "cluster/transport/stream/testing/raw_stream.h"
#include "cluster/transport/stream/testing/tls_end.h"
#include "gtest/gtest.h"
#include "tests/streams/secured_nodes.h"

namespace cluster::internal {
namespace streams {
namespace {

using stream::RawListener;
using stream::RawStream;
using stream::TlsEnd;

struct Offer {
  const char* name;
  int version;
  const char* ciphers;
};

void PrintTo(const Offer& offer, std::ostream* out) { *out << offer.name; }

constexpr Offer kGood = {"good", TLS1_3_VERSION, "ALL"};

constexpr Offer kBad[] = {
    {"tls10", TLS1_VERSION, "ALL"},
    {"tls11", TLS1_1_VERSION, "ALL"},
    {"tls12", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {"anonymous", TLS1_2_VERSION, "aNULL:!eNULL"},
    {"no_cipher", TLS1_2_VERSION, "ECDHE-ECDSA-NULL-SHA"},
};

// Whether greetings pass both ways.
bool ConnectAndHear(const std::string& own_folder, const std::string& address,
                    const Offer& offer) {
  TlsEnd end(own_folder);
  end.SetVersion(offer.version);
  end.SetCiphers(offer.ciphers);
  RawStream stream = RawStream::Dial(address);
  EXPECT_TRUE(stream.ok());
  return end.Connect(std::move(stream)) && end.Write(stream::Preamble()) &&
         end.Hears(stream::Preamble());
}

bool AcceptAndHear(const std::string& own_folder, RawListener* listener,
                   const Offer& offer) {
  TlsEnd end(own_folder);
  end.SetVersion(offer.version);
  end.SetCiphers(offer.ciphers);
  RawStream stream = listener->Accept();
  EXPECT_TRUE(stream.ok());
  if (!end.Accept(std::move(stream)) || !end.Hears(stream::Preamble()) ||
      !end.Write(stream::Preamble())) {
    return false;
  }
  end.WaitForEnd();
  return true;
}

// Server 1 runs; the peer has the keys of server 2.
class DowngradeTest : public testing::TestWithParam<Offer> {
 protected:
  void SetUp() override {
    one_ = StartSecured(keys_.ConfigOf(1));
    ASSERT_NE(one_, nullptr);
  }

  const stream::TestKeys keys_{{1, 2}};
  std::unique_ptr<TestNode> one_;
};

// OpenSSL itself takes each offer, so the refusals below are this library's.
TEST_P(DowngradeTest, TheOtherLibraryDoesIt) {
  for (const Offer& offer : {kGood, GetParam()}) {
    RawListener listener;
    bool accepted = false;
    std::thread server([&] {
      accepted = AcceptAndHear(keys_.OwnFolder(2), &listener, offer);
    });
    EXPECT_TRUE(ConnectAndHear(keys_.OwnFolder(1), listener.address(), offer))
        << offer.name;
    server.join();
    EXPECT_TRUE(accepted) << offer.name;
  }
}

TEST_P(DowngradeTest, AClientIsRefused) {
  const std::string address = one_->transport->Address();
  EXPECT_TRUE(ConnectAndHear(keys_.OwnFolder(2), address, kGood));
  EXPECT_FALSE(ConnectAndHear(keys_.OwnFolder(2), address, GetParam()));
  EXPECT_TRUE(one_->handler.WaitFor([](const Recorded& r) {
    return std::any_of(
        r.rejections.begin(), r.rejections.end(),
        [](const Rejection& rejection) {
          return rejection.kind == RefusalReason::kUnauthenticated &&
                 absl::StrContains(rejection.reason,
                                   "TLS handshake: it does not speak TLS 1.3");
        });
  }));
}

TEST_P(DowngradeTest, AServerIsNotSpokenTo) {
  RawListener listener;
  ASSERT_TRUE(one_->Connect(2, listener.address()).ok());
  EXPECT_EQ(one_->Send(2, "a secret"), SendResult::kSent);
  EXPECT_FALSE(AcceptAndHear(keys_.OwnFolder(2), &listener, GetParam()));
  EXPECT_TRUE(one_->handler.WaitForDisconnected(2));
  ASSERT_TRUE(one_->handler.WaitForRejection(RefusalReason::kUnauthenticated));
  EXPECT_EQ(one_->handler.Get().rejections[0].peer, 2);
  EXPECT_TRUE(absl::StrContains(one_->handler.Get().rejections[0].reason,
                                "does not speak TLS 1.3"))
      << one_->handler.Get().rejections[0];
  EXPECT_TRUE(one_->handler.Get().connected.empty());
  // With a good offer it connects.
  std::thread server([&] {
    EXPECT_TRUE(AcceptAndHear(keys_.OwnFolder(2), &listener, kGood));
  });
  EXPECT_TRUE(one_->handler.WaitForConnected(2));
  one_->transport->Disconnect(2);
  server.join();
}

INSTANTIATE_TEST_SUITE_P(Offers, DowngradeTest, testing::ValuesIn(kBad),
                         [](const testing::TestParamInfo<Offer>& info) {
                           return std::string(info.param.name);
                         });

}  // namespace
}  // namespace streams
}  // namespace cluster::internal
