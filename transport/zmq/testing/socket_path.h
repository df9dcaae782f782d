// SocketPath: a path for a Unix socket that a test can take away from its
// listener.
//
// The path is in a folder of its own, which is removed in the end. One thread.
// Failures are failed expectations.
//
//   SocketPath path;
//   Start(1, path.Address());
//   path.GiveToAnother();

#ifndef CLUSTER_TRANSPORT_ZMQ_TESTING_SOCKET_PATH_H_
#define CLUSTER_TRANSPORT_ZMQ_TESTING_SOCKET_PATH_H_

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "gtest/gtest.h"

namespace cluster::internal {

class SocketPath {
 public:
  SocketPath() { EXPECT_NE(mkdtemp(&folder_[0]), nullptr); }
  SocketPath(const SocketPath&) = delete;
  SocketPath& operator=(const SocketPath&) = delete;
  ~SocketPath() {
    if (other_ >= 0) close(other_);
    for (const std::string& folder : {folder_, folder_ + ".away"}) {
      unlink((folder + "/s").c_str());
      unlink((folder + "/before").c_str());
      rmdir(folder.c_str());
    }
  }

  std::string text() const { return folder_ + "/s"; }
  std::string Address() const { return "ipc://" + text(); }

  // Another listener takes the place of the one that is there.
  void GiveToAnother() {
    EXPECT_EQ(rename(text().c_str(), (folder_ + "/before").c_str()), 0);
    other_ = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, text().data(), text().size());
    EXPECT_EQ(
        bind(other_, reinterpret_cast<const sockaddr*>(&name), sizeof(name)),
        0);
    EXPECT_EQ(listen(other_, 1), 0);
  }

  // From then on nobody can listen there.
  void RemoveFolder() {
    EXPECT_EQ(rename(folder_.c_str(), (folder_ + ".away").c_str()), 0);
  }

 private:
  std::string folder_ = "/tmp/socketXXXXXX";  // a socket's name is short
  int other_ = -1;
};

}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_ZMQ_TESTING_SOCKET_PATH_H_
