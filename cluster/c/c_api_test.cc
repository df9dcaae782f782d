// The C API where it differs from C++: pointers, sizes, texts and memory.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/base/mutex.h"
#include "cluster/base/testing/failing_allocations.h"
#include "cluster/c/cluster.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t kLong = 60'000;

struct Free {
  void operator()(cluster_server* server) const { cluster_server_free(server); }
  void operator()(cluster_stats* stats) const { cluster_stats_free(stats); }
  void operator()(const cluster_envelope* envelope) const {
    cluster_envelope_free(envelope);
  }
};
using ServerPtr = std::unique_ptr<cluster_server, Free>;
using StatsPtr = std::unique_ptr<cluster_stats, Free>;
using EnvelopePtr = std::unique_ptr<const cluster_envelope, Free>;

std::string ConfigText(const std::string& more = "") {
  return absl::StrCat(
      R"({"cluster": "c-api", "transport": "memory", "servers": [)",
      R"({"id": 1, "address": "c1"}, {"id": 2, "address": "c2"}])", more, "}");
}

ServerPtr Make(int id, const std::string& more = "") {
  cluster_server* server = nullptr;
  EXPECT_EQ(cluster_server_new_from_text(id, ConfigText(more).c_str(), &server),
            CLUSTER_OK)
      << cluster_last_error();
  return ServerPtr(server);
}

ServerPtr Started(int id, const std::string& more = "") {
  ServerPtr server = Make(id, more);
  EXPECT_EQ(cluster_server_start(server.get()), CLUSTER_OK)
      << cluster_last_error();
  return server;
}

cluster_envelope To(int pid, const char* payload = "hello") {
  cluster_envelope envelope = CLUSTER_ENVELOPE_INIT;
  envelope.pid = pid;
  envelope.payload = payload;
  envelope.payload_size = std::strlen(payload);
  return envelope;
}

cluster_status Send(const ServerPtr& server, const cluster_envelope& envelope) {
  return cluster_server_send(server.get(), &envelope, kLong, nullptr);
}

EnvelopePtr Receive(const ServerPtr& server) {
  const cluster_envelope* envelope = nullptr;
  EXPECT_EQ(cluster_server_receive(server.get(), kLong, &envelope), CLUSTER_OK)
      << cluster_last_error();
  return EnvelopePtr(envelope);
}

std::string Payload(const EnvelopePtr& envelope) {
  return std::string(static_cast<const char*>(envelope->payload),
                     envelope->payload_size);
}

// ---- Arguments ----

struct BadCall {
  const char* text;  // of the error
  std::function<cluster_status(cluster_server*)> call;
};

