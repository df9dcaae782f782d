// One server of a list of words that a majority of servers agrees on, by canonical/raft.
//
//   raft_node ID TRANSPORT FOLDER ADDRESS
//
// It prints its address, obeys the lines below, and prints what becomes of them:
//
//   bootstrap 1=127.0.0.1:4711 2=...    once, with an empty folder, before start
//   start                               "leader 2" whenever that changes; 0: nobody
//   put WORD                            "committed WORD" or "failed WORD: why"
//   add ID ADDRESS                      "added ID", as a voter, or "failed ID: why"
//   remove ID                           "removed ID" or "failed ID: why"
//   words                               "words" and all of them
//   peers                               "peers" and the ids of them
//
// It also prints events of peers: "peer 2 up". It ends at the end of its input.

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cluster/server.h"
#include "examples/raft_library/cluster_io.h"
#include "programs/line_reader.h"

namespace raft_library {
namespace {

constexpr std::size_t kLineBytesMax = 4096;
// Small, so that a newcomer gets a snapshot first and entries then.
constexpr unsigned kSnapshotEntries = 64;
constexpr unsigned kEntriesBehindSnapshot = 16;
constexpr std::size_t kSegmentBytes = 1u << 20;

// Of any thread: one write, so lines do not mix.
void Say(const std::string& line) {
  std::cout << absl::StrCat(line, "\n") << std::flush;
}

raft_id Id(const std::string& word) {
  raft_id id = 0;
  return absl::SimpleAtoi(word, &id) ? id : 0;
}

// The words that are committed, in the order of the log. A client that did not hear
// whether its word was committed puts it again, so a word counts once.
class Words {
 public:
  Words() {
    fsm_.version = 1;
    fsm_.data = this;
    fsm_.apply = [](raft_fsm* fsm, const raft_buffer* buffer, void** result) {
      static_cast<Words*>(fsm->data)->Add(static_cast<char*>(buffer->base));
      *result = nullptr;
      return 0;
    };
    fsm_.snapshot = [](raft_fsm* fsm, raft_buffer** buffers, unsigned* count) {
      *buffers = static_cast<raft_buffer*>(raft_malloc(sizeof(raft_buffer)));
      **buffers = Buffer(static_cast<Words*>(fsm->data)->Text());
      *count = 1;
      return 0;
    };
    fsm_.restore = [](raft_fsm* fsm, raft_buffer* buffer) {
      auto* const words = static_cast<Words*>(fsm->data);
      words->words_.clear();
      for (absl::string_view word : absl::StrSplit(
               static_cast<char*>(buffer->base), ' ', absl::SkipEmpty()))
        words->Add(std::string(word));
      raft_free(buffer->base);
      return 0;
    };
  }

  // A copy with zeros up to the next multiple of 8 bytes, which raft takes over.
  static raft_buffer Buffer(const std::string& text) {
    raft_buffer buffer{};
    buffer.len = (text.size() / 8 + 1) * 8;
    buffer.base = raft_calloc(1, buffer.len);
    std::memcpy(buffer.base, text.data(), text.size());
    return buffer;
  }

  std::string Text() const { return absl::StrJoin(words_, " "); }
  raft_fsm* fsm() { return &fsm_; }

 private:
  void Add(const std::string& word) {
    if (std::find(words_.begin(), words_.end(), word) != words_.end()) return;
    words_.push_back(word);
    Say(absl::StrCat("applied ", word));
  }

  std::vector<std::string> words_;
  raft_fsm fsm_{};
};

class Node {
 public:
  // Any error ends the program.
  Node(uv_loop_t* loop, std::unique_ptr<cluster::Server> server,
       std::unique_ptr<ClusterIo> io)
      : server_(std::move(server)),
        io_(std::move(io)),
        input_(STDIN_FILENO, kLineBytesMax) {
    raft_uv_set_segment_size(io_.get(), kSegmentBytes);
    Check(raft_init(&raft_, io_.get(), words_.fsm(),
                    static_cast<raft_id>(server_->Pid()),
                    server_->Address().c_str()));
    raft_set_snapshot_threshold(&raft_, kSnapshotEntries);
    raft_set_snapshot_trailing(&raft_, kEntriesBehindSnapshot);
    raft_set_pre_vote(&raft_, true);
    commands_ = {
        {"bootstrap", [this](const Line& line) { Bootstrap(line); }},
        {"start", [this](const Line&) { Check(raft_start(&raft_)); }},
        {"put", [this](const Line& line) { Put(line.at(1)); }},
        {"add", [this](const Line& line) { Add(line.at(1), line.at(2)); }},
        {"remove", [this](const Line& line) { Remove(line.at(1)); }},
        {"words",
         [this](const Line&) { Say(absl::StrCat("words ", words_.Text())); }},
        {"peers",
         [this](const Line&) {
           Say(absl::StrCat("peers ", absl::StrJoin(server_->Peers(), " ")));
         }},
    };
    uv_poll_init(loop, &stdin_, STDIN_FILENO);
    uv_check_init(loop, &turn_);
    stdin_.data = turn_.data = this;
    uv_poll_start(&stdin_, UV_READABLE, [](uv_poll_t* handle, int, int) {
      static_cast<Node*>(handle->data)->Read();
    });
    uv_check_start(&turn_, [](uv_check_t* handle) {
      static_cast<Node*>(handle->data)->SayLeader();
    });
    Say(absl::StrCat("address ", server_->Address()));
  }

  // Until the input ends.
  void Run() { io_->Run(); }

 private:
  using Line = std::vector<std::string>;
  using Done = std::function<void(int error)>;
  using Apply = struct raft_apply;  // it is a function's name, too

