// OpenFile: owns a file descriptor and closes it. Negative means no descriptor,
// as after a failed open.
//
//   const OpenFile file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
//   if (file.fd() < 0) ...

#ifndef CLUSTER_BASE_OPEN_FILE_H_
#define CLUSTER_BASE_OPEN_FILE_H_

#include <unistd.h>

namespace cluster::internal {

class OpenFile {
 public:
  explicit OpenFile(int fd) : fd_(fd) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int fd() const { return fd_; }

 private:
  const int fd_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_BASE_OPEN_FILE_H_
