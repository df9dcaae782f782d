// Abuse of a secured listener from outside, a test for each kind in the table
// of docs/security.md. Each checks the listener's event, and that a good peer
// connects meanwhile. All abuse comes from an address of its own.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cluster/transport/contract/recording_handler.h"
#include "cluster/transport/stream/preamble.h"
#include "cluster/transport/stream/testing/raw_stream.h"
#include "cluster/transport/stream/testing/test_keys.h"
#include "cluster/transport/stream/testing/tls_end.h"
#include "gtest/gtest.h"
#include "tests/streams/secured_nodes.h"

namespace cluster::internal {
namespace streams {
namespace {

using stream::Preamble;
using stream::RawStream;
using stream::TestKeys;
using stream::TlsEnd;

constexpr absl::Duration kTimeout = absl::Seconds(2);

// Servers 1, 2 and 3 have keys; 1 listens. The certificate of 4 has expired.
struct Field {
  const TestKeys keys{{1, 2, 3}};
  const TestKeys foreign{{1, 3}};
  const TestKeys another{{3}, 1, 365, "another"};
  const TestKeys expired{{4}, /*starts_days_ago=*/20, /*validity_days=*/10};
  std::unique_ptr<TestNode> one;
  // Connections that are held until the end.
  std::vector<RawStream> streams;
  std::vector<std::unique_ptr<TlsEnd>> ends;

  // From 127.0.0.2, while good peers come from 127.0.0.1.
  RawStream Dial() {
    RawStream stream = RawStream::Unconnected();
    sockaddr_in from{};
    from.sin_family = AF_INET;
    inet_pton(AF_INET, "127.0.0.2", &from.sin_addr);
    EXPECT_EQ(
        bind(stream.fd(), reinterpret_cast<sockaddr*>(&from), sizeof from), 0);
    EXPECT_TRUE(stream.DialWith(one->transport->Address()));
    return stream;
  }

  // Sends `bytes`, and holds the connection.
  void Say(const std::string& bytes) {
    streams.push_back(Dial());
    streams.back().Write(bytes);
  }

  // Shakes hands with these keys, and with the settings of `prepare`.
  TlsEnd* Shake(
      const std::string& own_folder,
      const std::function<void(TlsEnd*)>& prepare = [](TlsEnd*) {}) {
    ends.push_back(std::make_unique<TlsEnd>(own_folder));
    prepare(ends.back().get());
    ends.back()->Connect(Dial());
    return ends.back().get();
  }

