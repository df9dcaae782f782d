#include "cluster/transport/tcp/tcp_transport.h"

#include <chrono>
#include <utility>

#include "cluster/transport/options.h"
#include "cluster/transport/stream/stream_transport.h"
#include "cluster/transport/tcp/tcp_io.h"

namespace cluster {

absl::StatusOr<std::unique_ptr<Transport>> NewTcpTransport(
    const TransportConfig& config) {
  OptionReader reader(config.options);
  internal::stream::StreamSettings settings;
  settings.options = internal::stream::ReadOptions(&reader);
  settings.source = internal::SourceAddress::Read(config.options, &reader);
  internal::tcp::TcpSettings tcp;
  tcp.source = settings.source;
  tcp.user_timeout_ms =
      static_cast<int>(reader.Int("tcp_user_timeout_ms", 0, 0, 1 << 30));
  tcp.keepalive_seconds =
      static_cast<int>(reader.Int("keepalive_seconds", 15, 0, 32767));
  tcp.spin = std::chrono::microseconds(reader.Int("spin_us", 0, 0, 1000000));
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  // Fixed: a listener, the event queue's three, and some for strangers. For each
  // peer: the connection to it, the one from it, and one that takes the latter's
  // place.
  settings.descriptors = {/*fixed=*/24, /*per_peer=*/3};
  settings.new_io = [tcp] { return internal::tcp::NewTcpIo(tcp); };
  return internal::stream::NewStreamTransport(config, std::move(settings));
}

}  // namespace cluster
