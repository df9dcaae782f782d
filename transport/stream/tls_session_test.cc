// TLS without a network: identities, the reasons that both sides give for a
// refusal, and hostile input.

#include "cluster/transport/stream/tls_session.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/transport/key_files.h"
#include "cluster/transport/stream/preamble.h"
#include "cluster/transport/stream/testing/test_keys.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace stream {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using State = TlsSession::State;

std::string Text(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) {
    text[i] = static_cast<char>(i * 131 + i / 251 + bytes);
  }
  return text;
}

// A client by OpenSSL itself, for behaviour that no TlsSession has.
class RawClient {
 public:
  // With the keys in `own_folder`, or none ("").
  explicit RawClient(const std::string& own_folder,
                     int version = TLS1_3_VERSION)
      : context_(SSL_CTX_new(TLS_method())) {
    SSL_CTX_set_security_level(context_.get(), 0);
    SSL_CTX_set_min_proto_version(context_.get(), version);
    SSL_CTX_set_max_proto_version(context_.get(), version);
    if (!own_folder.empty()) {
      const std::string key = absl::StrCat(own_folder, "/", kTlsKeyFile);
      const std::string certificate =
          absl::StrCat(own_folder, "/", kTlsCertificateFile);
      EXPECT_EQ(SSL_CTX_use_certificate_file(
                    context_.get(), certificate.c_str(), SSL_FILETYPE_PEM),
                1);
      EXPECT_EQ(SSL_CTX_use_PrivateKey_file(context_.get(), key.c_str(),
                                            SSL_FILETYPE_PEM),
                1);
    }
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(context_.get(), [](SSL* ssl, SSL_SESSION*) {
      ++*static_cast<int*>(SSL_get_app_data(ssl));
      return 0;
    });
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_app_data(ssl_.get(), &tickets_);
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), in_, out_);
    SSL_set_connect_state(ssl_.get());
  }

  SSL* ssl() { return ssl_.get(); }
  int tickets() const { return tickets_; }

  std::string TakeOut() {
    char* data = nullptr;
    const long bytes = BIO_get_mem_data(out_, &data);
    std::string out(data, static_cast<std::size_t>(bytes));
    (void)BIO_reset(out_);
    return out;
  }

  // Carries bytes both ways, for more rounds than a handshake takes.
  void Shake(TlsSession* with) {
    for (int i = 0; i < 10; ++i) {
      SSL_do_handshake(ssl_.get());
      char dropped[100];
      SSL_read(ssl_.get(), dropped, sizeof dropped);
      Feed(with, TakeOut());
      BIO_write(in_, with->out().bytes.data(),
                static_cast<int>(with->out().bytes.size()));
      with->Sent(with->out().bytes.size());
    }
  }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
  int tickets_ = 0;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
};

// Servers 1, 2 and 3 have keys; 1 listens, and 2 dials it.
class TlsSessionTest : public testing::Test {
 protected:
  TlsPair Pair() { return TlsPair(two(), 1, one()); }
  TlsPair OpenPair() {
    TlsPair pair = Pair();
    pair.Carry();
    EXPECT_EQ(pair.dialler->state(), State::kOpen);
    EXPECT_EQ(pair.listener->state(), State::kOpen);
    return pair;
  }

  std::shared_ptr<const TlsMaterial> one() { return one_; }
  std::shared_ptr<const TlsMaterial> two() { return two_; }

  std::unique_ptr<TlsSession> Listener() {
    return std::make_unique<TlsSession>(one(), TlsSession::Role::kListener,
                                        std::make_shared<BufferPool>());
  }
  std::unique_ptr<TlsSession> Dialler() {
    return std::make_unique<TlsSession>(two(), TlsSession::Role::kDialler,
                                        std::make_shared<BufferPool>(), 1);
  }

