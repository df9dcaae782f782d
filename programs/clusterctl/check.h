// CheckFiles: what is wrong with config files, and what differs between them that
// must not.
//
// A file's own errors come first, then the keys of the servers whose files are on
// this machine, with the dates on which certificates expire. Opens no socket.
//
//   for (const CheckLine& line : CheckFiles({"a.json", "b.json"}))
//     std::cout << line.text << "\n";

#ifndef PROGRAMS_CLUSTERCTL_CHECK_H_
#define PROGRAMS_CLUSTERCTL_CHECK_H_

#include <string>
#include <vector>

namespace cluster {

struct CheckLine {
  enum Kind { kGood, kWarning, kWrong };
  Kind kind = kGood;
  std::string text;
};

std::vector<CheckLine> CheckFiles(const std::vector<std::string>& files);

}  // namespace cluster

#endif  // PROGRAMS_CLUSTERCTL_CHECK_H_