// Each on a started server.
std::vector<BadCall> BadCalls() {
  static const cluster_envelope good = To(2);
  static const std::int32_t pids[] = {2};
  static const cluster_envelope* received;
  static cluster_stats* stats;
  static cluster_server* made;
  static std::uint64_t value;
  static char address[8];
  static const cluster_peer_event* event;
  static const cluster_send_options no_options = CLUSTER_SEND_OPTIONS_INIT;
  static cluster_caller* caller;
  static int fd;
  const auto send_with = [](auto change) {
    cluster_send_options options = CLUSTER_SEND_OPTIONS_INIT;
    change(&options);
    return [options](cluster_server* server) {
      return cluster_server_send_with(server, &good, &options, nullptr);
    };
  };
  // On a caller of the server.
  const auto call = [](auto make) {
    return [make](cluster_server* server) {
      cluster_caller* made_caller = nullptr;
      EXPECT_EQ(cluster_caller_new(server, &made_caller), CLUSTER_OK);
      const cluster_status status = make(made_caller);
      const std::string text = cluster_last_error();
      cluster_caller_free(made_caller);
      EXPECT_EQ(cluster_last_error(), text);
      return status;
    };
  };
  const auto never = [](cluster_status, const cluster_envelope*, void*) {
    ADD_FAILURE() << "the call was refused";
  };
  const auto send = [](auto change) {
    cluster_envelope envelope = To(2);
    change(&envelope);
    return [envelope](cluster_server* server) {
      return cluster_server_send(server, &envelope, 0, nullptr);
    };
  };
  return {
      {"config_file is NULL",
       [](auto*) { return cluster_server_new(1, nullptr, &made); }},
      {"server is NULL",
       [](auto*) { return cluster_server_new(1, "a", nullptr); }},
      {"config is NULL",
       [](auto*) { return cluster_server_new_from_text(1, nullptr, &made); }},
      {"server is NULL",
       [](auto*) { return cluster_server_new_from_text(1, "{}", nullptr); }},
      {"config:1:",
       [](auto*) { return cluster_server_new_from_text(1, "x", &made); }},
      {"server is NULL", [](auto*) { return cluster_server_start(nullptr); }},
      {"server is NULL",
       [](auto*) { return cluster_server_start_sending(nullptr); }},
      {"server is NULL",
       [](auto*) { return cluster_server_start_receiving(nullptr); }},
      {"server is NULL",
       [](auto*) {
         return cluster_server_on_envelope(
             nullptr, [](const cluster_envelope*, void*) {}, nullptr);
       }},
      {"handler is NULL",
       [](auto* s) { return cluster_server_on_envelope(s, nullptr, s); }},
      {"server is NULL",
       [](auto*) {
         return cluster_server_on_peer_event(
             nullptr, [](const cluster_peer_event*, void*) {}, nullptr);
       }},
      {"handler is NULL",
       [](auto* s) { return cluster_server_on_peer_event(s, nullptr, s); }},
      {"server is NULL",
       [](auto*) { return cluster_server_send(nullptr, &good, 0, nullptr); }},
      {"envelope is NULL",
       [](auto* s) { return cluster_server_send(s, nullptr, 0, nullptr); }},
      {"timeout_ms is -2",
       [](auto* s) { return cluster_server_send(s, &good, -2, nullptr); }},
      {"an envelope of size 0: want 72",
       send([](auto* envelope) { envelope->size = 0; })},
      {"an envelope of size 71", send([](auto* e) { e->size = 71; })},
      {"an envelope of size 1025", send([](auto* e) { e->size = 1025; })},
      {"payload is NULL, and payload_size is 5",
       send([](auto* envelope) { envelope->payload = nullptr; })},
      {"payload_bytes_max",
       send([](auto* envelope) { envelope->payload_size = SIZE_MAX / 2; })},
      {"lane 3: want", send([](auto* envelope) { envelope->lane = 3; })},
      {"msg_type 4:", send([](auto* envelope) { envelope->msg_type = 4; })},
      {"msg_type 63:", send([](auto* envelope) { envelope->msg_type = 63; })},
      {"pid -2: want", send([](auto* envelope) { envelope->pid = -2; })},
      {"server is NULL",
       [](auto*) {
         return cluster_server_multicast(nullptr, pids, 1, &good, 0, nullptr,
                                         nullptr);
       }},
      {"pids is NULL",
       [](auto* s) {
         return cluster_server_multicast(s, nullptr, 1, &good, 0, nullptr,
                                         nullptr);
       }},
      {"envelope is NULL",
       [](auto* s) {
         return cluster_server_multicast(s, pids, 1, nullptr, 0, nullptr,
                                         nullptr);
       }},
      {"timeout_ms is -5",
       [](auto* s) {
         return cluster_server_multicast(s, pids, 1, &good, -5, nullptr,
                                         nullptr);
       }},
      {"server is NULL",
       [](auto*) { return cluster_server_receive(nullptr, 0, &received); }},
      {"envelope is NULL",
       [](auto* s) { return cluster_server_receive(s, 0, nullptr); }},
      {"timeout_ms is -2",
       [](auto* s) { return cluster_server_receive(s, -2, &received); }},
      {"server is NULL",
       [](auto*) { return cluster_server_flush(nullptr, -1, 0); }},
      {"timeout_ms is -9",
       [](auto* s) { return cluster_server_flush(s, -1, -9); }},
      {"pid -2", [](auto* s) { return cluster_server_flush(s, -2, 0); }},
      {"server is NULL",
       [](auto*) { return cluster_server_add_peer(nullptr, 3, "c3"); }},
      {"address is NULL",
       [](auto* s) { return cluster_server_add_peer(s, 3, nullptr); }},
      {"-3", [](auto* s) { return cluster_server_add_peer(s, -3, "c3"); }},
      {"server is NULL",
       [](auto*) { return cluster_server_remove_peer(nullptr, 2); }},
      {"server is NULL",
       [](auto*) { return cluster_server_reload_security(nullptr); }},
      {"server is NULL",
       [](auto*) {
         return cluster_server_peers(nullptr, nullptr, 0, nullptr);
       }},
      {"ids is NULL",
       [](auto* s) { return cluster_server_peers(s, nullptr, 1, nullptr); }},
      {"server is NULL",
       [](auto*) {
         return cluster_server_address(nullptr, address, 8, nullptr);
       }},
      {"address is NULL",
       [](auto* s) { return cluster_server_address(s, nullptr, 8, nullptr); }},
      {"server is NULL",
       [](auto*) { return cluster_server_stats(nullptr, &stats); }},
      {"stats is NULL",
       [](auto* s) { return cluster_server_stats(s, nullptr); }},
      {"stats is NULL",
       [](auto*) { return cluster_stats_peers(nullptr, nullptr, 0, nullptr); }},
      {"stats is NULL",
       [](auto*) { return cluster_stats_get(nullptr, 1, "up", &value); }},
      {"server is NULL",
       [](auto*) {
         return cluster_server_on_stranger(
             nullptr, [](const cluster_stranger*, void*) {}, nullptr);
       }},
      {"handler is NULL",
       [](auto* s) { return cluster_server_on_stranger(s, nullptr, s); }},
      {"server is NULL",
       [](auto*) {
         return cluster_server_on_fate(
             nullptr, [](const cluster_fate*, void*) {}, nullptr);
       }},
      {"handler is NULL",
       [](auto* s) { return cluster_server_on_fate(s, nullptr, s); }},
      {"server is NULL",
       [](auto*) {
         return cluster_server_send_with(nullptr, &good, &no_options, nullptr);
       }},
      {"envelope is NULL",
       [](auto* s) {
         return cluster_server_send_with(s, nullptr, &no_options, nullptr);
       }},
      {"options is NULL",
       [](auto* s) {
         return cluster_server_send_with(s, &good, nullptr, nullptr);
       }},
      {"options of size 0: want 32",
       send_with([](auto* options) { options->size = 0; })},
      {"begin with CLUSTER_SEND_OPTIONS_INIT",
       send_with([](auto* options) { options->size = 31; })},
      {"options: zero is 1",
       send_with([](auto* options) { options->zero = 1; })},
      {"timeout_ms is -2",
       send_with([](auto* options) { options->timeout_ms = -2; })},
      {"expires_after_ms is -3",
       send_with([](auto* options) { options->expires_after_ms = -3; })},
      {"server is NULL",
       [](auto*) {
         return cluster_server_multicast_with(nullptr, pids, 1, &good,
                                              &no_options, nullptr, nullptr);
       }},
      {"options is NULL",
       [](auto* s) {
         return cluster_server_multicast_with(s, pids, 1, &good, nullptr,
                                              nullptr, nullptr);
       }},
      {"server is NULL",
       [](auto*) { return cluster_server_withdraw(nullptr, 2, 1, 0, 1); }},
      {"server is NULL",
       [](auto*) {
         return cluster_server_receive_any(nullptr, 0, &received, &event);
       }},
      {"envelope is NULL",
       [](auto* s) {
         return cluster_server_receive_any(s, 0, nullptr, &event);
       }},
      {"event is NULL",
       [](auto* s) {
         return cluster_server_receive_any(s, 0, &received, nullptr);
       }},
      {"timeout_ms is -2",
       [](auto* s) {
         return cluster_server_receive_any(s, -2, &received, &event);
       }},
      {"server is NULL",
       [](auto*) { return cluster_server_notify_fd(nullptr, &fd); }},
      {"fd is NULL",
       [](auto* s) { return cluster_server_notify_fd(s, nullptr); }},
      {"server is NULL",
       [](auto*) {
         return cluster_server_drain_and_remove_peer(nullptr, 2, 1);
       }},
      {"drain_ms is -2",
       [](auto* s) { return cluster_server_drain_and_remove_peer(s, 2, -2); }},
      {"server is NULL",
       [](auto*) { return cluster_server_update_peer(nullptr, 2, "c3"); }},
      {"address is NULL",
       [](auto* s) { return cluster_server_update_peer(s, 2, nullptr); }},
      {"server is NULL",
       [](auto*) { return cluster_caller_new(nullptr, &caller); }},
      {"caller is NULL",
       [](auto* s) { return cluster_caller_new(s, nullptr); }},
      {"caller is NULL",
       [never](auto*) {
         return cluster_caller_call(nullptr, 2, &good, 1, never, nullptr,
                                    nullptr);
       }},
      {"envelope is NULL", call([never](auto* c) {
         return cluster_caller_call(c, 2, nullptr, 1, never, nullptr, nullptr);
       })},
      {"deadline_ms is -2", call([never](auto* c) {
         return cluster_caller_call(c, 2, &good, -2, never, nullptr, nullptr);
       })},
      {"handler is NULL", call([](auto* c) {
         return cluster_caller_call(c, 2, &good, 1, nullptr, nullptr, nullptr);
       })},
      {"pid -1", call([never](auto* c) {
         return cluster_caller_call(c, -1, &good, 1, never, nullptr, nullptr);
       })},
      {"caller is NULL",
       [](auto*) { return cluster_caller_cancel(nullptr, 1); }},
      {"caller is NULL",
       [](auto*) { return cluster_caller_answer(nullptr, &good, &good); }},
      {"envelope is NULL",
       call([](auto* c) { return cluster_caller_answer(c, nullptr, &good); })},
      {"envelope is NULL",
       call([](auto* c) { return cluster_caller_answer(c, &good, nullptr); })},
      // It was not asked.
      {"wants no answer",
       call([](auto* c) { return cluster_caller_answer(c, &good, &good); })},
  };
}

