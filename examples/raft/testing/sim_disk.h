// SimDisk: a disk whose crash loses what is not synced.
//
// A random part of it, from the front, survives all the same. A Sync may end in
// a crash: then it fails. Use it from one thread.
//
//   SimDisk disk(&world);
//   Replica replica(config, disk.Read(), &disk, send);
//   disk.Crash();

#ifndef EXAMPLES_RAFT_TESTING_SIM_DISK_H_
#define EXAMPLES_RAFT_TESTING_SIM_DISK_H_

#include <string>
#include <vector>

#include "cluster/sim/world.h"
#include "examples/raft/disk.h"

namespace raft {

class SimDisk final : public Disk {
 public:
  explicit SimDisk(cluster::World* world) : world_(world) {}

  // The probability that the server crashes in a Sync.
  void SetCrashInSync(double probability) { crash_in_sync_ = probability; }

  absl::Status Write(const Update& update) override;
  absl::Status Sync() override;

  void Crash();
  // The state that a server finds when it starts.
  const Persistent& Read() const { return synced_; }

 private:
  void Keep(std::size_t updates);

  cluster::World* const world_;
  double crash_in_sync_ = 0;
  Persistent synced_;
  std::vector<std::string> written_;  // since the last Sync
};

}  // namespace raft

#endif  // EXAMPLES_RAFT_TESTING_SIM_DISK_H_
