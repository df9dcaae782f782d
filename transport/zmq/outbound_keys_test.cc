// Other keys end the connection to a peer that was dialled with the old ones,
// also if no dial can begin.

#include <sys/resource.h>

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cluster/transport/contract/recording_handler.h"
#include "cluster/transport/zmq/context.h"
#include "cluster/transport/zmq/outbound_peer.h"
#include "cluster/transport/zmq/testing/raw_tcp.h"
#include "gtest/gtest.h"
#include "programs/keygen/keys.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

// While it lives, the process can open no file.
class NoDescriptors {
 public:
  NoDescriptors() {
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit none = before_;
    none.rlim_cur = 3;  // all taken; with less, poll fails too
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  ~NoDescriptors() { EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before_), 0); }

 private:
  rlimit before_{};
};

class OutboundKeysTest : public testing::Test {
 protected:
  void SetUp() override {
    request_.cluster = "outbound";
    request_.server_ids = {1, 2};
    request_.folder = absl::StrCat(testing::TempDir(), "/outboundXXXXXX");
    ASSERT_NE(mkdtemp(&request_.folder[0]), nullptr);
    request_.replace = true;
    MakeNewKeys();
    TransportConfig config;
    config.handshake_timeout = absl::Hours(1);  // nothing else hangs up
    sockets_.settings = *ReadSettings(config);
    sockets_.context = NewContext(sockets_.settings);
    sockets_.poll_set = *PollSet::Open();
    sockets_.keys = std::make_unique<CurveKeyRing>(Load(nullptr));
    ASSERT_TRUE(peer_.Dial(*ParseAddress(listener_.Address()), 1).ok());
  }

  void MakeNewKeys() { ASSERT_TRUE(MakeKeys(request_).ok()); }

  std::shared_ptr<const CurveKeys> Load(const CurveKeys* before) {
    SecurityFiles files;
    files.identity = absl::StrCat(request_.folder, "/1");
    files.peers[2] = absl::StrCat(request_.folder, "/public/2");
    auto keys = LoadCurveKeys(files, before);
    EXPECT_TRUE(keys.ok()) << keys.status();
    return *keys;
  }

  KeyRequest request_;
  Sockets sockets_;
  RawTcp listener_ = RawTcp::Listen("127.0.0.1:0");
  OutboundPeer peer_{2, &sockets_};
};

TEST_F(OutboundKeysTest, AKeyThatIsReplacedIsHungUpOnEvenIfNoDialCanBegin) {
  RawTcp thief = listener_.Accept();
  request_.server_ids = {2};
  MakeNewKeys();
  sockets_.keys->Set(Load(sockets_.keys->Get().get()));
  RecordingHandler handler;
  {
    const NoDescriptors none;
    peer_.UseKeys();
    EXPECT_TRUE(peer_.Serve(&handler));
    EXPECT_FALSE(peer_.Redial().ok());
    EXPECT_TRUE(peer_.Serve(&handler));
  }
  EXPECT_TRUE(thief.WaitForEnd());
  const Recorded calls = handler.Get();
  EXPECT_EQ(Recorded::Count(calls.connected, 2), 0);
  EXPECT_EQ(Recorded::Count(calls.disconnected, 2), 1);
  EXPECT_TRUE(absl::StrContains(calls.reason, listener_.Address()))
      << calls.reason;

  ASSERT_TRUE(peer_.Redial().ok());
  EXPECT_FALSE(peer_.Serve(&handler));
  listener_.Accept();
}

}  // namespace
}  // namespace zmq_backend
}  // namespace cluster::internal