TEST(CApiTest, BadArgumentsAreErrorsWithATextAndChangeNothing) {
  const ServerPtr one = Started(1), two = Started(2);
  for (const BadCall& bad : BadCalls()) {
    SCOPED_TRACE(bad.text);
    EXPECT_EQ(bad.call(one.get()), CLUSTER_INVALID_ARGUMENT);
    EXPECT_THAT(cluster_last_error(), HasSubstr(bad.text));
  }
  ASSERT_EQ(Send(one, To(2, "good")), CLUSTER_OK) << cluster_last_error();
  EXPECT_EQ(Payload(Receive(two)), "good");
}

TEST(CApiTest, NullIsIgnoredWhereItIsFreed) {
  cluster_server_stop(nullptr);
  cluster_server_free(nullptr);
  cluster_envelope_free(nullptr);
  cluster_stats_free(nullptr);
  cluster_peer_event_free(nullptr);
  cluster_caller_free(nullptr);
  cluster_server_renew(nullptr);
  EXPECT_EQ(cluster_caller_on_envelope(nullptr, nullptr), 0);
  cluster_caller_on_peer_event(nullptr, nullptr);
  EXPECT_EQ(cluster_stats_name(nullptr, 1, 0), nullptr);
  EXPECT_EQ(cluster_stats_last_trouble(nullptr, 1), nullptr);
}

