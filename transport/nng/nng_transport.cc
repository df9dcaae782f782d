#include "cluster/transport/nng/nng_transport.h"

#include <utility>

#include "cluster/transport/nng/nng_io.h"
#include "cluster/transport/options.h"
#include "cluster/transport/stream/stream_transport.h"

namespace cluster {

absl::StatusOr<std::unique_ptr<Transport>> NewNngTransport(
    const TransportConfig& config) {
  OptionReader reader(config.options);
  internal::stream::StreamSettings settings;
  settings.options = internal::stream::ReadOptions(&reader);
  settings.source = internal::SourceAddress::Read(config.options, &reader);
  const internal::nng::TcpOptions tcp{settings.source,
                                      reader.Bool("keepalive", true)};
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  // Fixed: a listener, nng's own, and some for strangers. For each peer: the
  // connection to it, the one from it, and one that takes the latter's place.
  settings.descriptors = {/*fixed=*/24, /*per_peer=*/3};
  settings.new_io = [tcp] { return internal::nng::NewNngIo(tcp); };
  return internal::stream::NewStreamTransport(config, std::move(settings));
}

}  // namespace cluster
