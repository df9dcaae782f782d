// A C99 program that calls every function of the C API, over TEST_TRANSPORT.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster/c/cluster.h"

#define TIMEOUT_MS 60000
#define SERVERS 3

#define CHECK(condition)                                                  \
  do {                                                                    \
    if (!(condition)) {                                                   \
      fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, \
              cluster_last_error());                                      \
      exit(1);                                                            \
    }                                                                     \
  } while (0)
#define CHECK_OK(call) CHECK((call) == CLUSTER_OK)

// Answers each request with a response, and counts. Runs on one thread at a time.
typedef struct answerer {
  cluster_server* server;
  cluster_caller* caller;
  int requests;
} answerer;

static void answer(const cluster_envelope* request, void* user) {
  answerer* const self = user;
  cluster_envelope response = CLUSTER_ENVELOPE_INIT;
  CHECK(request->size == sizeof(*request));
  response.pid = request->sender_id;
  response.msg_type = CLUSTER_REQUEST_VOTE_RESPONSE;
  response.term = request->term;
  response.voted = 1;
  response.payload = request->payload;
  response.payload_size = request->payload_size;
  ++self->requests;
  if (request->correlation != 0) {  // a call's
    CHECK_OK(cluster_caller_answer(self->caller, request, &response));
    return;
  }
  response.correlation = request->message_id.sequence;
  CHECK_OK(cluster_server_send(self->server, &response, 0, NULL));
}

static void remember_up(const cluster_peer_event* event, void* user) {
  CHECK(event->size == sizeof(*event));
  CHECK(strstr(event->text, "peer") != NULL);
  CHECK(event->reason != NULL && event->stranger_address[0] == '\0');
  if (event->type == CLUSTER_PEER_UP) *(int32_t*)user = event->peer;
}

static void tell_fate(const cluster_fate* fate, void* user) {
  const int* const pipe_end = user;
  CHECK(fate->size == sizeof(*fate) && fate->message_id.sequence > 0);
  CHECK(strstr(fate->text, "envelope ") == fate->text);
  CHECK(write(*pipe_end, &fate->dropped, sizeof(fate->dropped)) > 0);
}

// Waits for a fate: a cluster_drop_reason.
static int32_t next_fate(int pipe_end) {
  int32_t dropped = 99;
  CHECK(read(pipe_end, &dropped, sizeof(dropped)) == sizeof(dropped));
  return dropped;
}

static void admit_nobody(const cluster_stranger* stranger, void* user) {
  (void)stranger;
  (void)user;
}

// The ends of calls, all on the thread of main.
typedef struct outcome {
  cluster_status status;
  size_t payload_size;
  int runs;
} outcome;

static void remember_outcome(cluster_status status,
                             const cluster_envelope* answered, void* user) {
  outcome* const self = user;
  self->status = status;
  self->payload_size = answered == NULL ? 0 : answered->payload_size;
  CHECK((answered == NULL) == (status != CLUSTER_OK));
  ++self->runs;
}

// Takes what comes until it was an envelope. Returns whether it was an answer.
static int take_envelope(cluster_server* server, cluster_caller* caller) {
  while (1) {
    const cluster_envelope* envelope = NULL;
    const cluster_peer_event* event = NULL;
    CHECK_OK(cluster_server_receive_any(server, TIMEOUT_MS, &envelope, &event));
    CHECK((envelope == NULL) != (event == NULL));
    if (event != NULL) {
      CHECK(event->size == sizeof(*event) && event->text[0] != '\0');
      cluster_caller_on_peer_event(caller, event);
      cluster_peer_event_free(event);
    } else {
      const int was_answer = cluster_caller_on_envelope(caller, envelope);
      cluster_envelope_free(envelope);
      return was_answer;
    }
  }
}