TEST(CApiTest, AnOutputIsAsItWasAfterAnError) {
  const ServerPtr one = Started(1);
  cluster_message_id id = {1, 2};
  const cluster_envelope to_nobody = To(9);
  EXPECT_EQ(cluster_server_send(one.get(), &to_nobody, 0, &id),
            CLUSTER_NOT_FOUND);
  EXPECT_EQ(id.incarnation, 1u);
  const cluster_envelope* envelope = &to_nobody;
  EXPECT_EQ(cluster_server_receive(one.get(), 0, &envelope),
            CLUSTER_DEADLINE_EXCEEDED);
  EXPECT_EQ(envelope, &to_nobody);
  cluster_server* server = one.get();
  EXPECT_EQ(cluster_server_new_from_text(7, ConfigText().c_str(), &server),
            CLUSTER_NOT_FOUND);
  EXPECT_EQ(server, one.get());
}

// ---- Structs of other versions ----

// A struct of a later header: fields that this library does not know.
struct LaterEnvelope {
  cluster_envelope known = CLUSTER_ENVELOPE_INIT;
  std::uint64_t later = 0;
};

TEST(CApiTest, ALaterStructIsTakenUnlessItUsesWhatIsUnknown) {
  const ServerPtr one = Started(1), two = Started(2);
  LaterEnvelope later;
  later.known = To(2, "later");
  later.known.size = sizeof(later);
  ASSERT_EQ(Send(one, later.known), CLUSTER_OK) << cluster_last_error();
  EXPECT_EQ(Payload(Receive(two)), "later");
  later.later = 1;
  EXPECT_EQ(Send(one, later.known), CLUSTER_INVALID_ARGUMENT);
  EXPECT_THAT(cluster_last_error(), HasSubstr("fields beyond byte 72"));
}

