#include "tests/hostile/stranger.h"

#include <cstdint>

#include "cluster/transport/stream/preamble.h"

namespace cluster::internal {
namespace {

// Network byte order, as ZMTP has it.
std::string BigEndian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i)
    text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}

std::string ZmtpGreeting() {
  std::string signature(10, '\0');
  signature[0] = '\xff';
  signature[9] = '\x7f';
  const std::string version("\x03\x00", 2);
  std::string mechanism("NULL");
  mechanism.resize(20);
  const std::string rest(32, '\0');  // as-server, filler
  const std::string ready =
      std::string("\x05READY\x0bSocket-Type") + BigEndian(4, 4) + "PUSH";
  const char command = '\x04';
  return signature + version + mechanism + rest + command +
         BigEndian(ready.size(), 1) + ready;
}

std::string ZmtpLength(std::uint64_t bytes) {
  const char long_message = '\x02';
  return long_message + BigEndian(bytes, 8);
}

std::string NngLength(std::uint64_t bytes) {
  char length[stream::kLengthBytes];
  stream::StoreLength(static_cast<std::uint32_t>(bytes), length);
  return std::string(length, sizeof(length));
}

}  // namespace

std::string Greeting(const std::string& backend) {
  return backend == "zmq" ? ZmtpGreeting() : std::string(stream::Preamble());
}

std::string Framed(const std::string& backend, absl::string_view frame) {
  return Framed(backend, frame, frame.size());
}

std::string Framed(const std::string& backend, absl::string_view frame,
                   std::uint64_t claimed_bytes) {
  return (backend == "zmq" ? ZmtpLength(claimed_bytes)
                           : NngLength(claimed_bytes)) +
         std::string(frame);
}

Stranger::Stranger(const std::string& backend, const std::string& address)
    : backend_(backend), connection_(RawTcp::Connect(address)) {
  SayBytes(Greeting(backend));
  // Reads the answer, which is as long as the greeting. ZMTP forbids messages
  // before both sides are ready, and an unread answer of nng would turn a close
  // into a reset.
  EXPECT_TRUE(connection_.Skip(Greeting(backend).size()));
}

void Stranger::Say(absl::string_view frame) {
  SayBytes(Framed(backend_, frame));
}

void Stranger::SayBytes(const std::string& bytes) { connection_.Write(bytes); }

}  // namespace cluster::internal