  // The listener refuses the dialler, and both know why.
  static void ExpectListenerRefuses(TlsPair pair, const std::string& reason,
                                    const std::string& heard) {
    pair.Carry();
    EXPECT_EQ(pair.listener->state(), State::kFailed);
    EXPECT_EQ(pair.listener->failure().kind, RefusalReason::kUnauthenticated);
    EXPECT_THAT(pair.listener->failure().reason,
                ContainsRegex("TLS handshake: " + reason));
    EXPECT_EQ(pair.listener->identity(), absl::nullopt);
    EXPECT_FALSE(pair.listener->is_refused());
    EXPECT_EQ(pair.dialler->state(), State::kFailed);
    EXPECT_TRUE(pair.dialler->is_refused());
    EXPECT_THAT(pair.dialler->failure().reason, HasSubstr(heard));
  }

  static void ExpectDiallerRefuses(TlsPair pair, const std::string& reason,
                                   const std::string& heard) {
    pair.Carry();
    EXPECT_EQ(pair.dialler->state(), State::kFailed);
    EXPECT_EQ(pair.dialler->failure().kind, RefusalReason::kUnauthenticated);
    EXPECT_THAT(pair.dialler->failure().reason,
                ContainsRegex("TLS handshake: " + reason));
    EXPECT_FALSE(pair.dialler->is_refused());
    EXPECT_EQ(pair.listener->state(), State::kFailed);
    EXPECT_TRUE(pair.listener->is_refused());
    EXPECT_THAT(pair.listener->failure().reason, HasSubstr(heard));
    EXPECT_EQ(pair.listener->failure().kind, RefusalReason::kUnauthenticated);
    EXPECT_EQ(pair.listener->identity(), absl::nullopt);
  }

  const TestKeys keys_{{1, 2, 3}};
  const std::shared_ptr<const TlsMaterial> one_ = keys_.MaterialOf(1);
  const std::shared_ptr<const TlsMaterial> two_ = keys_.MaterialOf(2);
};

TEST_F(TlsSessionTest, MembersProveWhoTheyAreAndAreHeard) {
  TlsPair pair = OpenPair();
  EXPECT_EQ(pair.listener->identity(), 2);
  EXPECT_EQ(pair.dialler->identity(), 1);
  EXPECT_EQ(one()->IdOf(pair.listener->certificate()), 2);
  pair.dialler->Write("to the listener");
  pair.listener->Write("to the dialler");
  const TlsPair::Heard heard = pair.Carry();
  EXPECT_EQ(heard.listener, "to the listener");
  EXPECT_EQ(heard.dialler, "to the dialler");
}

TEST_F(TlsSessionTest, AnyReadSizeGivesTheSame) {
  const std::string text = Text(50000);
  for (std::size_t part : {1u, 2u, 3u, 5u, 7u, 100u, 4096u, 16384u, 65536u}) {
    TlsPair pair = Pair();
    pair.Carry(part);
    ASSERT_EQ(pair.listener->identity(), 2) << part;
    ASSERT_EQ(pair.dialler->identity(), 1) << part;
    pair.dialler->Write("first");
    pair.dialler->Write(text);
    EXPECT_TRUE(pair.Carry(part).listener == "first" + text) << part;
  }
}

TEST_F(TlsSessionTest, EverySplitIntoTwoReadsGivesTheSame) {
  TlsPair pair = OpenPair();
  for (std::size_t at = 0; at < 400; ++at) {
    pair.dialler->Write(Text(300));
    pair.dialler->Write("second");
    const std::string wire(pair.dialler->out().bytes);
    pair.dialler->Sent(wire.size());
    const std::string first = Feed(pair.listener.get(), wire.substr(0, at));
    const std::size_t rest = std::min(at, wire.size());
    ASSERT_EQ(first + Feed(pair.listener.get(), wire.substr(rest)),
              Text(300) + "second")
        << at;
  }
}