// What Raft needs besides: options, fates, calls, and changes of the members.
// Server 1 sends, and the others answer. `fates` is the reading end of a pipe.
static void try_the_rest(cluster_server* server, int fates) {
  const int memory = strcmp(TEST_TRANSPORT, "memory") == 0;
  const int32_t two = 2;
  cluster_send_options options = CLUSTER_SEND_OPTIONS_INIT;
  cluster_envelope request = CLUSTER_ENVELOPE_INIT;
  cluster_caller* caller = NULL;
  cluster_status result;
  outcome ended = {CLUSTER_INTERNAL, 0, 0};
  uint64_t call = 0;
  int fd = -1;

  request.pid = 2;
  request.payload = "abc";
  request.payload_size = 3;
  options.only_if_up = 1;
  options.report_fate = 1;
  options.timeout_ms = TIMEOUT_MS;
  options.expires_after_ms = TIMEOUT_MS;
  CHECK_OK(cluster_caller_new(server, &caller));
  CHECK_OK(cluster_server_send_with(server, &request, &options, NULL));
  CHECK(take_envelope(server, caller) == 0);
  CHECK(next_fate(fates) == CLUSTER_ACKNOWLEDGED);
  CHECK_OK(cluster_server_multicast_with(server, &two, 1, &request, &options,
                                         NULL, &result));
  CHECK(result == CLUSTER_OK && take_envelope(server, caller) == 0);
  CHECK(next_fate(fates) == CLUSTER_ACKNOWLEDGED);

  CHECK_OK(cluster_server_notify_fd(server, &fd));
  CHECK(fd >= 0);
  CHECK_OK(cluster_caller_call(caller, 2, &request, TIMEOUT_MS,
                               remember_outcome, &ended, NULL));
  CHECK(take_envelope(server, caller) == 1);
  CHECK(ended.runs == 1 && ended.status == CLUSTER_OK);
  CHECK(ended.payload_size == 3);
  CHECK_OK(cluster_caller_call(caller, 2, &request, CLUSTER_FOREVER,
                               remember_outcome, &ended, &call));
  CHECK_OK(cluster_caller_cancel(caller, call));
  CHECK(ended.runs == 2 && ended.status == CLUSTER_CANCELLED);
  CHECK(cluster_caller_cancel(caller, call) == CLUSTER_NOT_FOUND);
  CHECK(take_envelope(server, caller) == 1);  // it came too late

  CHECK_OK(
      cluster_server_add_peer(server, 9, memory ? "nowhere" : "127.0.0.1:9"));
  CHECK_OK(
      cluster_server_update_peer(server, 9, memory ? "else" : "127.0.0.1:10"));
  CHECK(cluster_server_update_peer(server, 8, "a") == CLUSTER_NOT_FOUND);
  request.pid = 9;
  CHECK(cluster_server_send_with(server, &request, &options, NULL) ==
        CLUSTER_UNAVAILABLE);
  CHECK(cluster_caller_call(caller, 9, &request, TIMEOUT_MS, remember_outcome,
                            &ended, &call) == CLUSTER_UNAVAILABLE);
  options.only_if_up = 0;
  options.replaces = 7;
  CHECK_OK(cluster_server_send_with(server, &request, &options, NULL));
  CHECK_OK(cluster_server_send_with(server, &request, &options, NULL));
  CHECK(next_fate(fates) == CLUSTER_DROPPED_SUPERSEDED);
  CHECK_OK(cluster_server_withdraw(server, 9, CLUSTER_LANE_NORMAL, 0, 7));
  CHECK(next_fate(fates) == CLUSTER_DROPPED_WITHDRAWN);
  CHECK(cluster_server_withdraw(server, 9, CLUSTER_LANE_NORMAL, 0, 7) ==
        CLUSTER_NOT_FOUND);
  options.expires_after_ms = 1;
  CHECK_OK(cluster_server_send_with(server, &request, &options, NULL));
  CHECK(next_fate(fates) == CLUSTER_DROPPED_EXPIRED);
  options.expires_after_ms = CLUSTER_FOREVER;
  CHECK_OK(cluster_server_send_with(server, &request, &options, NULL));
  CHECK(cluster_server_drain_and_remove_peer(server, 9, 1) ==
        CLUSTER_DEADLINE_EXCEEDED);
  CHECK(next_fate(fates) == CLUSTER_DROPPED_REMOVED);
  cluster_server_renew(server);
  CHECK(ended.runs == 2);
  cluster_caller_free(caller);
}

