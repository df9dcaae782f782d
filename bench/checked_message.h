// The baselines' messages with a checksum: records, then a CRC-32C of them.
//
// So the bare library has the same duty as our frames. Damage aborts.

#ifndef BENCH_CHECKED_MESSAGE_H_
#define BENCH_CHECKED_MESSAGE_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "bench/record.h"
#include "cluster/base/check.h"
#include "cluster/codec/frame_header.h"

namespace cluster {
namespace bench {

inline constexpr std::size_t kCheckBytes = sizeof(std::uint32_t);

// Writes the sum of the bytes from `first` to `end` behind them.
inline void PutCheck(const char* first, char* end) {
  PutField(
      Crc32c(absl::string_view(first, static_cast<std::size_t>(end - first))),
      end);
}

// Checks the sum of a message, and returns its records.
inline absl::string_view CheckedRecords(absl::string_view message) {
  CLUSTER_CHECK(message.size() > kCheckBytes, "too short a message");
  const absl::string_view records =
      message.substr(0, message.size() - kCheckBytes);
  const char* sum = records.data() + records.size();
  CLUSTER_CHECK(TakeField<std::uint32_t>(&sum) == Crc32c(records),
                "a message came damaged");
  return records;
}

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_CHECKED_MESSAGE_H_