TEST(CApiTest, TheLayoutOfVersion1Stays) {
  EXPECT_EQ(CLUSTER_ABI_MAJOR, 1);
  if (sizeof(void*) != 8) return;
  EXPECT_EQ(offsetof(cluster_envelope, msg_type), 12u);
  EXPECT_EQ(offsetof(cluster_envelope, term), 16u);
  EXPECT_EQ(offsetof(cluster_envelope, payload), 24u);
  EXPECT_EQ(offsetof(cluster_envelope, message_id), 40u);
  EXPECT_EQ(offsetof(cluster_envelope, correlation), 64u);
  EXPECT_EQ(offsetof(cluster_peer_event, text), 16u);
  EXPECT_EQ(offsetof(cluster_peer_event, unknown_fate), 32u);
  EXPECT_EQ(offsetof(cluster_peer_event, stranger_source), 64u);
  EXPECT_EQ(offsetof(cluster_send_options, timeout_ms), 8u);
  EXPECT_EQ(offsetof(cluster_send_options, replaces), 24u);
  EXPECT_EQ(offsetof(cluster_fate, message_id), 8u);
  EXPECT_EQ(offsetof(cluster_fate, text), 32u);
  EXPECT_EQ(offsetof(cluster_stranger, source), 24u);
  EXPECT_EQ(sizeof(cluster_status), 4u);
}

// ---- Texts ----

TEST(CApiTest, EachThreadHasTheTextOfItsOwnLastFailure) {
  EXPECT_EQ(cluster_server_start(nullptr), CLUSTER_INVALID_ARGUMENT);
  const char* const mine = cluster_last_error();
  std::thread([] {
    EXPECT_STREQ(cluster_last_error(), "");
    EXPECT_EQ(cluster_server_new(1, nullptr, nullptr),
              CLUSTER_INVALID_ARGUMENT);
    EXPECT_STREQ(cluster_last_error(), "config_file is NULL");
  }).join();
  EXPECT_STREQ(mine, "server is NULL");
  // A call that succeeds leaves it.
  const ServerPtr one = Make(1);
  EXPECT_STREQ(cluster_last_error(), "server is NULL");
}

TEST(CApiTest, WhatDoesNotFitIsCutAndSaidSo) {
  const ServerPtr one = Make(1);
  char address[2] = {'x', 'x'};
  std::size_t length = 0;
  EXPECT_EQ(cluster_server_address(one.get(), address, 2, &length),
            CLUSTER_OUT_OF_RANGE);
  EXPECT_STREQ(address, "c");
  EXPECT_EQ(length, 2u);
  EXPECT_EQ(cluster_server_address(one.get(), nullptr, 0, &length),
            CLUSTER_OUT_OF_RANGE);
  char enough[3];
  EXPECT_EQ(cluster_server_address(one.get(), enough, 3, nullptr), CLUSTER_OK);
  EXPECT_STREQ(enough, "c1");

  ASSERT_EQ(cluster_server_add_peer(one.get(), 3, "c3"), CLUSTER_OK);
  std::int32_t ids[] = {0, 0, 0};
  std::size_t count = 0;
  EXPECT_EQ(cluster_server_peers(one.get(), ids, 1, &count),
            CLUSTER_OUT_OF_RANGE);
  EXPECT_EQ(count, 2u);
  EXPECT_THAT(ids, ElementsAre(2, 0, 0));
  EXPECT_EQ(cluster_server_peers(one.get(), nullptr, 0, nullptr),
            CLUSTER_OUT_OF_RANGE);
  EXPECT_EQ(cluster_server_peers(one.get(), ids, 3, nullptr), CLUSTER_OK);
  EXPECT_THAT(ids, ElementsAre(2, 3, 0));
}

// ---- Multicast ----

