#include "cluster/transport/nng/endpoint.h"

#include <cerrno>
#include <string>

#include "gtest/gtest.h"

namespace cluster::internal {
namespace nng {
namespace {

Address Parsed(const std::string& text) {
  const auto address = ParseAddress(text);
  EXPECT_TRUE(address.ok()) << address.status();
  return *address;
}

TEST(Endpoint, AddressesBecomeUrls) {
  EXPECT_EQ(Url(Parsed("127.0.0.1:80")), "tcp://127.0.0.1:80");
  EXPECT_EQ(Url(Parsed("[::1]:80")), "tcp://[::1]:80");
  EXPECT_EQ(Url(Parsed("[fe80::1%3]:80")), "tcp://[fe80::1%3]:80");
  EXPECT_EQ(Url(Parsed("*:0")), "tcp://*:0");
  EXPECT_EQ(Url(Parsed("ipc:///a/b")), "ipc:///a/b");
}

TEST(Endpoint, ABoundPortIsTold) {
  for (const char* text : {"127.0.0.1:0", "[::1]:0"}) {
    nng_stream_listener* listener = nullptr;
    ASSERT_EQ(OpenListener(Parsed(text), TcpOptions(), &listener), 0);
    Address bound = Parsed(text);
    bound.port = BoundPort(listener);
    EXPECT_NE(bound.port, 0);

    nng_stream_listener* second = nullptr;
    EXPECT_EQ(ToErrno(OpenListener(bound, TcpOptions(), &second)), EADDRINUSE);
    nng_stream_listener_free(listener);
  }
}

// For a stream that does lead to itself see
// //tests/processes:self_connect_test.
TEST(Endpoint, AStreamToAListenerDoesNotLeadToItself) {
  for (const char* text : {"127.0.0.1:0", "[::1]:0"}) {
    nng_stream_listener* listener = nullptr;
    ASSERT_EQ(OpenListener(Parsed(text), TcpOptions(), &listener), 0);
    Address to = Parsed(text);
    to.port = BoundPort(listener);
    nng_stream_dialer* dialer = nullptr;
    ASSERT_EQ(nng_stream_dialer_alloc(&dialer, Url(to).c_str()), 0);
    nng_aio* aio = nullptr;
    ASSERT_EQ(nng_aio_alloc(&aio, nullptr, nullptr), 0);
    nng_stream_dialer_dial(dialer, aio);
    nng_aio_wait(aio);
    ASSERT_EQ(nng_aio_result(aio), 0);
    auto* const stream = static_cast<nng_stream*>(nng_aio_get_output(aio, 0));
    EXPECT_FALSE(LeadsToItself(stream));
    EXPECT_EQ(RemoteText(stream), ToString(to));
    nng_stream_free(stream);
    nng_aio_free(aio);
    FreeDialer(dialer);
    nng_stream_listener_free(listener);
  }
}

TEST(Endpoint, ErrorsBecomeErrnos) {
  EXPECT_EQ(ToErrno(0), 0);
  EXPECT_EQ(ToErrno(NNG_ECONNREFUSED), ECONNREFUSED);
  EXPECT_EQ(ToErrno(NNG_ECONNSHUT), ESHUTDOWN);
  EXPECT_EQ(ToErrno(NNG_ESYSERR + ENOTDIR), ENOTDIR);
}

}  // namespace
}  // namespace nng
}  // namespace cluster::internal