TEST_F(TlsSessionTest, WhatWaitsIsSentInAnyPortions) {
  TlsPair pair = OpenPair();
  std::string expected;
  std::string heard;
  for (std::size_t i = 0; i < 300; ++i) {
    const std::string text = Text(i * 17 % 5000);
    expected += text;
    pair.dialler->Write(text);
    const std::string some(pair.dialler->out().bytes.substr(0, 3000));
    pair.dialler->Sent(some.size());
    heard += Feed(pair.listener.get(), some);
  }
  heard += pair.Carry().listener;
  EXPECT_TRUE(heard == expected);
  EXPECT_TRUE(pair.dialler->out().bytes.empty());
}

TEST_F(TlsSessionTest, AnUnknownCertificateIsRefused) {
  const TestKeys foreign({1, 2});
  TransportConfig config = foreign.ConfigOf(2);
  config.security->peers[1] = keys_.PublicFolder(1);
  ExpectListenerRefuses(TlsPair(LoadMaterial(config), 1, one()),
                        "its certificate \\(server-2.cluster\\) is unknown",
                        "does not take this server's certificate: unknown");
}

TEST_F(TlsSessionTest, AnotherClustersCertificateIsRefused) {
  const TestKeys foreign({1, 2}, 1, 365, "another");
  TransportConfig config = foreign.ConfigOf(2);
  config.security->peers[1] = keys_.PublicFolder(1);
  ExpectListenerRefuses(TlsPair(LoadMaterial(config), 1, one()),
                        "its certificate is of another cluster: it is made out "
                        "to server-2.another, and this server is "
                        "server-1.cluster",
                        "certificate: of another cluster");
}

// The client stands for a server whose pinned certificate was valid when it
// started, by its own clock.
TEST_F(TlsSessionTest, ACertificateOutOfItsTimeIsRefused) {
  const TestKeys expired({2}, /*starts_days_ago=*/20, /*validity_days=*/10);
  const TestKeys early({2}, /*starts_days_ago=*/-20);
  for (const TestKeys* keys : {&expired, &early}) {
    TransportConfig trusting = keys_.ConfigOf(1);
    trusting.security->peers[2] = keys->PublicFolder(2);
    TlsSession listener(LoadMaterial(trusting), TlsSession::Role::kListener,
                        std::make_shared<BufferPool>());
    RawClient client(keys->OwnFolder(2));
    client.Shake(&listener);
    EXPECT_EQ(listener.state(), State::kFailed);
    EXPECT_EQ(listener.failure().kind, RefusalReason::kUnauthenticated);
    EXPECT_THAT(listener.failure().reason,
                ContainsRegex("\\(server-2.cluster\\) .*20..-..-.. ..:..:.. "
                              "UTC"));
  }
}

TEST_F(TlsSessionTest, ADiallerRefusesAnotherServerThanItWanted) {
  ExpectDiallerRefuses(TlsPair(two(), 3, one()),
                       "its certificate is server 1's, and server 3 was "
                       "dialled",
                       "of another server than it wanted");
}

TEST_F(TlsSessionTest, ADiallerRefusesAnUnknownServer) {
  const TestKeys foreign({1});
  TransportConfig config = keys_.ConfigOf(2);
  config.security->peers[1] = foreign.PublicFolder(1);
  ExpectDiallerRefuses(TlsPair(LoadMaterial(config), 1, one()),
                       "its certificate \\(server-1.cluster\\) is unknown",
                       "certificate: unknown");
}

TEST_F(TlsSessionTest, AServersOwnKeysElsewhereAreRefused) {
  const auto listener = Listener();
  RawClient client(keys_.OwnFolder(1));
  client.Shake(listener.get());
  EXPECT_EQ(listener->state(), State::kFailed);
  EXPECT_THAT(listener->failure().reason, HasSubstr("of this server itself"));
}

