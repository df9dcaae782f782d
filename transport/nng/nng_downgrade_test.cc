// Whoever would rather have an older or weaker TLS, with keys that are good: a
// secured server has no connection with it, either way.

#include <openssl/ssl.h>

#include <algorithm>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "transport/contract/recording_handler.h"
#include "transport/key_files.h"
#include "transport/nng/raw_stream.h"
#include "transport/nng/secured_nodes.h"

namespace cluster {
namespace nng {
namespace {

constexpr char kMessage[] = "hello";

struct Offer {
  const char* name;
  int version_max;
  const char* ciphers;
};

void PrintTo(const Offer& offer, std::ostream* out) { *out << offer.name; }

constexpr Offer kGood = {"good", TLS1_2_VERSION,
                         "ECDHE-ECDSA-AES128-GCM-SHA256"};

// OpenSSL takes them at its lowest level only.
constexpr Offer kBad[] = {
    {"tls10", TLS1_VERSION, "ALL:@SECLEVEL=0"},
    {"tls11", TLS1_1_VERSION, "ALL:@SECLEVEL=0"},
    {"anonymous", TLS1_2_VERSION, "aNULL:!eNULL:@SECLEVEL=0"},
    {"no_cipher", TLS1_2_VERSION, "ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0"},
};

// One end of a TLS connection, done by another library, that takes whatever the
// other end shows.
class TlsEnd {
 public:
  TlsEnd(const Offer& offer, const std::string& own_folder)
      : context_(SSL_CTX_new(TLS_method())) {
    const std::string key = absl::StrCat(own_folder, "/", kTlsKeyFile);
    const std::string certificate =
        absl::StrCat(own_folder, "/", kTlsCertificateFile);
    EXPECT_EQ(SSL_CTX_set_cipher_list(context_.get(), offer.ciphers), 1);
    EXPECT_EQ(SSL_CTX_set_min_proto_version(context_.get(), 0), 1);
    EXPECT_EQ(SSL_CTX_set_max_proto_version(context_.get(), offer.version_max),
              1);
    SSL_CTX_set_dh_auto(context_.get(), 1);
    EXPECT_EQ(
        SSL_CTX_use_certificate_chain_file(context_.get(), certificate.c_str()),
        1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey_file(context_.get(), key.c_str(),
                                          SSL_FILETYPE_PEM),
              1);
  }

  // Whether the handshake went well and `kMessage` could be read after it.
  bool Accept(const RawStream& stream) {
    char got[sizeof(kMessage)];
    return Shake(stream, SSL_accept) &&
           SSL_read(ssl_.get(), got, sizeof(got)) > 0;
  }

  // Whether the handshake went well and `kMessage` could be written after it.
  bool Connect(const RawStream& stream) {
    return Shake(stream, SSL_connect) &&
           SSL_write(ssl_.get(), kMessage, sizeof(kMessage)) > 0;
  }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  bool Shake(const RawStream& stream, int (*shake)(SSL*)) {
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), stream.fd());
    return shake(ssl_.get()) == 1;
  }

  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
};

// 1 runs; the other one has the keys of 2.
class NngDowngradeTest : public testing::TestWithParam<Offer> {
 protected:
  void SetUp() override {
    one_ = StartSecured(keys_.ConfigOf(1));
    ASSERT_NE(one_, nullptr);
  }

  bool ConnectTo(const std::string& address, const Offer& offer) {
    const RawStream stream = RawStream::Dial(address);
    EXPECT_TRUE(stream.ok());
    return TlsEnd(offer, keys_.OwnFolder(2)).Connect(stream);
  }

  bool AcceptAt(RawListener* listener, const Offer& offer) {
    const RawStream stream = listener->Accept();
    EXPECT_TRUE(stream.ok());
    return TlsEnd(offer, keys_.OwnFolder(2)).Accept(stream);
  }

  const TestKeys keys_{{1, 2}};
  std::unique_ptr<TestNode> one_;
};

// So that what follows is refused for what it is.
TEST_P(NngDowngradeTest, TheOtherLibraryDoesIt) {
  for (const Offer& offer : {kGood, GetParam()}) {
    RawListener listener;
    bool accepted = false;
    std::thread server([&] { accepted = AcceptAt(&listener, offer); });
    EXPECT_TRUE(ConnectTo(listener.address(), offer)) << offer.name;
    server.join();
    EXPECT_TRUE(accepted) << offer.name;
  }
}

TEST_P(NngDowngradeTest, AClientIsRefused) {
  EXPECT_TRUE(ConnectTo(one_->transport->Address(), kGood));
  EXPECT_FALSE(ConnectTo(one_->transport->Address(), GetParam()));
  EXPECT_TRUE(one_->handler.WaitFor([](const Recorded& r) {
    return std::any_of(
        r.rejections.begin(), r.rejections.end(),
        [](const Rejection& rejection) {
          return rejection.kind == RejectionKind::kUnauthenticated &&
                 absl::StrContains(rejection.reason, "TLS handshake");
        });
  }));
}

TEST_P(NngDowngradeTest, AServerIsNotSpokenTo) {
  RawListener listener;
  ASSERT_TRUE(one_->Connect(2, listener.address()).ok());
  EXPECT_EQ(one_->Send(2, "a secret"), SendResult::kSent);
  EXPECT_FALSE(AcceptAt(&listener, GetParam()));
  EXPECT_TRUE(one_->handler.WaitForDisconnected(2));
  ASSERT_TRUE(one_->handler.WaitForRejection(RejectionKind::kUnauthenticated));
  EXPECT_EQ(one_->handler.Get().rejections[0].peer, 2);
  EXPECT_TRUE(one_->handler.Get().connected.empty());
  // The same with nothing wrong: then it is spoken to.
  EXPECT_TRUE(AcceptAt(&listener, kGood));
}

INSTANTIATE_TEST_SUITE_P(Offers, NngDowngradeTest, testing::ValuesIn(kBad),
                         [](const testing::TestParamInfo<Offer>& info) {
                           return std::string(info.param.name);
                         });

}  // namespace
}  // namespace nng
}  // namespace cluster
