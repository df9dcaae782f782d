// Fuzzes requests to the ZAP handler, which strangers shape, and the parsers of
// keys and UserIds.
//
// The input's lines are a request's frames. The handler knows no key, so it
// must refuse them all. A UserId that parses must do so again.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "cluster/base/check.h"
#include "cluster/transport/zmq/curve_keys.h"
#include "cluster/transport/zmq/zap.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

void CheckRequest(absl::string_view input) {
  static const CurveKeys* const nobody = new CurveKeys(Secret(), CurveKey{});
  const std::vector<absl::string_view> request = absl::StrSplit(input, '\n');
  const ZapVerdict verdict = JudgeZapRequest(*nobody, request);
  CLUSTER_CHECK(!verdict.accepted(), "a stranger was let in");
  CLUSTER_CHECK(verdict.user_id.empty(), "a stranger got a name");
  const std::vector<std::string> reply = ZapReply(request, verdict);
  CLUSTER_CHECK(reply.size() == 6 && reply[2] == "400", "no refusal");
}

void CheckUserId(absl::string_view input) {
  const absl::optional<UserId> user = ParseUserId(input);
  if (!user) return;
  const absl::optional<UserId> again = ParseUserId(ToString(*user));
  CLUSTER_CHECK(again && again->peer == user->peer &&
                    again->serial == user->serial && user->peer >= 0,
                "a UserId changed");
}

}  // namespace
}  // namespace zmq_backend
}  // namespace cluster::internal

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  cluster::internal::zmq_backend::CheckRequest(input);
  cluster::internal::zmq_backend::CheckUserId(input);
  cluster::internal::zmq_backend::ParseCurveKey(input);
  return 0;
}