TEST_F(TlsSessionTest, WhoHasNoCertificateIsRefused) {
  const auto listener = Listener();
  RawClient client("");
  client.Shake(listener.get());
  EXPECT_EQ(listener->state(), State::kFailed);
  EXPECT_EQ(listener->failure().reason, "TLS handshake: it has no certificate");
}

TEST_F(TlsSessionTest, OlderVersionsAreRefused) {
  for (int version : {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION}) {
    const auto listener = Listener();
    RawClient client(keys_.OwnFolder(2), version);
    client.Shake(listener.get());
    EXPECT_EQ(listener->state(), State::kFailed) << version;
    EXPECT_EQ(listener->failure().kind, RefusalReason::kUnauthenticated);
    EXPECT_EQ(listener->failure().reason,
              "TLS handshake: it does not speak TLS 1.3");
  }
}

TEST_F(TlsSessionTest, NoTicketsAreGiven) {
  const auto listener = Listener();
  RawClient client(keys_.OwnFolder(2));
  client.Shake(listener.get());
  EXPECT_EQ(listener->identity(), 2);
  EXPECT_EQ(client.tickets(), 0);
}

TEST_F(TlsSessionTest, PlaintextIsToldThatTlsIsWanted) {
  for (std::size_t part : {1u, 100u}) {
    const auto listener = Listener();
    EXPECT_EQ(Feed(listener.get(), std::string(Preamble()) + "frames", part),
              "");
    EXPECT_EQ(listener->failure().kind, RefusalReason::kUnauthenticated);
    EXPECT_EQ(listener->failure().reason,
              "it speaks plaintext, and this server is secured");
    EXPECT_THAT(RefusalIn(listener->out().bytes),
                HasSubstr("takes no plaintext"));
  }
}

TEST_F(TlsSessionTest, ADiallerReadsWhyAPlaintextListenerRefusesIt) {
  for (std::size_t part : {1u, 100u}) {
    const auto dialler = Dialler();
    Feed(dialler.get(), AnswerText(Answer::kHasNoTls), part);
    EXPECT_EQ(dialler->failure().kind, RefusalReason::kUnauthenticated);
    EXPECT_THAT(dialler->failure().reason, HasSubstr("takes no TLS"));
  }
  // An answer that accepts must not lead to plaintext.
  const auto dialler = Dialler();
  Feed(dialler.get(), Preamble());
  EXPECT_EQ(dialler->state(), State::kFailed);
  EXPECT_THAT(dialler->failure().reason, HasSubstr("accepts in plaintext"));
}

TEST_F(TlsSessionTest, WhatIsNeitherTlsNorOursIsMalformed) {
  for (const char* text : {"GET / HTTP/1.1\r\n\r\n", "CONNECT a:1", "C", "x"}) {
    for (const bool listens : {true, false}) {
      const auto session = listens ? Listener() : Dialler();
      Feed(session.get(), text, 1);
      if (std::string(text) == "C") {
        EXPECT_EQ(session->state(), State::kHandshake);  // it may become ours
        continue;
      }
      EXPECT_EQ(session->state(), State::kFailed) << text;
      EXPECT_EQ(session->failure().kind, RefusalReason::kMalformed) << text;
      EXPECT_EQ(session->failure().reason,
                "it speaks neither TLS nor this protocol");
    }
  }
}

// Changes each byte of the dialler's last records, which are of the handshake
// and of a text. The listener must never read a text that was not written.
TEST_F(TlsSessionTest, AnyChangedByteEndsTheSession) {
  std::size_t bytes = 0;
  for (std::size_t at = 0; at == 0 || at < bytes; ++at) {
    TlsPair pair = Pair();
    const std::string hello(pair.dialler->out().bytes);
    pair.dialler->Sent(hello.size());
    Feed(pair.listener.get(), hello);
    const std::string answer(pair.listener->out().bytes);
    pair.listener->Sent(answer.size());
    Feed(pair.dialler.get(), answer);
    pair.dialler->Write("secret");
    std::string last(pair.dialler->out().bytes);
    bytes = last.size();  // varies with the signature's
    if (at >= bytes) break;
    last[at] = static_cast<char>(last[at] ^ (1 << at % 8));
    const std::string heard = Feed(pair.listener.get(), last);
    EXPECT_NE(heard, "secret") << at;
    EXPECT_EQ(heard, "") << at;
  }
  EXPECT_GT(bytes, 500u);
}