  // A request of raft, and what to do when it is done.
  template <typename Request>
  struct Pending {
    Request request{};
    Done done;
    static Pending* Make(Done done) {
      auto* const pending = new Pending;
      pending->done = std::move(done);
      pending->request.data = pending;
      return pending;
    }
    static void End(Request* request, int error) {
      std::unique_ptr<Pending> pending(static_cast<Pending*>(request->data));
      pending->done(error);
    }
  };

  void Check(int error) {
    if (error == 0) return;
    std::cerr << raft_strerror(error) << ": " << raft_errmsg(&raft_) << "\n";
    _exit(1);
  }

  // "done WHAT", or why not.
  static Done Report(const std::string& done, const std::string& what) {
    return [=](int error) {
      Say(error == 0
              ? absl::StrCat(done, " ", what)
              : absl::StrCat("failed ", what, ": ", raft_strerror(error)));
    };
  }

  void Read() {
    input_.Fill();
    std::string line;
    while (input_.Next(&line)) {
      const Line words = absl::StrSplit(line, ' ');
      const auto command = commands_.find(words[0]);
      if (command != commands_.end()) command->second(words);
    }
    if (input_.ended()) End();
  }

  void End() {
    uv_close(reinterpret_cast<uv_handle_t*>(&stdin_), nullptr);
    uv_close(reinterpret_cast<uv_handle_t*>(&turn_), nullptr);
    raft_close(&raft_, nullptr);
  }

  void SayLeader() {
    raft_id leader = 0;
    const char* address = nullptr;
    raft_leader(&raft_, &leader, &address);
    if (std::exchange(leader_, leader) != leader)
      Say(absl::StrCat("leader ", leader));
  }

  void Bootstrap(const Line& line) {
    raft_configuration configuration;
    raft_configuration_init(&configuration);
    for (std::size_t i = 1; i < line.size(); ++i) {
      const Line server = absl::StrSplit(line[i], '=');
      Check(raft_configuration_add(&configuration, Id(server.at(0)),
                                   server.at(1).c_str(), RAFT_VOTER));
    }
    Check(raft_bootstrap(&raft_, &configuration));
    raft_configuration_close(&configuration);
    Say("bootstrapped");
  }

  void Put(const std::string& word) {
    auto* const put = Pending<Apply>::Make(Report("committed", word));
    const raft_buffer buffer = Words::Buffer(word);
    const int error = raft_apply(&raft_, &put->request, &buffer, 1,
                                 [](Apply* request, int status, void*) {
                                   Pending<Apply>::End(request, status);
                                 });
    if (error == 0) return;
    raft_free(buffer.base);
    Pending<Apply>::End(&put->request, error);
  }

  // A spare first, then a voter. An earlier try may have added it.
  void Add(const std::string& id, const std::string& address) {
    Change(
        [=](raft_change* change, raft_change_cb done) {
          return raft_add(&raft_, change, Id(id), address.c_str(), done);
        },
        [=](int error) {
          if (error != 0 && error != RAFT_DUPLICATEID)
            return Report("added", id)(error);
          Change(
              [=](raft_change* change, raft_change_cb done) {
                return raft_assign(&raft_, change, Id(id), RAFT_VOTER, done);
              },
              Report("added", id));
        });
  }

  void Remove(const std::string& id) {
    Change(
        [=](raft_change* change, raft_change_cb done) {
          return raft_remove(&raft_, change, Id(id), done);
        },
        Report("removed", id));
  }

  template <typename Begin>
  void Change(Begin begin, Done done) {
    auto* const change = Pending<raft_change>::Make(std::move(done));
    const int error = begin(&change->request, &Pending<raft_change>::End);
    if (error != 0) Pending<raft_change>::End(&change->request, error);
  }

  const std::unique_ptr<cluster::Server> server_;
  const std::unique_ptr<ClusterIo> io_;
  Words words_;
  raft raft_{};
  raft_id leader_ = 0;
  uv_poll_t stdin_{};
  uv_check_t turn_{};
  cluster::LineReader input_;
  std::map<std::string, std::function<void(const Line&)>> commands_;
};

int Fail(const absl::Status& status) {
  std::cerr << status << "\n";
  return 1;
}

int Main(int id, const std::string& transport, const std::string& folder,
         const std::string& address) {
  cluster::Config config;
  config.cluster = "words";
  config.transport = transport;
  config.servers = {{id, address}};  // raft says who else there is
  config.on_peer_restart =
      cluster::OnPeerRestart::kDrop;  // raft sends it again
  auto server = cluster::NewServer(id, config);
  if (!server.ok()) return Fail(server.status());
  (*server)->OnPeerEvent([](const cluster::PeerEvent& event) {
    std::ostringstream line;
    line << event;
    Say(line.str());
  });
  uv_loop_t loop;
  uv_loop_init(&loop);
  auto io = ClusterIo::New(&loop, folder, server->get());
  if (!io.ok()) return Fail(io.status());
  if (absl::Status started = (*server)->Start(); !started.ok())
    return Fail(started);
  Node(&loop, *std::move(server), *std::move(io)).Run();
  uv_loop_close(&loop);
  return 0;
}

}  // namespace
}  // namespace raft_library

int main(int argc, char** argv) {
  int id = 0;
  if (argc != 5 || !absl::SimpleAtoi(argv[1], &id)) {
    std::cerr << "usage: raft_node ID TRANSPORT FOLDER ADDRESS\n";
    return 2;
  }
  return raft_library::Main(id, argv[2], argv[3], argv[4]);
}