  // The same, then sends `bytes`.
  void ShakeAndSay(const std::string& own_folder, const std::string& bytes) {
    Shake(own_folder)->Write(bytes);
  }
};

std::string Hello() {
  SSL_CTX* const context = SSL_CTX_new(TLS_method());
  SSL* const ssl = SSL_new(context);
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
  SSL_connect(ssl);
  char* data = nullptr;
  const long bytes = BIO_get_mem_data(out, &data);
  std::string hello(data, static_cast<std::size_t>(bytes));
  SSL_free(ssl);
  SSL_CTX_free(context);
  return hello;
}

struct Abuse {
  const char* name;
  std::function<void(Field*)> does;
  // A part of the event's reason; "" if the listener reports none.
  const char* reason;
  RefusalReason kind = RefusalReason::kMalformed;
};

void PrintTo(const Abuse& abuse, std::ostream* out) { *out << abuse.name; }

constexpr RefusalReason kUnauthenticated = RefusalReason::kUnauthenticated;
constexpr RefusalReason kSilent = RefusalReason::kSilent;

void ShakeOfVersion(Field* field, int version, const char* ciphers) {
  field->Shake(field->keys.OwnFolder(3), [&](TlsEnd* end) {
    end->SetVersion(version);
    end->SetCiphers(ciphers);
  });
}

void Flood(Field* field) {
  TlsEnd* const end = field->Shake(field->keys.OwnFolder(3));
  for (int i = 0; i < 20000; ++i) {
    SSL_key_update(end->ssl(), SSL_KEY_UPDATE_NOT_REQUESTED);
    if (SSL_do_handshake(end->ssl()) != 1) return;
  }
}

// Carries the bytes of a handshake by hand, and changes one in the last flight.
void ChangeAByte(Field* field) {
  TlsEnd maker(field->keys.OwnFolder(3));
  SSL* const ssl = SSL_new(maker.context());
  BIO* const in = BIO_new(BIO_s_mem());
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl, in, out);
  RawStream stream = field->Dial();
  const auto take = [&] {
    char* data = nullptr;
    const long bytes = BIO_get_mem_data(out, &data);
    std::string text(data, static_cast<std::size_t>(bytes));
    (void)BIO_reset(out);
    return text;
  };
  SSL_connect(ssl);
  stream.Write(take());
  std::string last;
  while (last.empty()) {
    std::string byte;
    if (!stream.Read(1, &byte)) break;
    BIO_write(in, byte.data(), 1);
    if (SSL_connect(ssl) == 1) last = take();
  }
  if (!last.empty()) last[last.size() / 2] ^= 1;
  stream.Write(last);
  SSL_free(ssl);
  field->streams.push_back(std::move(stream));
}

const std::vector<Abuse>& Abuses() {
  static const auto* const abuses = new std::vector<Abuse>{
      // Silence.
      {"silent", [](Field* f) { f->Say(""); }, "did not greet within", kSilent},
      {"silent_600",
       [](Field* f) {
         for (int i = 0; i < 600; ++i) f->Say("");
       },
       "more than 256 connections have not proven who they are", kSilent},
      {"one_byte_of_tls", [](Field* f) { f->Say("\x16"); },
       "did not greet within", kSilent},
      {"slow_loris",
       [](Field* f) {
         f->Say("");
         for (const char c : Hello().substr(0, 100))
           f->streams.back().Write(std::string(1, c));
       },
       "did not greet within", kSilent},
      {"hello_and_silence", [](Field* f) { f->Say(Hello()); },
       "did not greet within", kSilent},
      {"hellos_and_silence_600",
       [](Field* f) {
         const std::string hello = Hello();
         for (int i = 0; i < 600; ++i) f->Say(hello);
       },
       "it had no turn within the handshake timeout", kSilent},
      {"handshake_and_silence",
       [](Field* f) { f->Shake(f->keys.OwnFolder(3)); }, "did not greet within",
       kSilent},
      {"half_a_greeting",
       [](Field* f) { f->ShakeAndSay(f->keys.OwnFolder(3), "CLNS"); },
       "did not greet within", kSilent},
      {"plaintext_begun", [](Field* f) { f->Say("CLN"); },
       "did not greet within", kSilent},
      // Ends.
      {"half_close",
       [](Field* f) {
         f->Say("");
         f->streams.back().Finish();
       },
       ""},
      {"half_close_after_hello",
       [](Field* f) {
         f->Say(Hello());
         f->streams.back().Finish();
       },
       ""},
      {"reset",
       [](Field* f) {
         f->Say("");
         f->streams.back().Reset();
       },
       ""},
      {"reset_after_hello",
       [](Field* f) {
         f->Say(Hello());
         f->streams.back().Reset();
       },
       ""},
      {"reset_after_handshake",
       [](Field* f) { f->Shake(f->keys.OwnFolder(3))->stream().Reset(); }, ""},
      {"close_notify_after_handshake",
       [](Field* f) { SSL_shutdown(f->Shake(f->keys.OwnFolder(3))->ssl()); },
       ""},
      {"connect_and_reset_300",
       [](Field* f) {
         for (int i = 0; i < 300; ++i) f->Dial().Reset();
       },
       ""},
      // Old and weak TLS.
      {"tls10", [](Field* f) { ShakeOfVersion(f, TLS1_VERSION, "ALL"); },
       "TLS handshake: it does not speak TLS 1.3", kUnauthenticated},
      {"tls11", [](Field* f) { ShakeOfVersion(f, TLS1_1_VERSION, "ALL"); },
       "TLS handshake: it does not speak TLS 1.3", kUnauthenticated},
      {"tls12", [](Field* f) { ShakeOfVersion(f, TLS1_2_VERSION, "ALL"); },
       "TLS handshake: it does not speak TLS 1.3", kUnauthenticated},
      {"null_cipher",
       [](Field* f) {
         ShakeOfVersion(f, TLS1_2_VERSION, "ECDHE-ECDSA-NULL-SHA");
       },
       "TLS handshake: it does not speak TLS 1.3", kUnauthenticated},
      {"anonymous_cipher",
       [](Field* f) { ShakeOfVersion(f, TLS1_2_VERSION, "aNULL:!eNULL"); },
       "TLS handshake: it does not speak TLS 1.3", kUnauthenticated},
      {"no_common_signature",
       [](Field* f) {
         f->Shake("", [](TlsEnd* end) {
           SSL_CTX_set1_sigalgs_list(end->context(), "RSA-PSS+SHA256");
         });
       },
       "what it sends is no TLS handshake"},
      // Certificates.
      {"no_certificate", [](Field* f) { f->Shake(""); },
       "TLS handshake: it has no certificate", kUnauthenticated},
      {"unknown_certificate",
       [](Field* f) { f->Shake(f->foreign.OwnFolder(3)); },
       "TLS handshake: its certificate (server-3.cluster) is unknown",
       kUnauthenticated},
      {"expired_certificate",
       [](Field* f) { f->Shake(f->expired.OwnFolder(4)); },
       "TLS handshake: its certificate (server-4.cluster) expired on 20",
       kUnauthenticated},
      {"another_clusters_certificate",
       [](Field* f) { f->Shake(f->another.OwnFolder(3)); },
       "of another cluster: it is made out to server-3.another",
       kUnauthenticated},
      {"the_listeners_own_certificate",
       [](Field* f) { f->Shake(f->keys.OwnFolder(1)); },
       "of this server itself", kUnauthenticated},
      {"a_chain_of_100_certificates",
       [](Field* f) {
         f->Shake(f->foreign.OwnFolder(3), [](TlsEnd* end) {
           X509* const own = SSL_CTX_get0_certificate(end->context());
           for (int i = 0; i < 100; ++i)
             SSL_CTX_add1_chain_cert(end->context(), own);
         });
       },
       "what it sends is no TLS handshake"},
      {"a_changed_byte", ChangeAByte, "what it sends is no TLS handshake"},
      // Other bytes.
      {"http", [](Field* f) { f->Say("GET / HTTP/1.1\r\n\r\n"); },
       "it speaks neither TLS nor this protocol"},
      {"ssh", [](Field* f) { f->Say("SSH-2.0-OpenSSH_9.2\r\n"); },
       "it speaks neither TLS nor this protocol"},
      {"proxy_header",
       [](Field* f) {
         f->Say("PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n" + Hello());
       },
       "it speaks neither TLS nor this protocol"},
      {"zeros", [](Field* f) { f->Say(std::string(100000, '\0')); },
       "it speaks neither TLS nor this protocol"},
      {"plaintext", [](Field* f) { f->Say(std::string(Preamble())); },
       "it speaks plaintext, and this server is secured", kUnauthenticated},
      {"plaintext_of_version_1",
       [](Field* f) { f->Say(std::string("CLNS\1\0\0\0", 8)); },
       "it speaks plaintext, and this server is secured", kUnauthenticated},
      {"an_alert_first",
       [](Field* f) { f->Say(std::string("\x15\x03\x03\0\x02\x02\x28", 7)); },
       "it speaks neither TLS nor this protocol"},
      {"data_before_a_handshake",
       [](Field* f) {
         f->Say(std::string("\x17\x03\x03\0\x20", 5) + std::string(32, 'd'));
       },
       "it speaks neither TLS nor this protocol"},
      {"garbage_in_a_record",
       [](Field* f) {
         f->Say(std::string("\x16\x03\x01\x01\0", 5) + std::string(256, 'g'));
       },
       "what it sends is no TLS handshake"},
      {"an_endless_hello",
       [](Field* f) {
         f->Say(std::string("\x16\x03\x01\x40\0\x01\xff\xff\xff\x03\x03", 11) +
                std::string(16378, '\0'));
         for (int i = 0; i < 20; ++i)
           f->streams.back().Write(std::string("\x16\x03\x01\x40\0", 5) +
                                   std::string(16384, '\0'));
       },
       "what it sends is no TLS handshake"},
      // With a good certificate.
      {"another_version_inside",
       [](Field* f) {
         f->ShakeAndSay(f->keys.OwnFolder(3), std::string("CLNS\7\0\0\0", 8));
       },
       "it speaks another version of this protocol"},
      {"http_inside",
       [](Field* f) {
         f->ShakeAndSay(f->keys.OwnFolder(3), "GET / HTTP/1.1\r\n\r\n");
       },
       "it does not speak this protocol"},
      {"an_overlong_frame",
       [](Field* f) {
         f->ShakeAndSay(f->keys.OwnFolder(3),
                        std::string(Preamble()) + "\xff\xff\xff\xff");
       },
       "it announces a frame of more than"},
      {"records_without_content", Flood,
       "it sends more TLS records without content"},
      {"connections_20_of_one_member",
       [](Field* f) {
         for (int i = 0; i < 20; ++i) f->Shake(f->keys.OwnFolder(3));
       },
       "server 3 has more than 4 connections to this one", kSilent},
  };
  return *abuses;
}

class ListenerAbuseTest : public testing::TestWithParam<Abuse> {};

TEST_P(ListenerAbuseTest, IsNamedAndGoodPeersConnectMeanwhile) {
  const Abuse& abuse = GetParam();
  Field field;
  TransportConfig config = field.keys.ConfigOf(1);
  config.security->peers[4] = field.expired.PublicFolder(4);
  config.handshake_timeout = kTimeout;
  field.one = StartSecured(config);
  ASSERT_NE(field.one, nullptr);

  abuse.does(&field);
  auto good = StartSecured(field.keys.ConfigOf(2));
  ASSERT_NE(good, nullptr);
  ASSERT_TRUE(good->Connect(1, field.one->transport->Address()).ok());
  EXPECT_TRUE(Delivers(*good, 1, *field.one, "of a good peer"));

  const auto is_named = [&](const Rejection& rejection) {
    return rejection.kind == abuse.kind &&
           absl::StrContains(rejection.reason, "from 127.0.0.2:") &&
           absl::StrContains(rejection.reason, abuse.reason);
  };
  const std::string reason = abuse.reason;
  if (!reason.empty()) {
    EXPECT_TRUE(field.one->handler.WaitFor([&](const Recorded& r) {
      return std::any_of(r.rejections.begin(), r.rejections.end(), is_named);
    }));
  }
  std::string said;
  for (const Rejection& rejection : field.one->handler.Get().rejections) {
    absl::StrAppend(&said, rejection.reason, "\n");
  }
  if (reason.empty()) {
    EXPECT_FALSE(absl::StrContains(said, "127.0.0.2")) << said;
  } else {
    EXPECT_TRUE(absl::StrContains(said, reason)) << said;
  }
  // The good peer still has the same connection.
  EXPECT_TRUE(Delivers(*good, 1, *field.one, "of a good peer again"));
  EXPECT_EQ(Recorded::Count(good->handler.Get().disconnected, 1), 0);
  for (const ReceivedFrame& frame : field.one->handler.Get().frames) {
    EXPECT_EQ(frame.identity, 2);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, ListenerAbuseTest, testing::ValuesIn(Abuses()),
                         [](const auto& info) {
                           return std::string(info.param.name);
                         });

}  // namespace
}  // namespace streams
}  // namespace cluster::internal
