#include "cluster/transport/zmq/zap.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"
#include "cluster/base/start_thread.h"
#include "cluster/transport/zmq/settings.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

// The frames of a request, in their order.
enum Part {
  kVersion,
  kRequestId,
  kDomain,
  kAddress,
  kIdentity,
  kMechanism,
  kCredentials,
  kParts,
};

constexpr char kZapVersion[] = "1.0";
constexpr std::size_t kShownAddressBytes = 100;

// Receives all parts of a message; empty if there is none.
std::vector<zmq::message_t> ReceiveMessage(zmq::socket_t* socket) {
  std::vector<zmq::message_t> parts;
  do {
    parts.emplace_back();
    if (!ReceivePart(socket, &parts.back())) return {};
  } while (parts.back().more());
  return parts;
}

std::vector<absl::string_view> ViewsOf(
    const std::vector<zmq::message_t>& parts) {
  std::vector<absl::string_view> views;
  for (const zmq::message_t& part : parts)
    views.emplace_back(static_cast<const char*>(part.data()), part.size());
  return views;
}

}  // namespace

ZapVerdict JudgeZapRequest(const CurveKeys& keys,
                           const std::vector<absl::string_view>& request) {
  if (request.size() != kParts || request[kVersion] != kZapVersion)
    return {"", "a request that ZAP does not know"};
  if (request[kDomain] != kZapDomain) return {"", "a foreign ZAP domain"};
  CurveKey key{};
  if (request[kMechanism] != "CURVE" ||
      request[kCredentials].size() != key.size()) {
    return {"", "another mechanism than CURVE"};
  }
  std::copy(request[kCredentials].begin(), request[kCredentials].end(),
            key.begin());
  const CurvePeer* const peer = keys.FindKey(key);
  if (peer == nullptr) {
    return {"", absl::StrCat("a connection from ",
                             request[kAddress].substr(0, kShownAddressBytes),
                             " has a public key that is no peer's")};
  }
  return {ToString(UserId{peer->id, peer->serial}), ""};
}

std::vector<std::string> ZapReply(const std::vector<absl::string_view>& request,
                                  const ZapVerdict& verdict) {
  const std::string request_id(request.size() > kRequestId ? request[kRequestId]
                                                           : "");
  // The refused side need not know the reason.
  return {kZapVersion,
          request_id,
          verdict.accepted() ? "200" : "400",
          verdict.accepted() ? "OK" : "no",
          verdict.user_id,
          ""};
}

absl::StatusOr<std::unique_ptr<ZapHandler>> ZapHandler::Start(
    zmq::context_t* context, const CurveKeyRing* keys,
    TransportHandler* handler) {
  zmq::socket_t socket;
  absl::Status status = CatchZmq("open the ZAP handler", [&] {
    socket = zmq::socket_t(*context, zmq::socket_type::rep);
    socket.set(zmq::sockopt::linger, 0);
    CallZmq([&] { return zmq_bind(socket.handle(), kZapEndpoint); });
  });
  if (!status.ok()) return status;
  const int stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (stop_fd < 0) return ZmqError("open the ZAP handler", errno);
  std::unique_ptr<ZapHandler> zap(
      new ZapHandler(std::move(socket), stop_fd, keys, handler));
  status = StartThread(
      "cluster-zap", [zap = zap.get()] { zap->Run(); }, &zap->thread_);
  if (!status.ok()) return status;
  return zap;
}

ZapHandler::ZapHandler(zmq::socket_t socket, int stop_fd,
                       const CurveKeyRing* keys, TransportHandler* handler)
    : socket_(std::move(socket)),
      stop_fd_(stop_fd),
      keys_(keys),
      handler_(handler) {}

ZapHandler::~ZapHandler() {
  const std::uint64_t one = 1;
  CLUSTER_CHECK(write(stop_fd_, &one, sizeof(one)) == sizeof(one),
                "the ZAP handler cannot be stopped");
  if (thread_.joinable()) thread_.join();
  close(stop_fd_);
  // Frees the name at once; closing the socket does so at leisure.
  zmq_unbind(socket_.handle(), kZapEndpoint);
}

void ZapHandler::Run() {
  zmq_pollitem_t items[] = {{socket_.handle(), 0, ZMQ_POLLIN, 0},
                            {nullptr, stop_fd_, ZMQ_POLLIN, 0}};
  while (true) {
    if (zmq_poll(items, 2, -1) < 0) continue;  // EINTR
    if (items[1].revents != 0) return;
    for (std::vector<zmq::message_t> request = ReceiveMessage(&socket_);
         !request.empty(); request = ReceiveMessage(&socket_)) {
      Answer(request);
    }
  }
}

void ZapHandler::Answer(const std::vector<zmq::message_t>& request) {
  const std::vector<absl::string_view> views = ViewsOf(request);
  const ZapVerdict verdict = JudgeZapRequest(*keys_->Get(), views);
  const std::vector<std::string> reply = ZapReply(views, verdict);
  for (std::size_t i = 0; i < reply.size(); ++i) {
    const int more = i + 1 < reply.size() ? ZMQ_SNDMORE : 0;
    // A reply that finds its asker gone is dropped by ZeroMQ.
    zmq_send(socket_.handle(), reply[i].data(), reply[i].size(),
             ZMQ_DONTWAIT | more);
  }
  if (!verdict.accepted()) {
    handler_->OnRejected(
        {RefusalReason::kUnauthenticated, absl::nullopt, verdict.reason});
  }
}

}  // namespace zmq_backend
}  // namespace cluster::internal
