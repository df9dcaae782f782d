#include "cluster/transport/zmq/context.h"

#include <cstddef>
#include <map>
#include <thread>
#include <utility>

#include "cluster/base/fork_generation.h"
#include "cluster/base/kept_memory.h"
#include "cluster/base/mutex.h"
#include "cluster/base/start_thread.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

// Three sockets per peer (PUSH and both ends of its monitor), so some 2,700
// peers; each costs the context twelve bytes.
constexpr int kSocketsMax = 8192;

// Of all transports that share: some 100 servers that all know each other.
constexpr int kSharedSocketsMax = 32768;

// ZeroMQ receives each frame into a block from malloc.
constexpr std::size_t kKeptBytes = 4u << 20;

std::unique_ptr<zmq::context_t> MakeContext(int io_threads, int sockets_max) {
  KeepFreedMemory(kKeptBytes);
  auto context = std::make_unique<zmq::context_t>();
  context->set(zmq::ctxopt::io_threads, io_threads);
  context->set(zmq::ctxopt::max_sockets, sockets_max);
  return context;
}

// Ends a shared context, of which the last owner only waits.
struct EndInBackground {
  void operator()(zmq::context_t* context) const {
    const auto run = [context, end = end] {
      delete context;  // waits for its sockets
      end->set_value();
    };
    std::thread thread;
    if (StartThread("cluster-zmq-end", run, &thread).ok()) {
      thread.detach();
    } else {
      run();
    }
  }

  std::shared_ptr<std::promise<void>> end =
      std::make_shared<std::promise<void>>();
  std::shared_future<void> ended = end->get_future().share();
};

// A context cannot change its number of I/O threads.
struct SharedContexts {
  Mutex mutex;
  std::map<int, std::weak_ptr<zmq::context_t>> by_io_threads
      CLUSTER_GUARDED_BY(mutex);
};

// A context does not survive fork: its threads are the parent's.
std::shared_ptr<zmq::context_t> SharedContext(int io_threads) {
  auto& contexts = OfThisProcess<SharedContexts>();
  MutexLock lock(&contexts.mutex);
  std::weak_ptr<zmq::context_t>& known = contexts.by_io_threads[io_threads];
  std::shared_ptr<zmq::context_t> context = known.lock();
  if (context == nullptr) {
    context = {MakeContext(io_threads, kSharedSocketsMax).release(),
               EndInBackground()};
    known = context;
  }
  return context;
}

}  // namespace

std::shared_ptr<zmq::context_t> NewContext(const ZmqSettings& settings) {
  return settings.share_context ? SharedContext(settings.io_threads)
                                : MakeContext(settings.io_threads, kSocketsMax);
}

std::shared_future<void> LeaveContext(std::shared_ptr<zmq::context_t> context) {
  const auto* const ending = std::get_deleter<EndInBackground>(context);
  if (ending == nullptr) return {};
  std::shared_future<void> ended = ending->ended;
  const std::weak_ptr<zmq::context_t> others = context;
  context.reset();
  return others.expired() ? ended : std::shared_future<void>();
}

}  // namespace zmq_backend
}  // namespace cluster::internal