TEST_F(TlsSessionTest, TruncationsDeliverNothingAndEndNothing) {
  TlsPair pair = OpenPair();
  pair.dialler->Write("whole");
  const std::string wire(pair.dialler->out().bytes);
  EXPECT_EQ(Feed(pair.listener.get(), wire.substr(0, wire.size() - 1)), "");
  EXPECT_EQ(pair.listener->state(), State::kOpen);
  EXPECT_EQ(Feed(pair.listener.get(), wire.substr(wire.size() - 1)), "whole");
}

TEST_F(TlsSessionTest, AReplayIsNotTaken) {
  TlsPair pair = OpenPair();
  pair.dialler->Write("once");
  const std::string wire(pair.dialler->out().bytes);
  EXPECT_EQ(Feed(pair.listener.get(), wire + wire), "once");
  EXPECT_EQ(pair.listener->state(), State::kFailed);
  EXPECT_THAT(pair.listener->failure().reason, HasSubstr("does not decrypt"));
  EXPECT_EQ(pair.listener->failure().kind, RefusalReason::kMalformed);
  // Later bytes are taken and dropped.
  EXPECT_EQ(Feed(pair.listener.get(), Text(100000)), "");
}

TEST_F(TlsSessionTest, GarbageInsideOfARecordIsMalformed) {
  const std::string garbage =
      std::string("\x16\x03\x01\x01\x01", 5) + std::string(600, 'g');
  for (const bool listens : {true, false}) {
    const auto session = listens ? Listener() : Dialler();
    Feed(session.get(), garbage);
    EXPECT_EQ(session->state(), State::kFailed);
    EXPECT_EQ(session->failure().kind, RefusalReason::kMalformed)
        << session->failure().reason;
    EXPECT_THAT(session->failure().reason, HasSubstr("no TLS handshake"));
  }
}

TEST_F(TlsSessionTest, AlertsInPlaintextEndAHandshakeAndNothingLater) {
  for (int alert : {0, 10, 42, 48, 90, 255}) {
    std::string record("\x15\x03\x03\x00\x02\x02", 6);
    record += static_cast<char>(alert);
    const auto dialler = Dialler();
    Feed(dialler.get(), record);
    EXPECT_NE(dialler->state(), State::kOpen) << alert;
    EXPECT_NE(dialler->failure().reason, "") << alert;
    // Anybody could have put the alert into an open stream, so it counts as
    // garbage.
    TlsPair pair = OpenPair();
    Feed(pair.listener.get(), record);
    EXPECT_EQ(pair.listener->state(), State::kFailed) << alert;
    EXPECT_THAT(pair.listener->failure().reason, HasSubstr("does not decrypt"));
  }
}

TEST_F(TlsSessionTest, ACloseNotifyIsTheEnd) {
  const auto listener = Listener();
  RawClient client(keys_.OwnFolder(2));
  client.Shake(listener.get());
  SSL_write(client.ssl(), "last", 4);
  SSL_shutdown(client.ssl());
  EXPECT_EQ(Feed(listener.get(), client.TakeOut() + "and more"), "last");
  EXPECT_EQ(listener->state(), State::kEnded);
}

