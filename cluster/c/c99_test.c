// A C99 program that calls every function of the C API, over TEST_TRANSPORT.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
  response.correlation = request->message_id.sequence;
  CHECK_OK(cluster_server_send(self->server, &response, 0, NULL));
  ++self->requests;
}

static void remember_up(const cluster_peer_event* event, void* user) {
  CHECK(event->size == sizeof(*event));
  CHECK(strstr(event->text, "peer") != NULL);
  CHECK(event->reason != NULL && event->stranger_address[0] == '\0');
  if (event->type == CLUSTER_PEER_UP) *(int32_t*)user = event->peer;
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
  answerer two = {NULL, 0}, three = {NULL, 0};
  const int32_t others[] = {3, 2, 3};
  cluster_status results[3];
  cluster_envelope request = CLUSTER_ENVELOPE_INIT;
  const cluster_envelope* response = NULL;
  cluster_message_id id = {0, 0};
  int32_t up = 0, peers[SERVERS];
  size_t count = 0;
  int i;

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
  CHECK_OK(cluster_server_on_peer_event(servers[1], remember_up, &up));
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

  CHECK(cluster_server_reload_security(servers[0]) != CLUSTER_OK);
  CHECK_OK(cluster_server_remove_peer(servers[0], 3));
  CHECK(cluster_server_remove_peer(servers[0], 3) == CLUSTER_NOT_FOUND);

  for (i = 0; i < SERVERS; ++i) cluster_server_stop(servers[i]);
  CHECK(two.requests == 3 && three.requests == 2 && up != 0);
  CHECK(cluster_server_receive(servers[0], CLUSTER_FOREVER, &response) ==
        CLUSTER_CANCELLED);
  for (i = 0; i < SERVERS; ++i) cluster_server_free(servers[i]);
  return 0;
}