TEST(CApiTest, AMulticastHasAResultForEachPid) {
  // The queue for 2, which is not there, has room for one large payload.
  const ServerPtr one = Started(1, R"(, "queue_bytes_max": 65536)");
  const std::string large(60'000, 'x');
  ASSERT_EQ(Send(one, To(2, large.c_str())), CLUSTER_OK);
  const cluster_envelope envelope = To(9, large.c_str());
  const std::int32_t pids[] = {1, 2, 1, 2};
  cluster_message_id id = {0, 0};
  cluster_status results[4];
  EXPECT_EQ(
      cluster_server_multicast(one.get(), pids, 4, &envelope, 0, &id, results),
      CLUSTER_RESOURCE_EXHAUSTED);
  EXPECT_THAT(results, ElementsAre(CLUSTER_OK, CLUSTER_RESOURCE_EXHAUSTED,
                                   CLUSTER_OK, CLUSTER_RESOURCE_EXHAUSTED));
  EXPECT_EQ(id.sequence, 2u);
  EXPECT_EQ(Receive(one)->message_id.sequence, 2u);

  const std::int32_t unknown[] = {1, 9};
  EXPECT_EQ(cluster_server_multicast(one.get(), unknown, 2, &envelope, 0, &id,
                                     results),
            CLUSTER_NOT_FOUND);
  EXPECT_THAT(results, ElementsAre(CLUSTER_NOT_FOUND, CLUSTER_NOT_FOUND,
                                   CLUSTER_OK, CLUSTER_RESOURCE_EXHAUSTED));
  EXPECT_EQ(id.sequence, 0u);
  EXPECT_EQ(cluster_server_multicast(one.get(), nullptr, 0, &envelope, 0, &id,
                                     nullptr),
            CLUSTER_OK);
}

// ---- Handlers ----

// The texts of handlers, for threads to wait for.
struct Seen {
  void Add(std::string text) {
    MutexLock lock(&mutex);
    texts.push_back(std::move(text));
    changed.NotifyAll();
  }
  std::vector<std::string> WaitForCount(std::size_t count) {
    MutexLock lock(&mutex);
    EXPECT_TRUE(changed.WaitFor(&mutex, std::chrono::seconds(60),
                                [&] { return texts.size() >= count; }));
    return texts;
  }
  void WaitFor(const std::string& text) {
    MutexLock lock(&mutex);
    EXPECT_TRUE(changed.WaitFor(&mutex, std::chrono::seconds(60), [&] {
      return std::find(texts.begin(), texts.end(), text) != texts.end();
    })) << text;
  }
  Mutex mutex;
  CondVar changed;
  std::vector<std::string> texts;
};

TEST(CApiTest, InAHandlerOnlySendingWorks) {
  struct Context {
    Seen seen;
    ServerPtr server;
  } context;
  context.server = Make(1);
  const auto handler = [](const cluster_envelope* envelope, void* user) {
    auto* const my = static_cast<Context*>(user);
    cluster_server* const server = my->server.get();
    const cluster_envelope* next = nullptr;
    cluster_server_stop(server);  // does nothing
    const cluster_status statuses[] = {
        cluster_server_receive(server, 0, &next),
        cluster_server_flush(server, CLUSTER_BROADCAST, 0),
        cluster_server_reload_security(server)};
    EXPECT_THAT(statuses, Each(CLUSTER_FAILED_PRECONDITION));
    if (envelope->group == 0) {
      cluster_envelope again = *envelope;
      again.size = sizeof(again);
      again.group = 1;
      EXPECT_EQ(cluster_server_send(server, &again, kLong, nullptr),
                CLUSTER_OK);
    }
    my->seen.Add(absl::StrCat(envelope->group));
  };
  ASSERT_EQ(cluster_server_on_envelope(context.server.get(), handler, &context),
            CLUSTER_OK);
  ASSERT_EQ(cluster_server_start(context.server.get()), CLUSTER_OK);
  ASSERT_EQ(Send(context.server, To(1)), CLUSTER_OK);
  EXPECT_THAT(context.seen.WaitForCount(2), ElementsAre("0", "1"));
  cluster_server_stop(context.server.get());
}

TEST(CApiTest, AHandlerMayCallAServerThatIsBeingFreed) {
  struct Context {
    Seen seen;
    cluster_server* server;
  } context;
  const auto handler = [](const cluster_envelope*, void* user) {
    auto* const my = static_cast<Context*>(user);
    my->seen.Add("running");
    const cluster_envelope to_nobody = To(9);
    while (cluster_server_send(my->server, &to_nobody, 0, nullptr) !=
           CLUSTER_CANCELLED) {
      std::this_thread::yield();
    }
    EXPECT_EQ(cluster_server_start(my->server), CLUSTER_CANCELLED);
  };
  ServerPtr server = Make(1);
  context.server = server.get();
  ASSERT_EQ(cluster_server_on_envelope(server.get(), handler, &context),
            CLUSTER_OK);
  ASSERT_EQ(cluster_server_start(server.get()), CLUSTER_OK);
  ASSERT_EQ(Send(server, To(1)), CLUSTER_OK);
  context.seen.WaitForCount(1);
  server.reset();
}

TEST(CApiTest, AHandlerThatIsSetTooLateIsAnError) {
  const auto on_envelope = [](const cluster_envelope*, void*) {};
  const auto on_event = [](const cluster_peer_event*, void*) {};
  const ServerPtr started = Started(1), stopped = Make(1);
  cluster_server_stop(stopped.get());
  for (const ServerPtr* server : {&started, &stopped}) {
    EXPECT_EQ(cluster_server_on_envelope(server->get(), on_envelope, nullptr),
              CLUSTER_FAILED_PRECONDITION);
    EXPECT_THAT(cluster_last_error(), HasSubstr("set it before"));
    EXPECT_EQ(cluster_server_on_peer_event(server->get(), on_event, nullptr),
              CLUSTER_FAILED_PRECONDITION);
  }
}

TEST(CApiTest, EventsHaveTheirFieldsAndAText) {
  Seen seen;
  const auto handler = [](const cluster_peer_event* event, void* user) {
    std::string text =
        absl::StrCat(event->size == sizeof(*event), " ", event->type, " ",
                     event->peer, " ", event->text);
    if (event->type == CLUSTER_PEER_STRANGER) {
      absl::StrAppend(&text, " [", event->stranger_identity, " ",
                      event->stranger_address, " ", event->stranger_source,
                      "]");
    }
    static_cast<Seen*>(user)->Add(text);
  };
  // It does not know server 2, which greets it.
  cluster_server* alone = nullptr;
  ASSERT_EQ(cluster_server_new_from_text(1,
                                         R"({"cluster": "c-api",
                                             "transport": "memory", "servers":
                                             [{"id": 1, "address": "c1"}]})",
                                         &alone),
            CLUSTER_OK)
      << cluster_last_error();
  const ServerPtr one(alone);
  ASSERT_EQ(cluster_server_on_peer_event(alone, handler, &seen), CLUSTER_OK);
  ASSERT_EQ(cluster_server_start(alone), CLUSTER_OK);
  const ServerPtr two = Started(2);
  const std::string stranger = seen.WaitForCount(1)[0];
  EXPECT_THAT(stranger, HasSubstr("1 5 2 stranger 2"));
  EXPECT_THAT(stranger, HasSubstr("[-1 c2 "));
  ASSERT_EQ(cluster_server_add_peer(alone, 2, "c2"), CLUSTER_OK);
  seen.WaitFor("1 0 2 peer 2 up: first session");
  ASSERT_EQ(cluster_server_remove_peer(alone, 2), CLUSTER_OK);
  seen.WaitFor("1 3 2 peer 2 removed: RemovePeer");
  cluster_server_stop(alone);
}

