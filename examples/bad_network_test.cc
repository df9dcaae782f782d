// A test of a protocol on a bad network, in forty lines.
//
// Server 1 asks server 2 to count. The network loses, doubles and reorders
// frames, and cuts the connection in the middle. Server 2 must answer each
// question once, in order.

#include "absl/strings/str_cat.h"
#include "cluster/server.h"
#include "cluster/transport/fault/fault_transport.h"
#include "cluster/transport/registry.h"
#include "gtest/gtest.h"

TEST(CounterOnABadNetwork, AnswersEachQuestionOnceAndInOrder) {
  cluster::Faults faults(/*seed=*/1);
  cluster::FaultRates rates;
  rates.lose = rates.repeat = rates.delay = 0.1;
  faults.SetRates(rates);
  cluster::Config config;
  config.transport = "memory";
  config.servers = {{1, "asker"}, {2, "counter"}};
  const auto transport = faults.Around(*cluster::FindTransport("memory"));
  auto asker = *cluster::NewServer(1, config, transport);
  auto counter = *cluster::NewServer(2, config, transport);
  int counted = 0;
  counter->OnEnvelope([&](const cluster::EnvelopeView& question) {
    cluster::Envelope answer;
    answer.pid = question.sender_id;
    answer.payload = absl::StrCat(++counted);
    ASSERT_TRUE(counter->Send(answer).ok());
  });
  ASSERT_TRUE(counter->Start().ok() && asker->Start().ok());

  cluster::Envelope question;
  question.pid = 2;
  for (int i = 1; i <= 1000; ++i) {
    if (i == 500) faults.Isolate(2);
    ASSERT_TRUE(asker->Send(question).ok());
  }
  faults.Heal();
  for (int i = 1; i <= 1000; ++i) {
    const auto answer = asker->Receive(absl::Seconds(30));
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->payload, absl::StrCat(i));
  }
}
