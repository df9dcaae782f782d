// TransportOptions: a backend's own settings, free of any JSON library.
// OptionReader checks them.
//
// The config reader fills them from the backend's object ("zmq": {"io_threads":
// 2}). The backend takes the keys that it knows. Finish refuses all others and
// names the nearest known key. Errors are kInvalidArgument and begin with
// `origin`, the object's place ("configs/a.json:7: $.zmq").
//
//   OptionReader reader(config.options);
//   // The default, the least and the most.
//   int io_threads = reader.Int("io_threads", 1, 1, 16);
//   absl::Status status = reader.Finish();

#ifndef CLUSTER_TRANSPORT_OPTIONS_H_
#define CLUSTER_TRANSPORT_OPTIONS_H_

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cluster/export.h"

namespace cluster {

using OptionValue = std::variant<bool, std::int64_t, double, std::string>;

struct TransportOptions {
  std::string origin;  // their place, for error texts; "" if in no file
  std::map<std::string, OptionValue> values;
};

class CLUSTER_EXPORT OptionReader {
 public:
  explicit OptionReader(const TransportOptions& options) : options_(options) {}

  // The value of `key`. Returns `fallback` if it is absent, of the wrong type
  // or out of range; Finish reports the last two. Ranges include both ends.
  std::int64_t Int(absl::string_view key, std::int64_t fallback,
                   std::int64_t least, std::int64_t most);
  bool Bool(absl::string_view key, bool fallback);
  std::string String(absl::string_view key, absl::string_view fallback);

  // Reports another error in the value of `key`.
  void Fail(absl::string_view key, absl::string_view text);

  // OK, or the first error: a bad value, or a key that was never asked for.
  // Call it last.
  absl::Status Finish();

 private:
  // The value of `key`, if it is there and a T. `want` describes a T.
  template <typename T>
  const T* Find(absl::string_view key, absl::string_view want);

  const TransportOptions& options_;
  std::vector<std::string> known_;
  absl::Status status_;
};

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_OPTIONS_H_