// ---- Statistics ----

std::string Documented() {
  std::ifstream file("docs/c.md");
  return std::string(std::istreambuf_iterator<char>(file), {});
}

TEST(CApiTest, StatisticsHaveEveryFigureByName) {
  const ServerPtr one = Started(1), two = Started(2);
  ASSERT_EQ(Send(one, To(2)), CLUSTER_OK);
  ASSERT_EQ(Send(one, To(1)), CLUSTER_OK);
  Receive(two);
  Receive(one);
  ASSERT_EQ(cluster_server_flush(one.get(), CLUSTER_BROADCAST, kLong),
            CLUSTER_OK);
  cluster_stats* taken = nullptr;
  ASSERT_EQ(cluster_server_stats(one.get(), &taken), CLUSTER_OK);
  const StatsPtr stats(taken);
  const auto get = [&](int of, const char* name) {
    std::uint64_t value = 0;
    EXPECT_EQ(cluster_stats_get(stats.get(), of, name, &value), CLUSTER_OK)
        << cluster_last_error();
    return value;
  };
  EXPECT_EQ(get(2, "accepted"), 1u);
  EXPECT_EQ(get(2, "acknowledged"), 1u);
  EXPECT_EQ(get(2, "up"), 1u);
  EXPECT_EQ(get(2, "sessions"), 1u);
  get(2, "rtt_ns");
  EXPECT_EQ(get(2, "certificate_expires_ms"), 0u);
  EXPECT_EQ(get(2, "last_trouble_at_ms"), 0u);
  EXPECT_EQ(get(2, "dropped_peer_restart"), 0u);
  EXPECT_EQ(get(2, "refused_unknown_sender"), 0u);
  EXPECT_EQ(get(1, "acknowledged"), 1u);
  EXPECT_EQ(get(CLUSTER_STATS_SERVER, "delivered"), 1u);
  EXPECT_EQ(get(CLUSTER_STATS_REMOVED, "accepted"), 0u);
  EXPECT_STREQ(cluster_stats_last_trouble(stats.get(), 2), "");
  EXPECT_EQ(cluster_stats_last_trouble(stats.get(), 9), nullptr);

  for (const int of : {2, CLUSTER_STATS_SERVER}) {
    std::vector<std::string> names;
    for (std::size_t i = 0;; ++i) {
      const char* const name = cluster_stats_name(stats.get(), of, i);
      if (name == nullptr) break;
      EXPECT_THAT(names, Not(Contains(name)));
      names.emplace_back(name);
      get(of, name);
    }
    EXPECT_THAT(names, Each(Not(HasSubstr(" "))));
    EXPECT_THAT(names, Contains("refused_impossible_acknowledgement"));
    for (const std::string& name : names)
      EXPECT_THAT(Documented(), HasSubstr(absl::StrCat("`", name, "`")));
  }
  std::uint64_t value = 0;
  EXPECT_EQ(cluster_stats_get(stats.get(), 9, "up", &value), CLUSTER_NOT_FOUND);
  EXPECT_EQ(cluster_stats_get(stats.get(), 2, "nothing", &value),
            CLUSTER_INVALID_ARGUMENT);
  EXPECT_THAT(cluster_last_error(), HasSubstr("no figure \"nothing\""));
  EXPECT_EQ(cluster_stats_get(stats.get(), 2, nullptr, &value),
            CLUSTER_INVALID_ARGUMENT);
  EXPECT_EQ(cluster_stats_get(stats.get(), 2, "up", nullptr),
            CLUSTER_INVALID_ARGUMENT);
}

