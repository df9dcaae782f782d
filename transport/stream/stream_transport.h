// A transport of length-prefixed frames (preamble.h) over the byte streams of an
// Io; with security, in mutual TLS 1.3.
//
// A backend on byte streams is an Io, its options and its limits. The transport
// makes an Io for each Start. Opens nothing and starts no thread before Start,
// so a process may fork in between.
//
//   OptionReader reader(config.options);
//   StreamSettings settings;
//   settings.options = ReadOptions(&reader);
//   settings.new_io = [] { return std::make_unique<MyIo>(); };
//   return NewStreamTransport(config, std::move(settings));

#ifndef CLUSTER_TRANSPORT_STREAM_STREAM_TRANSPORT_H_
#define CLUSTER_TRANSPORT_STREAM_STREAM_TRANSPORT_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "cluster/base/descriptors.h"
#include "cluster/transport/options.h"
#include "cluster/transport/source_address.h"
#include "cluster/transport/stream/channel.h"
#include "cluster/transport/stream/io.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {
namespace stream {

struct StreamSettings {
  Options options;
  SourceAddress source;
  DescriptorNeed descriptors;
  std::function<std::unique_ptr<Io>()> new_io;
};

// The options of all such backends:
//   send_queue_bytes   bound of the queue to one peer, beside the write that is
//                      under way; 4 KiB-1 GiB, default 1 MiB. An empty queue
//                      takes any single frame.
//   read_buffer_bytes  the largest buffer of a connection; 8 KiB-16 MiB,
//                      default 256 KiB. Quiet connections hold 1 KiB.
Options ReadOptions(OptionReader* reader);

// kInvalidArgument: frame_bytes_max is over kFrameBytesLimit, or TLS does not
// take a key file, or the file is wrong for this server (tls_material.h).
// kNotFound, kPermissionDenied: a key file (key_files.h).
absl::StatusOr<std::unique_ptr<Transport>> NewStreamTransport(
    const TransportConfig& config, StreamSettings settings);

}  // namespace stream
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_STREAM_STREAM_TRANSPORT_H_
