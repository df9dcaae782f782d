/* A user's program in C on the installed library: an envelope between two servers. */

#include <stdio.h>
#include <string.h>

#include "cluster/c/cluster.h"

static int fail(const char* step) {
  fprintf(stderr, "%s: %s\n", step, cluster_last_error());
  return 1;
}

/* consumer.c CONFIG: the config of servers 1 and 2 over the memory transport. */
int main(int argc, char** argv) {
  cluster_server* one = NULL;
  cluster_server* two = NULL;
  const cluster_envelope* got = NULL;
  cluster_envelope envelope = CLUSTER_ENVELOPE_INIT;
  int equal;
  if (argc != 2) return 2;
  if (cluster_server_new(1, argv[1], &one) != CLUSTER_OK) return fail("new 1");
  if (cluster_server_new(2, argv[1], &two) != CLUSTER_OK) return fail("new 2");
  if (cluster_server_start(one) != CLUSTER_OK) return fail("start 1");
  if (cluster_server_start(two) != CLUSTER_OK) return fail("start 2");
  envelope.pid = 2;
  envelope.payload = "hello";
  envelope.payload_size = 5;
  if (cluster_server_send(one, &envelope, 0, NULL) != CLUSTER_OK)
    return fail("send");
  if (cluster_server_receive(two, 60000, &got) != CLUSTER_OK)
    return fail("receive");
  equal = got->payload_size == 5 && memcmp(got->payload, "hello", 5) == 0;
  cluster_envelope_free(got);
  cluster_server_free(one);
  cluster_server_free(two);
  return equal ? 0 : 1;
}
