// The C API of the library: servers, envelopes, peer events and statistics.
//
// Everything is as in the C++ API (cluster/server.h), which has more on each
// call. The header is C99, and C++ may include it too. docs/c.md explains it.
//
// Errors: a call returns a cluster_status, with absl's numbers, and
// cluster_last_error has the text. No exception leaves a call. A call without
// memory answers CLUSTER_RESOURCE_EXHAUSTED and has done nothing. A null
// pointer, a wrong size or an unknown value is CLUSTER_INVALID_ARGUMENT. An
// output is set only if the call succeeds, unless its comment says otherwise.
//
// Threads: call every function from any thread, also concurrently, but for
// cluster_server_free. Do not cancel a thread (pthread_cancel) inside a call.
//
// Times are in milliseconds. A timeout is 0 (do not wait), positive, or
// CLUSTER_FOREVER. A call without a timeout does not block, unless its comment
// says so.
//
// ABI: a function, a field and a value keep their meaning for ever; new ones are
// only added. A struct begins with its size, as the side that made it knows it.
// So both sides see how many fields there are, and new ones go at the end.
// Statistics have names instead of fields.
//
//   cluster_server* server;
//   if (cluster_server_new(1, "cluster.json", &server) != CLUSTER_OK ||
//       cluster_server_start(server) != CLUSTER_OK) {
//     fprintf(stderr, "%s\n", cluster_last_error());
//     exit(1);
//   }
//   cluster_envelope vote = CLUSTER_ENVELOPE_INIT;
//   vote.pid = 2;
//   vote.msg_type = CLUSTER_REQUEST_VOTE_REQUEST;
//   vote.term = 7;
//   cluster_status status = cluster_server_send(server, &vote, 0, NULL);
//   ...
//   cluster_server_free(server);

#ifndef CLUSTER_C_CLUSTER_H_
#define CLUSTER_C_CLUSTER_H_

#include <stddef.h>
#include <stdint.h>

#include "cluster/export.h"

