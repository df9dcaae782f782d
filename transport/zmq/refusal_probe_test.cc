// Probes of a listener that is there, and of one that is gone.

#include "cluster/transport/zmq/refusal_probe.h"

#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "gtest/gtest.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

using Answer = RefusalProbe::Answer;

Answer Await(RefusalProbe* probe) {
  Answer answer = probe->Ask();
  while (answer == Answer::kNone) answer = probe->Ask();
  return answer;
}

// A connection to a listener at `address`, and the listener.
class Link {
 public:
  Link(const sockaddr* address, socklen_t bytes) {
    listener_ = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(bind(listener_, address, bytes), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
    sockaddr_storage bound{};
    socklen_t bound_bytes = sizeof(bound);
    auto* const at = reinterpret_cast<sockaddr*>(&bound);
    EXPECT_EQ(getsockname(listener_, at, &bound_bytes), 0);
    dialled_ = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(connect(dialled_, at, bound_bytes), 0);
  }
  ~Link() {
    CloseListener();
    close(dialled_);
  }
  void CloseListener() {
    if (listener_ >= 0) close(listener_);
    listener_ = -1;
  }
  int dialled() const { return dialled_; }

 private:
  int listener_ = -1;
  int dialled_ = -1;
};

void ExpectRefusedWithoutListener(Link* link) {
  RefusalProbe probe;
  probe.Remember(link->dialled());
  EXPECT_EQ(Await(&probe), Answer::kOther);
  link->CloseListener();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Await(&probe), Answer::kRefused);
}

TEST(RefusalProbeTest, APortWithoutAListenerRefuses) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Link link(reinterpret_cast<sockaddr*>(&address), sizeof(address));
  ExpectRefusedWithoutListener(&link);
}

TEST(RefusalProbeTest, AUnixSocketWithoutAListenerRefuses) {
  char folder[] = "/tmp/probeXXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = std::string(folder) + "/s";
  std::strcpy(address.sun_path, path.c_str());
  Link link(reinterpret_cast<sockaddr*>(&address), sizeof(address));
  ExpectRefusedWithoutListener(&link);
  std::remove(path.c_str());
  RefusalProbe probe;
  probe.Remember(link.dialled());
  EXPECT_EQ(Await(&probe), Answer::kRefused);
  rmdir(folder);
}

TEST(RefusalProbeTest, WithoutAnAddressNothingIsKnown) {
  RefusalProbe probe;
  EXPECT_EQ(probe.Ask(), Answer::kOther);
  probe.Remember(-1);
  EXPECT_EQ(probe.Ask(), Answer::kOther);
  probe.Remember(STDIN_FILENO);
  EXPECT_EQ(probe.Ask(), Answer::kOther);
}

}  // namespace
}  // namespace zmq_backend
}  // namespace cluster::internal