// ---- Memory ----

// Calls until none of its allocations fails.
void FailEachAllocation(
    const std::function<cluster_status()>& call,
    FailingAllocations::Which which = FailingAllocations::kRest) {
  bool failed = true;
  for (int n = 1; failed; ++n) {
    cluster_status status;
    {
      FailingAllocations failing(n, which);
      status = call();
      failed = failing.failed();
    }
    EXPECT_TRUE(status == CLUSTER_OK ||
                (failed && status == CLUSTER_RESOURCE_EXHAUSTED))
        << status << " at allocation " << n << ": " << cluster_last_error();
  }
}

TEST(CApiTest, WithoutMemoryACallAnswersSoAndHasDoneNothing) {
  const std::string config = ConfigText();
  ServerPtr one;
  // One at a time: a transport that is half made needs some memory to end.
  FailEachAllocation(
      [&] {
        cluster_server* server = nullptr;
        const cluster_status status =
            cluster_server_new_from_text(1, config.c_str(), &server);
        one.reset(server);
        return status;
      },
      FailingAllocations::kOne);
  ASSERT_EQ(cluster_server_start(one.get()), CLUSTER_OK);
  const ServerPtr two = Started(2);

  const cluster_envelope hello = To(2);
  const std::int32_t pids[] = {1, 2};
  FailEachAllocation(
      [&] { return cluster_server_send(one.get(), &hello, 0, nullptr); });
  FailEachAllocation([&] {
    return cluster_server_multicast(one.get(), pids, 1, &hello, 0, nullptr,
                                    nullptr);
  });
  // None is lost that was not returned.
  ASSERT_EQ(Send(one, To(1, "second")), CLUSTER_OK);
  EnvelopePtr received;
  FailEachAllocation([&] {
    const cluster_envelope* envelope = nullptr;
    const cluster_status status =
        cluster_server_receive(one.get(), kLong, &envelope);
    if (status == CLUSTER_OK) received.reset(envelope);
    return status;
  });
  EXPECT_EQ(Payload(received), "hello");
  while (Payload(received) == "hello") received = Receive(one);
  EXPECT_EQ(Payload(received), "second");

  FailEachAllocation([&] {
    cluster_stats* stats = nullptr;
    const cluster_status status = cluster_server_stats(one.get(), &stats);
    cluster_stats_free(stats);
    return status;
  });
  FailEachAllocation([&] {
    char address[8];
    return cluster_server_address(one.get(), address, 8, nullptr);
  });
  FailEachAllocation([&] {
    std::int32_t ids[2];
    return cluster_server_peers(one.get(), ids, 2, nullptr);
  });
}

TEST(CApiTest, AnErrorWithoutMemoryForItsTextHasOne) {
  const FailingAllocations failing(1, FailingAllocations::kRest);
  cluster_server* server = nullptr;
  EXPECT_EQ(
      cluster_server_new(1, "a file whose name has no room in place", &server),
      CLUSTER_RESOURCE_EXHAUSTED);
  EXPECT_TRUE(std::strstr(cluster_last_error(), "out of memory") != nullptr);
}

}  // namespace
}  // namespace cluster::internal