// Server 1, 2 or 3 of a config in which every port is 0.
static cluster_server* make(int32_t id) {
  const int memory = strcmp(TEST_TRANSPORT, "memory") == 0;
  char config[512];
  cluster_server* server = NULL;
  snprintf(config, sizeof(config),
           "{\"cluster\": \"c\", \"transport\": \"%s\", \"servers\": ["
           "{\"id\": 1, \"address\": \"%s\"}, {\"id\": 2, \"address\": \"%s\"},"
           "{\"id\": 3, \"address\": \"%s\"}]}",
           TEST_TRANSPORT, memory ? "one" : "127.0.0.1:0",
           memory ? "two" : "127.0.0.1:0", memory ? "three" : "127.0.0.1:0");
  CHECK_OK(cluster_server_new_from_text(id, config, &server));
  return server;
}

// Lets the servers know each other's ports.
static void introduce(cluster_server* const* servers) {
  int32_t i, j;
  if (strcmp(TEST_TRANSPORT, "memory") == 0) return;
  for (i = 0; i < SERVERS; ++i) {
    char address[512];
    size_t length = 0;
    CHECK_OK(
        cluster_server_address(servers[i], address, sizeof(address), &length));
    CHECK(length == strlen(address));
    for (j = 0; j < SERVERS; ++j) {
      if (i != j) CHECK_OK(cluster_server_add_peer(servers[j], i + 1, address));
    }
  }
}

static uint64_t figure(cluster_server* server, int32_t peer, const char* name) {
  cluster_stats* stats = NULL;
  uint64_t value = 0;
  CHECK_OK(cluster_server_stats(server, &stats));
  CHECK_OK(cluster_stats_get(stats, peer, name, &value));
  cluster_stats_free(stats);
  return value;
}

static void show_stats(cluster_server* server) {
  cluster_stats* stats = NULL;
  int32_t peers[SERVERS];
  const char* name;
  size_t count = 0, i;
  CHECK_OK(cluster_server_stats(server, &stats));
  CHECK_OK(cluster_stats_peers(stats, peers, SERVERS, &count));
  CHECK(count == 2 && peers[0] == 2 && peers[1] == 3);
  CHECK(strcmp(cluster_stats_last_trouble(stats, 2), "") == 0);
  for (i = 0; (name = cluster_stats_name(stats, 2, i)) != NULL; ++i) {
    uint64_t value = 0;
    CHECK_OK(cluster_stats_get(stats, 2, name, &value));
    printf("%s %llu\n", name, (unsigned long long)value);
  }
  CHECK(i > 20);
  cluster_stats_free(stats);
}

