// Config: who the servers are and how they talk, as read from one JSON file
// that all of them share.
//
// What it is: a plain struct with the defaults in it, and its reader. A program
// may as well fill it in by hand; NewServer validates it either way. What it is
// not: per-server state, or a JSON document.
//
// Threads: a value. Errors: kNotFound (no such file), kInvalidArgument and
// kFailedPrecondition (see ValidateConfig), each naming file, line, JSON path,
// what was found and what is allowed.
//
//   absl::StatusOr<cluster::Config> config =
//       cluster::LoadConfig("configs/cluster.json");
//   config->transport = "nng";
//   auto server = cluster::NewServer(1, *std::move(config));

#ifndef CLUSTER_CONFIG_H_
#define CLUSTER_CONFIG_H_

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cluster/transport/options.h"
#include "cluster/transport/transport_facts.h"

namespace cluster {

enum class Delivery {
  kReliable,    // FIFO per lane, exactly once per pair of incarnations
  kBestEffort,  // at most once: the bare transport, one envelope a message
};

// What happens when a peer's queue is full.
enum class Overflow {
  kReject,  // Send answers kResourceExhausted
  // Who waited longest is dropped and counted, a batch at a time: first in the
  // bulk lane, then in the normal, then in the urgent one, and none that is
  // more urgent than the newcomer. Where that makes no room, as kReject.
  kDropOldest,
};

// What happens to transmitted envelopes whose fate is unknown when a peer comes
// back as a new process.
enum class OnPeerRestart { kResend, kDrop };

struct ServerAddress {
  int id = 0;
  // Where the others reach it: "host:port", "[v6]:port", "ipc:///path"; port 0:
  // any free one, which AddPeer tells the others.
  std::string address;
  // Where it listens, if not there: "0.0.0.0:10001" in a container, say.
  std::string listen{};

  const std::string& listening() const {
    return listen.empty() ? address : listen;
  }
};

// How servers prove to each other who they are ("security": {...}); see
// docs/security.md. Relative paths start at the folder of the config's file, or
// at the working directory for a Config that was made by hand.
struct SecurityConfig {
  enum class Mode {
    kNone,    // plaintext, on this machine only unless allow_plaintext
    kMutual,  // both ends of each connection prove who they are; encrypted
  };
  Mode mode = Mode::kNone;
  std::string identity;  // folder of the own key files; {id} is the own id
  // One of the two: a folder with one subfolder per id, which ReloadSecurity
  // lists anew, or the folders by id.
  std::string peers;
  std::map<int, std::string> peer_folders;
};

// What a Config says of each session.
struct SessionLimits {
  // A frame is sent when it holds this much; 512 B-4 MiB.
  std::size_t frame_bytes = 64u << 10;
  // Given to the transport and not yet received: what an urgent envelope may
  // have to wait for. Half of it, but for large payloads in the normal lane:
  // four of 1 MiB, and what is around them; with less, such a payload is cut
  // and put together again.
  std::size_t inflight_bytes = 9u << 19;
  // Received and not yet consumed, per peer.
  std::size_t window_bytes = 8u << 20;
  // Accepted and not yet transmitted, per peer; the urgent and the normal lane
  // may each add an eighth when it is full.
  std::size_t queue_bytes_max = 16u << 20;
  // Of one envelope; both deliveries.
  std::size_t payload_bytes_max = 64u << 20;
  Overflow overflow = Overflow::kReject;
  OnPeerRestart on_peer_restart = OnPeerRestart::kResend;
  // "heartbeat_ms": an idle link says this often that it lives, at multiples of
  // it as the host's clock counts, so that all links do so together.
  absl::Duration heartbeat = absl::Seconds(2);
  // "peer_timeout_ms": silent for so long is down.
  absl::Duration peer_timeout = absl::Seconds(5);
  // "handshake_timeout_ms": a connection that says nothing is closed.
  absl::Duration handshake_timeout = absl::Seconds(5);
};

// The key in the file is the field's name; times are in milliseconds there
// ("heartbeat_ms"). //cluster/config/keys.cc declares each key.
struct Config : SessionLimits {
  // 1-255 bytes; servers of other names are refused.
  std::string cluster = "cluster";
  std::string transport = kDefaultTransport;
  std::string codec = "binary";  // binary, json
  Delivery delivery = Delivery::kReliable;
  std::vector<ServerAddress> servers;

  // What a server holds for all its peers together: in queues and windows, and
  // of large payloads that come in (docs/using.md has the shares).
  std::size_t memory_bytes_max = 1u << 30;
  // "linger_ms": what Stop may spend on unsent frames.
  absl::Duration linger = absl::Seconds(1);

  SecurityConfig security;
  // Lets a server without security listen where other machines reach it.
  bool allow_plaintext = false;

  // What Receive has not taken yet, when the delivery has no window (best
  // effort, the server's own envelopes).
  std::size_t inbox_bytes_max = 64u << 20;

  // The objects of transports, by their names.
  std::map<std::string, TransportOptions> transport_options;

  std::string origin;  // the file it came from, for error texts; "" if none
  // The lines of the file's top-level keys ("transport"), for error texts. Who
  // overwrites a field erases its key here.
  std::map<std::string, int> lines;
};

// Reads and validates a file: the form of this library, or the Go library's
// `{"Server": [{"Server_Id": 1, "Port_Num": 10000}]}` on host 127.0.0.1.
absl::StatusOr<Config> LoadConfig(const std::string& file);

// The same from text; `origin` stands where the file's name would in errors.
absl::StatusOr<Config> ParseConfig(absl::string_view text,
                                   absl::string_view origin = "config");

// What the reader checks beyond JSON, for a Config that was made by hand:
// names, ranges, duplicate ids and addresses, and (kFailedPrecondition) that
// nobody listens in plaintext for other machines. Whether transport and codec
// exist is NewServer's to say.
absl::Status ValidateConfig(const Config& config);

// Where a top-level key stands, to begin an error text with:
// "configs/a.json:3: $.transport"; without the line if the file does not hold
// the key, and with "config" for a Config that came from no file.
std::string PlaceOf(const Config& config, absl::string_view key);

}  // namespace cluster

#endif  // CLUSTER_CONFIG_H_
