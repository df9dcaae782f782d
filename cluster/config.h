// Config: the servers of a cluster, and the settings that they share.
//
// All servers of a cluster read one JSON file into this plain struct, or your
// program fills it in. NewServer checks it either way. The defaults are here;
// docs/config.md has the range of each key.
//
// LoadConfig answers kNotFound (no such file), kInvalidArgument or
// kFailedPrecondition (see ValidateConfig). The text has file, line, JSON path,
// the value found and the values allowed.
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
#include "cluster/export.h"
#include "cluster/transport/options.h"
#include "cluster/transport/transport_facts.h"

namespace cluster {

enum class Delivery {
  kReliable,    // FIFO per lane, exactly once per pair of incarnations
  kBestEffort,  // at most once: the bare transport, one envelope a message
};

// How the JSON codec writes an envelope.
enum class JsonDialect {
  kCluster,  // this library's
  kGo,       // that of the Go library it grew from; best effort only
};

// The treatment of an envelope for a peer whose queue is full.
enum class Overflow {
  kReject,  // Send answers kResourceExhausted.
  // Drops and counts the oldest envelopes, a batch at a time: of the bulk lane
  // first, then of the normal, then of the urgent one. It drops none that is
  // more urgent than the new envelope. Without room then, as kReject.
  kDropOldest,
};

// The treatment of envelopes that were transmitted, but not known to be
// consumed, when a peer comes back as a new process.
enum class OnPeerRestart { kResend, kDrop };

struct ServerAddress {
  int id = 0;
  // The address at which the others reach it: "host:port", "[v6]:port" or
  // "ipc:///path". Port 0 takes any free one; the others learn it by AddPeer.
  std::string address;
  // The address to listen at if it is another one: "0.0.0.0:10001" in a
  // container, say.
  std::string listen{};
  // Where its admin server is (docs/operating.md): as `address`; "": it has none.
  std::string admin{};

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
  enum class Reload {
    kOnRequest,  // by Server::ReloadSecurity
    kOnChange,   // also when the files below change
  };
  Reload reload = Reload::kOnRequest;
  // The folder of the own key files; {id} is the own id.
  std::string identity;
  // The peers' public files. Set one of the two: a folder with one subfolder per
  // id, which ReloadSecurity lists anew, or the folders by id.
  std::string peers;
  std::map<int, std::string> peer_folders;
};

// The files of the servers' admin servers ("admin": {...}), whose addresses are in
// `servers`. {id} is the server's id; relative paths as in SecurityConfig.
struct AdminConfig {
  std::string token_file;   // of all servers; "": no token
  std::string certificate;  // PEM; set both or none
  std::string key;
};

// The settings of each session. Bytes and times are per peer.
struct SessionLimits {
  // A frame is sent when it holds this much; 512 B-4 MiB.
  std::size_t frame_bytes = 64u << 10;
  // The most that is with the transport and not yet received. On a line that
  // holds more, twice what the line holds. An urgent envelope may have to wait
  // for it. Ordinary frames use half of it. The whole is room for four large
  // payloads of 1 MiB in the normal lane. With less, such a payload is cut and
  // put together again.
  std::size_t inflight_bytes = 9u << 19;
  // Received and not yet consumed.
  std::size_t window_bytes = 8u << 20;
  // Accepted and not yet transmitted. The urgent and the normal lane may each
  // add an eighth when it is full.
  std::size_t queue_bytes_max = 16u << 20;
  // Beyond queue_bytes_max, for envelopes with kAnswerBit in their correlation.
  std::size_t answer_bytes_reserved = 1u << 20;
  // Of one envelope; with both deliveries.
  std::size_t payload_bytes_max = 64u << 20;
  Overflow overflow = Overflow::kReject;
  OnPeerRestart on_peer_restart = OnPeerRestart::kResend;
  // "heartbeat_ms": the interval of an idle session's heartbeats. They fall on
  // multiples of it in the host's clock, so that all sessions send together.
  absl::Duration heartbeat = absl::Seconds(2);
  // "peer_timeout_ms": a peer that is silent for so long is down.
  absl::Duration peer_timeout = absl::Seconds(5);
  // "handshake_timeout_ms": a connection without a handshake by then is closed.
  absl::Duration handshake_timeout = absl::Seconds(5);
};

// The key in the file is the field's name; times are in milliseconds there
// ("heartbeat_ms"). //cluster/config/keys.cc declares each key.
struct Config : SessionLimits {
  // 1-255 bytes; servers of other names are refused.
  std::string cluster = "cluster";
  std::string transport = kDefaultTransport;
  std::string codec = "binary";  // binary, json
  JsonDialect json_dialect = JsonDialect::kCluster;
  Delivery delivery = Delivery::kReliable;
  std::vector<ServerAddress> servers;

  // The most that a server holds for all its peers together: in queues, windows
  // and incoming large payloads (docs/using.md has the shares).
  std::size_t memory_bytes_max = 1u << 30;
  // "slow_handler_ms": a handler that runs for longer is counted and reported;
  // 0: none is.
  absl::Duration slow_handler = absl::Milliseconds(100);
  // "application_timeout_ms": peers see this server as down while its application
  // stands still for so long (Server::Renew); 0: never. An application that does
  // not renew stands still while an envelope waits in its inbox, or a handler runs,
  // for so long. An idle one never does.
  absl::Duration application_timeout = absl::ZeroDuration();
  // "linger_ms": the time that Stop may spend on unsent frames.
  absl::Duration linger = absl::Seconds(1);

  SecurityConfig security;
  AdminConfig admin;
  // Lets a server without security listen where other machines reach it.
  bool allow_plaintext = false;

  // Unread bytes that no window bounds: of best-effort delivery, and of the
  // server's own envelopes.
  std::size_t inbox_bytes_max = 64u << 20;

  // The objects of transports, by their names.
  std::map<std::string, TransportOptions> transport_options;

  std::string origin;  // the file it came from, for error texts; "" if none.
  // For error texts, the lines of the file's top-level keys ("transport") and of
  // its servers' keys ("servers[2].address"). Erase the key here when you
  // overwrite its field.
  std::map<std::string, int> lines;
};

// Reads and validates a file: the form of this library, or the Go library's
// `{"Server": [{"Server_Id": 1, "Port_Num": 10000}]}` on host 127.0.0.1. That
// form also implies how Go programs talk: best effort, JSON, and its dialect,
// each unless the file says otherwise.
CLUSTER_EXPORT absl::StatusOr<Config> LoadConfig(const std::string& file);

// The same from text; errors show `origin` instead of the file's name.
CLUSTER_EXPORT absl::StatusOr<Config> ParseConfig(
    absl::string_view text, absl::string_view origin = "config");

// Checks a Config as the reader does: names, ranges, duplicate ids and
// addresses. kFailedPrecondition: a server would listen in plaintext for other
// machines. NewServer checks that transport and codec exist.
CLUSTER_EXPORT absl::Status ValidateConfig(const Config& config);

// The place of a top-level key, to begin an error text with: "configs/a.json:3:
// $.transport". It has no line if the file lacks the key, and begins with
// "config" for a Config that came from no file.
CLUSTER_EXPORT std::string PlaceOf(const Config& config, absl::string_view key);

}  // namespace cluster

#endif  // CLUSTER_CONFIG_H_
