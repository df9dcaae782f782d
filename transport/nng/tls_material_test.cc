// Whom a dialler's configuration takes, told by TLS alone; and which files make
// none.

#include "transport/nng/tls_material.h"

#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "transport/nng/endpoint.h"
#include "transport/nng/secured_nodes.h"

namespace cluster {
namespace nng {
namespace {

class Aio {
 public:
  Aio() { EXPECT_EQ(nng_aio_alloc(&aio_, nullptr, nullptr), 0); }
  ~Aio() { nng_aio_free(aio_); }
  Aio(const Aio&) = delete;
  Aio& operator=(const Aio&) = delete;

  nng_aio* get() const { return aio_; }
  int Wait() {
    nng_aio_wait(aio_);
    return nng_aio_result(aio_);
  }
  nng_stream* stream() {
    return static_cast<nng_stream*>(nng_aio_get_output(aio_, 0));
  }

 private:
  nng_aio* aio_ = nullptr;
};

struct EndStream {
  void operator()(nng_stream* stream) const {
    nng_stream_close(stream);
    nng_stream_free(stream);
  }
};
using Stream = std::unique_ptr<nng_stream, EndStream>;

// Servers 1, 2 and 3 have keys; 1 listens, and 2 dials.
class TlsMaterialTest : public testing::Test {
 protected:
  static std::shared_ptr<const TlsMaterial> Load(const TransportConfig& from) {
    auto material =
        TlsMaterial::Load(*from.security, from.cluster, from.server_id);
    EXPECT_TRUE(material.ok()) << material.status();
    return *std::move(material);
  }

  // What 2 reads of a byte that 1 says to it: 0 or nng's error.
  int Hear(const TransportConfig& listening, const TransportConfig& dialling,
           int peer) {
    const auto listener_material = Load(listening);
    const auto dialler_material = Load(dialling);
    nng_stream_listener* listener = nullptr;
    nng_stream_dialer* dialer = nullptr;
    Address address = *ParseAddress("127.0.0.1:0");
    EXPECT_TRUE(
        OpenListener(address, listener_material->listener(), &listener).ok());
    address = *ParseAddress(BoundAddress(address, listener));
    EXPECT_TRUE(
        OpenDialer(address, 0, dialler_material->dialer(peer), &dialer).ok());
    Aio accept, dial;
    nng_stream_listener_accept(listener, accept.get());
    nng_stream_dialer_dial(dialer, dial.get());
    EXPECT_EQ(accept.Wait(), 0);
    EXPECT_EQ(dial.Wait(), 0);
    const int error = Say(Stream(accept.stream()), Stream(dial.stream()));
    FreeDialer(dialer);
    nng_stream_listener_close(listener);
    nng_stream_listener_free(listener);
    return error;
  }

  static int Say(Stream from, Stream to) {
    Aio say, hear;
    char byte = 'b';
    char heard = 0;
    nng_iov said{&byte, 1};
    nng_iov room{&heard, 1};
    nng_aio_set_iov(say.get(), 1, &said);
    nng_aio_set_iov(hear.get(), 1, &room);
    nng_stream_send(from.get(), say.get());
    nng_stream_recv(to.get(), hear.get());
    const int error = hear.Wait();
    EXPECT_TRUE(error != 0 || heard == byte);
    nng_stream_close(from.get());
    say.Wait();
    return error;
  }

  const TestKeys keys_{{1, 2, 3}};
  const TransportConfig one_ = keys_.ConfigOf(1);
  TransportConfig two_ = keys_.ConfigOf(2);
};

TEST_F(TlsMaterialTest, ThePeersCertificateIsTaken) {
  EXPECT_EQ(Hear(one_, two_, 1), 0);
}

TEST_F(TlsMaterialTest, AnotherMembersIsNot) {
  EXPECT_TRUE(IsTlsRefusal(Hear(one_, two_, 3)));
}

TEST_F(TlsMaterialTest, AForeignOneOfTheSameNameIsNot) {
  const TestKeys foreign({1});
  two_.security->peers[1] = foreign.PublicFolder(1);
  EXPECT_TRUE(IsTlsRefusal(Hear(one_, two_, 1)));
}

// Listed for 3, but made out to 1.
TEST_F(TlsMaterialTest, OneOfAnotherServersNameIsNot) {
  two_.security->peers[3] = keys_.PublicFolder(1);
  EXPECT_TRUE(IsTlsRefusal(Hear(one_, two_, 3)));
}

TEST_F(TlsMaterialTest, OneOfAnotherClustersNameIsNot) {
  two_.cluster = "another";
  EXPECT_TRUE(IsTlsRefusal(Hear(one_, two_, 1)));
}

TEST_F(TlsMaterialTest, AKeyAndACertificateThatAreNotOfOnePairAreRefused) {
  std::filesystem::copy_file(keys_.OwnFolder(3) + "/tls.key",
                             keys_.OwnFolder(1) + "/tls.key",
                             std::filesystem::copy_options::overwrite_existing);
  const absl::Status status =
      TlsMaterial::Load(*one_.security, one_.cluster, one_.server_id).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_TRUE(absl::StrContains(
      status.message(),
      keys_.OwnFolder(1) + ": tls.key and tls.crt are not of one pair"))
      << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "copy both")) << status;
}

}  // namespace
}  // namespace nng
}  // namespace cluster
