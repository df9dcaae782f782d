// ClusterIo: canonical/raft on this library.
//
// The raft_io of raft_uv, with its storage and its timers. Messages go over a
// cluster::Server instead of raft_uv's own TCP. The server's peers follow raft's
// configuration. A newcomer has none, and admits the leader that greets it.
//
// Run takes the place of uv_run. Callbacks of the loop run there; those of raft also on
// a thread of the server, which saves a wake-up for each message. They run one at a time.
// Use raft and the loop in them only, or before Run. Loop, folder and server outlive it.
//
// The ids of raft are those of the servers, from 1 on. Entries have whole multiples of 8
// bytes, as canonical/raft wants. A snapshot is one message, within payload_bytes_max.
//
//   auto io = raft_library::ClusterIo::New(&loop, "/var/lib/raft", server.get());
//   if (!io.ok()) return io.status();
//   absl::Status status = server->Start();
//   raft_init(&raft, io->get(), &fsm, server->Pid(), server->Address().c_str());
//   raft_start(&raft);
//   (*io)->Run();  // until raft_close has called back

#ifndef EXAMPLES_RAFT_LIBRARY_CLUSTER_IO_H_
#define EXAMPLES_RAFT_LIBRARY_CLUSTER_IO_H_

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "cluster/server.h"
#include "examples/raft_library/raft_message.h"

namespace raft_library {

class ClusterIo : public raft_io {
 public:
  // Sets OnEnvelope and OnStranger of the server, which is not started yet.
  // kInvalidArgument: raft_uv refuses the folder.
  static absl::StatusOr<std::unique_ptr<ClusterIo>> New(
      uv_loop_t* loop, const std::string& folder, cluster::Server* server);
  // Call it once Run has returned. It stops the server.
  ~ClusterIo();
  ClusterIo(const ClusterIo&) = delete;
  ClusterIo& operator=(const ClusterIo&) = delete;

  void Run();

 private:
  ClusterIo(uv_loop_t* loop, cluster::Server* server);

  // Of raft_io.
  static int Start(raft_io* io, unsigned interval_ms, raft_io_tick_cb tick,
                   raft_io_recv_cb receive);
  static int Send(raft_io* io, raft_io_send* request,
                  const raft_message* message, raft_io_send_cb callback);
  // Of raft_uv_transport, which is to make connections, and makes none here.
  static int Init(raft_uv_transport* transport, raft_id id, const char*);
  static int Listen(raft_uv_transport* transport, raft_uv_accept_cb);
  static void Close(raft_uv_transport* transport,
                    raft_uv_transport_close_cb closed);
  static void OnHandleClosed(uv_handle_t* handle);

  bool Transmit(const raft_message& message);
  void CallBack();
  void FollowConfiguration();
  // On a thread of the server.
  void Receive(const cluster::EnvelopeView& envelope);
  void Admit(const cluster::Stranger& stranger);

  uv_loop_t* const loop_;
  cluster::Server* const server_;
  std::mutex mutex_;  // guards raft, the loop and all that follows
  raft_uv_transport transport_{};
  raft_uv_transport_close_cb closed_ = nullptr;
  uv_async_t wake_{};
  uv_check_t turn_{};  // runs after the other callbacks of a turn of the loop
  int open_handles_ = 0;

  decltype(raft_io::start) start_of_uv_ = nullptr;
  raft_io_tick_cb tick_ = nullptr;
  raft_io_recv_cb receive_ = nullptr;
  bool open_ = false;  // raft has started, and Run has begun
  std::vector<std::pair<raft_io_send*, int>> sent_;  // with their results
  std::string bytes_;                                // of a message
  std::map<int, std::string> configured_;            // addresses
  std::set<int> left_;                               // the configuration
};

}  // namespace raft_library

#endif  // EXAMPLES_RAFT_LIBRARY_CLUSTER_IO_H_