TEST_F(TlsSessionTest, SmallRecordsAreTakenAndRecordsWithoutContentAreBounded) {
  TlsPair pair = OpenPair();
  std::string expected;
  for (int i = 0; i < 10000; ++i) {
    pair.dialler->Write("s");
    expected += 's';
  }
  EXPECT_TRUE(pair.Carry().listener == expected);
  EXPECT_EQ(pair.listener->state(), State::kOpen);

  const auto listener = Listener();
  RawClient client(keys_.OwnFolder(2));
  client.Shake(listener.get());
  ASSERT_EQ(listener->identity(), 2);
  std::size_t sent = 0;
  while (listener->state() == State::kOpen && sent < 1 << 20) {
    SSL_key_update(client.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED);
    SSL_do_handshake(client.ssl());
    const std::string record = client.TakeOut();
    sent += record.size();
    Feed(listener.get(), record);
  }
  EXPECT_EQ(listener->state(), State::kFailed);
  EXPECT_THAT(listener->failure().reason, HasSubstr("without content"));
  EXPECT_LE(sent, 2 * TlsSession::kUnproductiveBytesMax);
}

// Each key update asks for an answer, and a byte of content follows it.
TEST_F(TlsSessionTest, AnswersThatNobodyReadsAreBounded) {
  const auto listener = Listener();
  RawClient client(keys_.OwnFolder(2));
  client.Shake(listener.get());
  std::size_t most = 0;
  for (int i = 0; i < 20000 && listener->state() == State::kOpen; ++i) {
    SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(client.ssl());
    SSL_write(client.ssl(), "x", 1);
    Feed(listener.get(), client.TakeOut());
    most = std::max(most, listener->out().bytes.size());
  }
  EXPECT_LE(most, 512u << 10);
  if (listener->state() == State::kFailed) {
    EXPECT_THAT(listener->failure().reason, HasSubstr("does not read them"));
  } else {
    EXPECT_LE(most, 4096u);
  }
}

TEST_F(TlsSessionTest, AnEndlessHandshakeIsBounded) {
  const auto listener = Listener();
  // A ClientHello of 16 MiB, one record after the other.
  std::string record("\x16\x03\x01\x40\x00", 5);
  std::string begin("\x01\xff\xff\xff\x03\x03", 6);
  std::size_t fed = 0;
  while (listener->state() == State::kHandshake && fed < 1 << 20) {
    const std::string body = begin + std::string((16 << 10) - begin.size(), 0);
    begin.clear();
    Feed(listener.get(), record + body);
    fed += record.size() + body.size();
  }
  EXPECT_EQ(listener->state(), State::kFailed);
  EXPECT_EQ(listener->failure().kind, RefusalReason::kMalformed);
  EXPECT_LE(fed, 2 * TlsSession::kUnproductiveBytesMax);
}

TEST_F(TlsSessionTest, KeysAreChangedLongBeforeTheirLimit) {
  TlsPair pair = OpenPair();
  std::size_t heard = 0;
  char room[64 << 10];
  std::size_t usual = 0;
  std::size_t changes = 0;
  const std::size_t records = TlsSession::kRecordsPerKey + 10;
  for (std::size_t i = 0; i < records; ++i) {
    pair.dialler->Write("k");
    const std::string wire(pair.dialler->out().bytes);
    pair.dialler->Sent(wire.size());
    if (usual == 0) usual = wire.size();
    if (wire.size() > usual) ++changes;
    absl::string_view in = wire;
    heard += pair.listener->Read(&in, absl::MakeSpan(room));
  }
  EXPECT_EQ(heard, records);
  EXPECT_EQ(changes, 1u);
  EXPECT_EQ(pair.listener->state(), State::kOpen);
}

TEST_F(TlsSessionTest, AnIdleSessionHoldsNoBuffer) {
  auto pool = std::make_shared<BufferPool>();
  TlsSession dialler(two(), TlsSession::Role::kDialler, pool, 1);
  EXPECT_EQ(pool->free_bytes(), 0u);
  dialler.Sent(dialler.out().bytes.size());
  EXPECT_GT(pool->free_bytes(), 0u);  // given back
}

}  // namespace
}  // namespace stream
}  // namespace cluster::internal