#ifdef __cplusplus
extern "C" {
#endif

// NOLINTBEGIN(modernize-use-using)

// ---- Versions and errors ----

// The version of this header's ABI. A library serves programs of its own major
// version and of its own or a lower minor one.
#define CLUSTER_ABI_MAJOR 1
#define CLUSTER_ABI_MINOR 1

// The library's ABI: major << 16 | minor.
CLUSTER_EXPORT uint32_t cluster_abi_version(void);

// The library's version: "0.2.0".
CLUSTER_EXPORT const char* cluster_version(void);

// The answer of a call. Treat a value that is not here as an error.
typedef enum cluster_status {
  CLUSTER_OK = 0,
  CLUSTER_CANCELLED = 1,  // the server was stopped
  CLUSTER_UNKNOWN = 2,
  CLUSTER_INVALID_ARGUMENT = 3,
  CLUSTER_DEADLINE_EXCEEDED = 4,
  CLUSTER_NOT_FOUND = 5,
  CLUSTER_ALREADY_EXISTS = 6,
  CLUSTER_PERMISSION_DENIED = 7,
  CLUSTER_RESOURCE_EXHAUSTED = 8,   // no room, memory, threads or descriptors
  CLUSTER_FAILED_PRECONDITION = 9,  // not in this state, or not in a handler
  CLUSTER_ABORTED = 10,
  CLUSTER_OUT_OF_RANGE = 11,  // the output does not fit
  CLUSTER_UNIMPLEMENTED = 12,
  CLUSTER_INTERNAL = 13,
  CLUSTER_UNAVAILABLE = 14,
  CLUSTER_DATA_LOSS = 15,
  CLUSTER_UNAUTHENTICATED = 16
} cluster_status;

// The text of the calling thread's last call that failed: what is wrong, where,
// and what to do. "" before the first one. The library owns it; it is valid
// until the thread's next call that fails. Other threads do not change it.
CLUSTER_EXPORT const char* cluster_last_error(void);

// ---- Envelopes ----

// The pid that means every member but the sender.
#define CLUSTER_BROADCAST (-1)
// No limit of time.
#define CLUSTER_FOREVER (-1)

// The purpose of a message. 64 and above are the application's; 4 to 63 are the
// library's to assign, and sending them is an error.
enum cluster_msg_type {
  CLUSTER_APPEND_ENTRIES_REQUEST = 0,
  CLUSTER_APPEND_ENTRIES_RESPONSE = 1,
  CLUSTER_REQUEST_VOTE_REQUEST = 2,
  CLUSTER_REQUEST_VOTE_RESPONSE = 3,
  CLUSTER_FIRST_APPLICATION_TYPE = 64
};

// The queue to a peer in which an envelope waits. Each lane keeps its order.
// Urgent envelopes overtake normal ones, and these overtake bulk ones.
enum cluster_lane {
  CLUSTER_LANE_URGENT = 0,
  CLUSTER_LANE_NORMAL = 1,
  CLUSTER_LANE_BULK = 2
};

// Unique for ever, together with the sender's id. Ids do not arrive in order.
typedef struct cluster_message_id {
  uint64_t incarnation;  // of the sending process
  uint64_t sequence;     // counts from 1 in each incarnation
} cluster_message_id;

// One message. To send one, begin with CLUSTER_ENVELOPE_INIT. A struct that is
// copied from the library's needs its size set to sizeof(cluster_envelope): the
// library may know more fields than were copied.
typedef struct cluster_envelope {
  uint32_t size;                  // of this struct, as its maker knows it
  int32_t pid;                    // recipient, or CLUSTER_BROADCAST
  int32_t sender_id;              // the library assigns it
  uint16_t msg_type;              // cluster_msg_type, or 64 and above
  uint8_t lane;                   // cluster_lane
  uint8_t voted;                  // 0: no, else yes
  uint64_t term;                  // of the sender
  const void* payload;            // any bytes; may be NULL if payload_size is 0
  size_t payload_size;            // at most payload_bytes_max of the config
  cluster_message_id message_id;  // the library assigns it
  uint64_t group;        // for the application: one of several groups, or 0
  uint64_t correlation;  // for the application: the request it answers, or 0
} cluster_envelope;

// A normal AppendEntriesRequest to server 0, without a payload.
#define CLUSTER_ENVELOPE_INIT                                       \
  {                                                                 \
    sizeof(cluster_envelope), 0, 0, CLUSTER_APPEND_ENTRIES_REQUEST, \
        CLUSTER_LANE_NORMAL, 0, 0, NULL, 0, {0, 0}, 0, 0            \
  }

// The conditions of one send. Begin with CLUSTER_SEND_OPTIONS_INIT. With best
// effort, and for the server's own id, expires_after_ms and replaces do nothing.
typedef struct cluster_send_options {
  uint32_t size;        // of this struct, as its maker knows it
  uint8_t only_if_up;   // not 0: CLUSTER_UNAVAILABLE if the peer is not up
  uint8_t report_fate;  // not 0: the handler of fates hears what becomes of it
  uint16_t zero;        // reserved
  int64_t timeout_ms;   // waits so long for room in the queue; 0: does not wait
  // Dropped if it is not transmitted within this time. CLUSTER_FOREVER: never.
  int64_t expires_after_ms;
  // A key, 0 for none. It takes the place of an envelope with the same key, peer,
  // lane and group that is not transmitted yet. Keys with the highest bit set are
  // those of cluster_caller.
  uint64_t replaces;
} cluster_send_options;

// No conditions: as cluster_server_send with timeout 0.
#define CLUSTER_SEND_OPTIONS_INIT \
  { sizeof(cluster_send_options), 0, 0, 0, 0, CLUSTER_FOREVER, 0 }

// The reason for which an accepted envelope was dropped. cluster/stats.h has more
// on each. Treat others as these.
enum cluster_drop_reason {
  CLUSTER_ACKNOWLEDGED = -1,  // it was not dropped
  CLUSTER_DROPPED_OVERFLOW = 0,
  CLUSTER_DROPPED_PEER_RESTART = 1,  // the peer may have got it all the same
  CLUSTER_DROPPED_REMOVED = 2,       // likewise
  CLUSTER_DROPPED_TOO_LARGE = 3,
  CLUSTER_DROPPED_STOPPED = 4,
  CLUSTER_DROPPED_UNSUPPORTED = 5,
  CLUSTER_DROPPED_EXPIRED = 6,
  CLUSTER_DROPPED_SUPERSEDED = 7,
  CLUSTER_DROPPED_WITHDRAWN = 8
};

// The end of one envelope that was sent with report_fate.
typedef struct cluster_fate {
  uint32_t size;  // of this struct, as the library knows it
  int32_t pid;    // the recipient; a broadcast has a fate for each
  cluster_message_id message_id;
  int32_t dropped;   // cluster_drop_reason, or CLUSTER_ACKNOWLEDGED
  const char* text;  // all of it on one line, for people
} cluster_fate;

// ---- Peer events ----

// The member in an event that concerns nobody in particular.
#define CLUSTER_NOBODY (-1)

// Ignore types that are not here.
enum cluster_peer_event_type {
  CLUSTER_PEER_UP = 0,         // there is a session and the peer is heard
  CLUSTER_PEER_DOWN = 1,       // not heard, or it said goodbye, or its
                               // application stands still
  CLUSTER_PEER_RESTARTED = 2,  // a new session; CLUSTER_PEER_UP follows
  CLUSTER_PEER_REMOVED = 3,    // by cluster_server_remove_peer
  CLUSTER_PEER_REJECTED = 4,   // one side refuses something of the other's
  CLUSTER_PEER_STRANGER = 5,   // a server greets that is no member
  CLUSTER_PEER_WARNING = 6     // nothing was refused, but somebody should look
};

// A change of a peer. cluster/peer_event.h says when each type comes.
typedef struct cluster_peer_event {
  uint32_t size;  // of this struct, as the library knows it
  int32_t type;   // cluster_peer_event_type
  int32_t peer;   // or CLUSTER_NOBODY
  // Of CLUSTER_PEER_STRANGER: the id that its connection proved, or
  // CLUSTER_NOBODY.
  int32_t stranger_identity;
  const char* text;    // all of the event on one line, for people
  const char* reason;  // for people
  // Of a restart or a removal: envelopes that were transmitted, but not known to
  // be consumed. `resent` of them go to the new session.
  uint64_t unknown_fate;
  uint64_t resent;
  // The number of further ones since the last event of this kind.
  uint64_t withheld;
  // Of CLUSTER_PEER_STRANGER, else "": the address that it claims to have, not
  // escaped, and where its connection comes from.
  const char* stranger_address;
  const char* stranger_source;
} cluster_peer_event;

// A server that is no member, and greets. Only the identity is proven.
typedef struct cluster_stranger {
  uint32_t size;     // of this struct, as the library knows it
  int32_t id;        // that it claims to have
  int32_t identity;  // that its connection proved, or CLUSTER_NOBODY
  // That it claims to have, not escaped, and where its connection comes from.
  const char* address;
  const char* source;
} cluster_stranger;

// ---- Servers ----

typedef struct cluster_server cluster_server;

// Makes the server `id` of a config. It checks everything, opens nothing and
// starts no thread. It reads files, and may wait for them.
// CLUSTER_NOT_FOUND: the file does not exist, or the config has no such id.
// CLUSTER_INVALID_ARGUMENT: an error in the config; the text has its line.
// CLUSTER_FAILED_PRECONDITION: it would listen in plaintext for other machines.
CLUSTER_EXPORT cluster_status cluster_server_new(int32_t id,
                                                 const char* config_file,
                                                 cluster_server** server);
// The same from the config's text, JSON in UTF-8. Relative paths in it start at
// the working directory.
CLUSTER_EXPORT cluster_status cluster_server_new_from_text(
    int32_t id, const char* config, cluster_server** server);

// Stops the server and frees it. It blocks as cluster_server_stop does. No other
// call on the server may run or follow. Call it outside the server's handlers.
// Ignores NULL.
CLUSTER_EXPORT void cluster_server_free(cluster_server* server);

// Handlers run one at a time per server, on a thread of the library. The struct
// and all that it points to are valid until the handler returns. In a handler
// sending never waits; receive, flush and reload_security answer
// CLUSTER_FAILED_PRECONDITION, and stop does nothing. A handler must not leave
// by longjmp or an exception.
typedef void (*cluster_envelope_handler)(const cluster_envelope* envelope,
                                         void* user);
typedef void (*cluster_peer_event_handler)(const cluster_peer_event* event,
                                           void* user);
typedef void (*cluster_stranger_handler)(const cluster_stranger* stranger,
                                         void* user);
typedef void (*cluster_fate_handler)(const cluster_fate* fate, void* user);

// Sets a handler for all envelopes, instead of cluster_server_receive. `user` is
// for the handler, and has to live until the server is stopped.
// CLUSTER_FAILED_PRECONDITION: after the first call that starts or stops it.
CLUSTER_EXPORT cluster_status cluster_server_on_envelope(
    cluster_server* server, cluster_envelope_handler handler, void* user);
// Sets a handler for peer events; without one only cluster_server_receive_any has
// them. It may run before cluster_server_start returns. Errors as
// cluster_server_on_envelope's.
CLUSTER_EXPORT cluster_status cluster_server_on_peer_event(
    cluster_server* server, cluster_peer_event_handler handler, void* user);
// Sets a handler for servers that greet and are no members, instead of the events
// CLUSTER_PEER_STRANGER. It may admit one, by cluster_server_add_peer. With
// security admit only one whose `identity` is its `id`. Errors as
// cluster_server_on_envelope's.
CLUSTER_EXPORT cluster_status cluster_server_on_stranger(
    cluster_server* server, cluster_stranger_handler handler, void* user);
// Sets a handler for the fates of envelopes that were sent with report_fate. Errors
// as cluster_server_on_envelope's.
CLUSTER_EXPORT cluster_status cluster_server_on_fate(
    cluster_server* server, cluster_fate_handler handler, void* user);

// Starts sending. The first of start_sending and start_receiving binds the
// server's address and dials the others in the background; both are idempotent.
// They may wait for a look-up of the own host name.
// CLUSTER_ALREADY_EXISTS: the address is in use. CLUSTER_RESOURCE_EXHAUSTED: no
// more threads or descriptors. CLUSTER_FAILED_PRECONDITION: in a child of fork,
// if the parent has started this server or, with nng, any.
CLUSTER_EXPORT cluster_status
cluster_server_start_sending(cluster_server* server);
// Starts receiving. Errors as cluster_server_start_sending's.
CLUSTER_EXPORT cluster_status
cluster_server_start_receiving(cluster_server* server);
// Both in one.
CLUSTER_EXPORT cluster_status cluster_server_start(cluster_server* server);

// Tries to get accepted envelopes out, then closes. It blocks for at most
// linger_ms of the config and a little, and until a running handler has
// returned. No handler runs afterwards. Idempotent. Ignores NULL.
CLUSTER_EXPORT void cluster_server_stop(cluster_server* server);

// Accepts an envelope for its pid: another member, this server or
// CLUSTER_BROADCAST. It copies the payload. Waits for at most `timeout_ms` for
// room in the peer's queue; never in a handler. `id` may be NULL; else it gets
// the message's id.
//
// CLUSTER_RESOURCE_EXHAUSTED: no room (with timeout 0 or in a handler), or no
// memory. CLUSTER_DEADLINE_EXCEEDED: no room in time. CLUSTER_NOT_FOUND: no such
// member. CLUSTER_INVALID_ARGUMENT: the payload is too large; or a field has no
// meaning, also one that only a later library knows.
// CLUSTER_FAILED_PRECONDITION: sending was not started. CLUSTER_CANCELLED: the
// server was stopped. A broadcast answers the first recipient's error; the
// others got theirs.
CLUSTER_EXPORT cluster_status
cluster_server_send(cluster_server* server, const cluster_envelope* envelope,
                    int64_t timeout_ms, cluster_message_id* id);

// Sends one envelope to several members and ignores its pid. It checks all pids
// before it sends anything; duplicates count once. `pids` has `count` ids, and
// `results`, if it is not NULL, room for `count` statuses: one for each pid. It
// returns CLUSTER_OK if every recipient's queue took the envelope, else the first
// recipient's error. If it sent nothing, each result is that error, and `id` gets
// zeros. Errors as cluster_server_send's.
CLUSTER_EXPORT cluster_status cluster_server_multicast(
    cluster_server* server, const int32_t* pids, size_t count,
    const cluster_envelope* envelope, int64_t timeout_ms,
    cluster_message_id* id, cluster_status* results);

// Both with options. CLUSTER_UNAVAILABLE: only_if_up. CLUSTER_FAILED_PRECONDITION:
// also report_fate without a handler of fates. CLUSTER_RESOURCE_EXHAUSTED: also
// 65536 envelopes that wait for their fates.
CLUSTER_EXPORT cluster_status cluster_server_send_with(
    cluster_server* server, const cluster_envelope* envelope,
    const cluster_send_options* options, cluster_message_id* id);
CLUSTER_EXPORT cluster_status cluster_server_multicast_with(
    cluster_server* server, const int32_t* pids, size_t count,
    const cluster_envelope* envelope, const cluster_send_options* options,
    cluster_message_id* id, cluster_status* results);

// Drops the envelope with that cluster_send_options.replaces, pid, lane and group,
// and counts it. CLUSTER_NOT_FOUND: there is none that is not transmitted yet.
CLUSTER_EXPORT cluster_status cluster_server_withdraw(cluster_server* server,
                                                      int32_t pid, uint8_t lane,
                                                      uint64_t group,
                                                      uint64_t replaces);

// Takes the next envelope; waits for at most `timeout_ms`. Free it with
// cluster_envelope_free.
// CLUSTER_DEADLINE_EXCEEDED: no envelope came. CLUSTER_CANCELLED: the server was
// stopped. CLUSTER_FAILED_PRECONDITION: receiving was not started, or there is a
// handler for envelopes, or in a handler.
CLUSTER_EXPORT cluster_status
cluster_server_receive(cluster_server* server, int64_t timeout_ms,
                       const cluster_envelope** envelope);
// Frees an envelope that the library gave to the caller. Ignores NULL.
CLUSTER_EXPORT void cluster_envelope_free(const cluster_envelope* envelope);

// Takes the next envelope or event, in one order; waits for at most `timeout_ms`.
// It sets one of the two, and the other to NULL. Free it with
// cluster_envelope_free, or with cluster_peer_event_free. Errors as
// cluster_server_receive's; CLUSTER_FAILED_PRECONDITION also with a handler of
// events or strangers. cluster_server_receive passes events over.
CLUSTER_EXPORT cluster_status cluster_server_receive_any(
    cluster_server* server, int64_t timeout_ms,
    const cluster_envelope** envelope, const cluster_peer_event** event);
// Frees an event of cluster_server_receive_any. Ignores NULL.
CLUSTER_EXPORT void cluster_peer_event_free(const cluster_peer_event* event);

// A descriptor for an event loop: readable while there is something to receive,
// and after a stop. Poll it only; the server reads, writes and closes it. Then
// receive with timeout 0 until CLUSTER_DEADLINE_EXCEEDED.
// CLUSTER_FAILED_PRECONDITION: there is a handler for envelopes.
// CLUSTER_RESOURCE_EXHAUSTED: no descriptor.
CLUSTER_EXPORT cluster_status cluster_server_notify_fd(cluster_server* server,
                                                       int* fd);

// Says that the application lives, for application_timeout_ms of the config: call
// it more often than that. From the first call on this alone counts. Ignores NULL.
CLUSTER_EXPORT void cluster_server_renew(cluster_server* server);

// Waits for at most `timeout_ms` until every envelope to `pid` that was accepted
// before the call is acknowledged, or dropped and counted. CLUSTER_BROADCAST
// means to all servers.
// CLUSTER_DEADLINE_EXCEEDED: the text names the servers that are behind.
// CLUSTER_NOT_FOUND: no such member. CLUSTER_FAILED_PRECONDITION: best-effort
// delivery, or in a handler. CLUSTER_CANCELLED: the server was stopped.
CLUSTER_EXPORT cluster_status cluster_server_flush(cluster_server* server,
                                                   int32_t pid,
                                                   int64_t timeout_ms);

// Adds a member, before or after start, without waiting for a connection. It
// replaces the address of a member whose port is 0.
// CLUSTER_ALREADY_EXISTS: the id is a member. CLUSTER_INVALID_ARGUMENT: the id
// or the address is wrong, or the address is another member's.
CLUSTER_EXPORT cluster_status cluster_server_add_peer(cluster_server* server,
                                                      int32_t id,
                                                      const char* address);
// Removes a member. Envelopes that it has not acknowledged are dropped and
// counted. CLUSTER_NOT_FOUND: no such member.
CLUSTER_EXPORT cluster_status cluster_server_remove_peer(cluster_server* server,
                                                         int32_t id);
// The same, but first waits for at most `drain_ms` until the member has
// acknowledged all; sending to it is CLUSTER_NOT_FOUND from the call on.
// CLUSTER_DEADLINE_EXCEEDED: it was removed, and not all was acknowledged.
// CLUSTER_FAILED_PRECONDITION: it would wait in a handler.
CLUSTER_EXPORT cluster_status cluster_server_drain_and_remove_peer(
    cluster_server* server, int32_t id, int64_t drain_ms);
// Gives a member another address, which is dialled. Its queue stays, and its
// session too if the same process answers there. Errors as
// cluster_server_add_peer's; CLUSTER_NOT_FOUND: no such member.
CLUSTER_EXPORT cluster_status cluster_server_update_peer(cluster_server* server,
                                                         int32_t id,
                                                         const char* address);

// Reads the key files again, for new connections. It may block for a moment.
// After an error all is as it was. CLUSTER_FAILED_PRECONDITION: security is not
// configured, or in a handler.
CLUSTER_EXPORT cluster_status
cluster_server_reload_security(cluster_server* server);

// The other members' ids, sorted. Writes the first `capacity` of them to `ids`,
// and the number of all to `count`, which may be NULL. `ids` may be NULL if the
// capacity is 0. CLUSTER_OUT_OF_RANGE: there are more than `capacity`; the
// outputs are set.
CLUSTER_EXPORT cluster_status cluster_server_peers(cluster_server* server,
                                                   int32_t* ids,
                                                   size_t capacity,
                                                   size_t* count);

// The address at which the server listens, port resolved; before that the
// configured one. Writes at most `capacity` bytes with the zero at the end, and
// to `length`, which may be NULL, the length without it. CLUSTER_OUT_OF_RANGE:
// the text was cut; the outputs are set. 512 bytes are enough.
CLUSTER_EXPORT cluster_status cluster_server_address(cluster_server* server,
                                                     char* address,
                                                     size_t capacity,
                                                     size_t* length);

// ---- Requests and answers ----

// Ties answers to requests, by cluster_envelope.correlation. Give it each envelope
// and each event of the server. One for each server, which outlives it: stop the
// server, free the caller, free the server. cluster/caller.h has more.
typedef struct cluster_caller cluster_caller;

// The end of a call, once. With CLUSTER_OK `answer` is valid until it returns; else
// it is NULL, and cluster_last_error has the text. CLUSTER_UNAVAILABLE: the peer
// went down before the request left, and nothing ran. CLUSTER_UNKNOWN: it went
// after that, and the request may have run, or may run still.
// CLUSTER_DEADLINE_EXCEEDED: no answer in time. CLUSTER_CANCELLED: the call was
// cancelled, or the caller freed. It runs in cluster_caller_on_envelope,
// on_peer_event, cancel and free, or on a thread of the library. It must not free
// the caller.
typedef void (*cluster_answer_handler)(cluster_status status,
                                       const cluster_envelope* answer,
                                       void* user);

CLUSTER_EXPORT cluster_status cluster_caller_new(cluster_server* server,
                                                 cluster_caller** caller);
// Ends the calls that wait. Ignores NULL.
CLUSTER_EXPORT void cluster_caller_free(cluster_caller* caller);

// Sends the request to `pid`, whatever its own pid and correlation are. `call` may
// be NULL; else it gets a number for cluster_caller_cancel. After an error the
// handler never runs. It may run before this returns. `deadline_ms` is positive or
// CLUSTER_FOREVER.
// CLUSTER_UNAVAILABLE: the peer is not up. CLUSTER_RESOURCE_EXHAUSTED: its queue is
// full, or 65536 calls wait. Else as cluster_server_send.
CLUSTER_EXPORT cluster_status
cluster_caller_call(cluster_caller* caller, int32_t pid,
                    const cluster_envelope* request, int64_t deadline_ms,
                    cluster_answer_handler handler, void* user, uint64_t* call);
// Ends a call with CLUSTER_CANCELLED. CLUSTER_NOT_FOUND: it has ended.
CLUSTER_EXPORT cluster_status cluster_caller_cancel(cluster_caller* caller,
                                                    uint64_t call);

// Sends an answer to the request, whatever the answer's pid, group and correlation
// are. Does not wait. CLUSTER_INVALID_ARGUMENT: the request wants none.
// CLUSTER_RESOURCE_EXHAUSTED: answer_bytes_reserved of the config is used up.
CLUSTER_EXPORT cluster_status
cluster_caller_answer(cluster_caller* caller, const cluster_envelope* request,
                      const cluster_envelope* answer);

// Give it each envelope: not 0 if it was an answer. And each event.
CLUSTER_EXPORT int cluster_caller_on_envelope(cluster_caller* caller,
                                              const cluster_envelope* envelope);
CLUSTER_EXPORT void cluster_caller_on_peer_event(
    cluster_caller* caller, const cluster_peer_event* event);

// ---- Statistics ----

// The counters and gauges of a server at one moment. cluster/stats.h says what
// each counts; docs/c.md lists the names.
typedef struct cluster_stats cluster_stats;

// Instead of a peer: the server itself, and the sums of the peers that were
// removed long ago. The server's own id means its envelopes to itself.
#define CLUSTER_STATS_SERVER (-1)
#define CLUSTER_STATS_REMOVED (-2)

// Takes a snapshot; free it with cluster_stats_free. It works after stop too.
CLUSTER_EXPORT cluster_status cluster_server_stats(cluster_server* server,
                                                   cluster_stats** stats);
// Ignores NULL.
CLUSTER_EXPORT void cluster_stats_free(cluster_stats* stats);

// The ids of the peers in it, sorted: the members, and the last that were
// removed. Outputs and errors as cluster_server_peers's.
CLUSTER_EXPORT cluster_status cluster_stats_peers(const cluster_stats* stats,
                                                  int32_t* ids, size_t capacity,
                                                  size_t* count);

// The name of a figure of a peer, or of CLUSTER_STATS_SERVER. `index` counts from
// 0. NULL: past the last one, or `stats` is NULL. A name is valid for ever.
CLUSTER_EXPORT const char* cluster_stats_name(const cluster_stats* stats,
                                              int32_t peer, size_t index);

// One figure. Bytes are bytes; names say other units ("rtt_ns"). Times count
// from 1970, and are 0 if there is none. CLUSTER_NOT_FOUND: no such peer.
// CLUSTER_INVALID_ARGUMENT: no such name.
CLUSTER_EXPORT cluster_status cluster_stats_get(const cluster_stats* stats,
                                                int32_t peer, const char* name,
                                                uint64_t* value);

// The latest refusal or loss of a peer, for people; "" if there is none. NULL:
// no such peer, or `stats` is NULL. Valid until `stats` is freed.
CLUSTER_EXPORT const char* cluster_stats_last_trouble(
    const cluster_stats* stats, int32_t peer);

// NOLINTEND(modernize-use-using)

#ifdef __cplusplus
}  // extern "C"
#endif

#endif  // CLUSTER_C_CLUSTER_H_
