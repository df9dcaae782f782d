// Fuzzes TlsSession in each of its states, from either side. It feeds raw
// bytes, in a handshake or after it, and good records that it cuts, changes,
// doubles or leaves out.
//
// It checks that the plaintext begins what the other side wrote, that a failed
// session stays so, and that out() is bounded. An input is a list of steps of
// three bytes: what, how much, where.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "cluster/base/check.h"
#include "cluster/transport/stream/testing/test_keys.h"

namespace cluster::internal {
namespace stream {
namespace {

constexpr std::size_t kOutBytesMax = 1u << 20;

// Made once, since a handshake alone is slow enough.
struct Materials {
  const TestKeys keys{{1, 2}};
  const std::shared_ptr<const TlsMaterial> one = keys.MaterialOf(1);
  const std::shared_ptr<const TlsMaterial> two = keys.MaterialOf(2);
};

const Materials& TheMaterials() {
  static const Materials* const materials = new Materials;
  return *materials;
}

// One direction.
struct Way {
  TlsSession* from = nullptr;
  TlsSession* to = nullptr;
  std::string written;
  std::string heard;

  void Take(absl::string_view bytes, std::size_t part) {
    const bool had_failed = to->state() == TlsSession::State::kFailed;
    const std::string got = Feed(to, bytes, part);
    CLUSTER_CHECK(!had_failed || (got.empty() &&
                                  to->state() == TlsSession::State::kFailed),
                  "a failed session came back");
    heard += got;
    CLUSTER_CHECK(written.compare(0, heard.size(), heard) == 0,
                  "it heard what was not said");
    CLUSTER_CHECK((to->state() == TlsSession::State::kFailed) !=
                      to->failure().reason.empty(),
                  "a session fails with a reason, and with no other");
    CLUSTER_CHECK(to->out().bytes.size() < kOutBytesMax, "too much waits");
  }

  std::string TakeOut() {
    std::string bytes(from->out().bytes);
    from->Sent(bytes.size());
    return bytes;
  }
};

void Step(int what, std::size_t much, std::size_t where, Way* way) {
  const std::size_t part = 1 + where;
  switch (what) {
    case 0:  // out() in pieces
      way->Take(way->TakeOut(), part);
      return;
    case 1: {  // one byte of it changed
      std::string bytes = way->TakeOut();
      if (bytes.empty()) return;
      bytes[(much * 256 + where) % bytes.size()] ^= 1 << where % 8;
      way->Take(bytes, SIZE_MAX);
      return;
    }
    case 2: {  // its end left out
      const std::string bytes = way->TakeOut();
      way->Take(absl::string_view(bytes).substr(0, bytes.size() * much / 256),
                part);
      return;
    }
    case 3: {  // twice
      const std::string bytes = way->TakeOut();
      way->Take(bytes + bytes, part);
      return;
    }
    case 4:  // text
      if (way->from->state() != TlsSession::State::kOpen) return;
      if (way->from->out().bytes.size() > kOutBytesMax / 4) return;
      way->written.append(much * 64, static_cast<char>(where));
      way->from->Write(std::string(much * 64, static_cast<char>(where)));
      return;
    default:  // a record that nobody sent
      way->Take(std::string(1, static_cast<char>(what + 0x0e)) + "\x03\x03" +
                    std::string(1, static_cast<char>(much)) +
                    std::string(much, static_cast<char>(where)),
                part);
      return;
  }
}

}  // namespace
}  // namespace stream
}  // namespace cluster::internal

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t bytes) {
  // NOLINTNEXTLINE: the fuzz function is outside of the namespace
  using namespace cluster::internal::stream;
  if (bytes == 0) return 0;
  TlsPair pair(TheMaterials().two, 1, TheMaterials().one);
  Way ways[2];
  ways[0].from = ways[1].to = pair.dialler.get();
  ways[0].to = ways[1].from = pair.listener.get();
  // The highest bit: begin when both are open.
  if ((data[0] & 0x80) != 0) pair.Carry();
  if ((data[0] & 0x40) != 0) {
    // Raw bytes, to one of the two.
    ways[data[0] & 1].Take(
        absl::string_view(reinterpret_cast<const char*>(data) + 1, bytes - 1),
        1 + (data[0] & 0x3f));
    return 0;
  }
  for (std::size_t at = 1; at + 3 <= bytes; at += 3) {
    Step(data[at] >> 1 & 0xf, data[at + 1], data[at + 2], &ways[data[at] & 1]);
  }
  return 0;
}