int main(void) {
  cluster_server* servers[SERVERS];
  answerer two = {NULL, NULL, 0}, three = {NULL, NULL, 0};
  const int32_t others[] = {3, 2, 3};
  cluster_status results[3];
  cluster_envelope request = CLUSTER_ENVELOPE_INIT;
  const cluster_envelope* response = NULL;
  cluster_message_id id = {0, 0};
  int32_t up = 0, peers[SERVERS];
  size_t count = 0;
  int i, fates[2];

  CHECK(cluster_abi_version() >> 16 == CLUSTER_ABI_MAJOR);
  CHECK(strchr(cluster_version(), '.') != NULL);
  CHECK(cluster_server_new(1, "/nowhere/cluster.json", &servers[0]) ==
        CLUSTER_NOT_FOUND);
  CHECK(strstr(cluster_last_error(), "/nowhere/cluster.json") != NULL);

  for (i = 0; i < SERVERS; ++i) servers[i] = make(i + 1);
  two.server = servers[1];
  three.server = servers[2];
  CHECK_OK(cluster_server_on_envelope(servers[1], answer, &two));
  CHECK_OK(cluster_server_on_envelope(servers[2], answer, &three));
  CHECK_OK(cluster_caller_new(two.server, &two.caller));
  CHECK_OK(cluster_server_on_peer_event(servers[1], remember_up, &up));
  CHECK_OK(cluster_server_on_stranger(servers[1], admit_nobody, NULL));
  CHECK(pipe(fates) == 0);
  CHECK_OK(cluster_server_on_fate(servers[0], tell_fate, &fates[1]));
  CHECK_OK(cluster_server_start_sending(servers[0]));
  CHECK_OK(cluster_server_start_receiving(servers[0]));
  CHECK_OK(cluster_server_start(servers[1]));
  CHECK_OK(cluster_server_start(servers[2]));
  introduce(servers);

  CHECK_OK(cluster_server_peers(servers[0], peers, SERVERS, &count));
  CHECK(count == 2 && peers[0] == 2 && peers[1] == 3);

  request.pid = 2;
  request.msg_type = CLUSTER_REQUEST_VOTE_REQUEST;
  request.lane = CLUSTER_LANE_URGENT;
  request.term = 7;
  request.payload = "a\0b";
  request.payload_size = 3;
  CHECK_OK(cluster_server_send(servers[0], &request, TIMEOUT_MS, &id));
  CHECK(id.incarnation != 0 && id.sequence == 1);
  CHECK_OK(cluster_server_receive(servers[0], TIMEOUT_MS, &response));
  CHECK(response->size == sizeof(*response));
  CHECK(response->pid == 1 && response->sender_id == 2);
  CHECK(response->msg_type == CLUSTER_REQUEST_VOTE_RESPONSE);
  CHECK(response->lane == CLUSTER_LANE_NORMAL);
  CHECK(response->term == 7 && response->voted == 1);
  CHECK(response->correlation == id.sequence && response->group == 0);
  CHECK(response->message_id.sequence == 1);
  CHECK(response->payload_size == 3);
  CHECK(memcmp(response->payload, "a\0b", 3) == 0);
  cluster_envelope_free(response);

  request.pid = CLUSTER_BROADCAST;
  CHECK_OK(cluster_server_send(servers[0], &request, TIMEOUT_MS, NULL));
  CHECK_OK(cluster_server_multicast(servers[0], others, 3, &request, TIMEOUT_MS,
                                    &id, results));
  CHECK(id.sequence == 3);
  for (i = 0; i < 3; ++i) CHECK(results[i] == CLUSTER_OK);
  for (i = 0; i < 4; ++i) {
    CHECK_OK(cluster_server_receive(servers[0], TIMEOUT_MS, &response));
    cluster_envelope_free(response);
  }
  CHECK(cluster_server_receive(servers[0], 0, &response) ==
        CLUSTER_DEADLINE_EXCEEDED);
  CHECK_OK(cluster_server_flush(servers[0], 2, TIMEOUT_MS));
  CHECK_OK(cluster_server_flush(servers[0], CLUSTER_BROADCAST, TIMEOUT_MS));
  CHECK(figure(servers[0], 2, "acknowledged") == 3);
  CHECK(figure(servers[0], CLUSTER_STATS_SERVER, "delivered") == 5);
  CHECK(figure(servers[0], 1, "accepted") == 0);
  CHECK(figure(servers[0], CLUSTER_STATS_REMOVED, "accepted") == 0);
  show_stats(servers[0]);

  try_the_rest(servers[0], fates[0]);

  CHECK(cluster_server_reload_security(servers[0]) != CLUSTER_OK);
  CHECK_OK(cluster_server_remove_peer(servers[0], 3));
  CHECK(cluster_server_remove_peer(servers[0], 3) == CLUSTER_NOT_FOUND);

  for (i = 0; i < SERVERS; ++i) cluster_server_stop(servers[i]);
  CHECK(two.requests == 7 && three.requests == 2 && up != 0);
  CHECK(cluster_server_receive(servers[0], CLUSTER_FOREVER, &response) ==
        CLUSTER_CANCELLED);
  cluster_caller_free(two.caller);
  for (i = 0; i < SERVERS; ++i) cluster_server_free(servers[i]);
  return 0;
}
