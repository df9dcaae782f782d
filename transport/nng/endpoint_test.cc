#include "cluster/transport/nng/endpoint.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
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
  for (const char* text : {"127.0.0.1:0", "[::1]:0", "[::1%lo]:0"}) {
    nng_stream_listener* listener = nullptr;
    const absl::Status status =
        OpenListener(Parsed(text), TcpOptions(), &listener);
    ASSERT_TRUE(status.ok()) << status;
    const Address bound = Parsed(BoundAddress(Parsed(text), listener));
    EXPECT_EQ(bound.host, Parsed(text).host);
    EXPECT_NE(bound.port, 0);

    nng_stream_listener* second = nullptr;
    EXPECT_EQ(OpenListener(bound, TcpOptions(), &second).code(),
              absl::StatusCode::kAlreadyExists);
    nng_stream_listener_free(listener);
  }
}

// For a stream that does lead to itself see
// //tests/processes:self_connect_test.
TEST(Endpoint, AStreamToAListenerDoesNotLeadToItself) {
  for (const char* text : {"127.0.0.1:0", "[::1]:0"}) {
    nng_stream_listener* listener = nullptr;
    ASSERT_TRUE(OpenListener(Parsed(text), TcpOptions(), &listener).ok());
    const std::string to =
        absl::StrCat("tcp://", BoundAddress(Parsed(text), listener));
    nng_stream_dialer* dialer = nullptr;
    ASSERT_EQ(nng_stream_dialer_alloc(&dialer, to.c_str()), 0);
    nng_aio* aio = nullptr;
    ASSERT_EQ(nng_aio_alloc(&aio, nullptr, nullptr), 0);
    nng_stream_dialer_dial(dialer, aio);
    nng_aio_wait(aio);
    ASSERT_EQ(nng_aio_result(aio), 0);
    auto* const stream = static_cast<nng_stream*>(nng_aio_get_output(aio, 0));
    EXPECT_FALSE(LeadsToItself(stream));
    nng_stream_free(stream);
    nng_aio_free(aio);
    FreeDialer(dialer);
    nng_stream_listener_free(listener);
  }
}

TEST(Endpoint, ErrorsNameTheAddressAndTheReason) {
  const absl::Status status =
      ErrorStatus(NNG_ECONNREFUSED, "connect to", "127.0.0.1:80");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(
      status.message(),
      "connect to 127.0.0.1:80: connection refused: nobody listens there");
  EXPECT_TRUE(absl::StrContains(
      ErrorStatus(NNG_EADDRINUSE, "listen on", "127.0.0.1:80").message(),
      "address in use"));
}

}  // namespace
}  // namespace nng
}  // namespace cluster::internal
