#include "transport/zmq/context.h"

#include <cstddef>
#include <map>
#include <mutex>

#include "transport/fork_generation.h"
#include "transport/kept_memory.h"

namespace cluster {
namespace zmq_backend {
namespace {

// Three sockets per peer (PUSH and both ends of its monitor), so some 2,700
// peers; each costs the context twelve bytes.
constexpr int kSocketsMax = 8192;

// Of all transports that share: some 100 servers that all know each other.
constexpr int kSharedSocketsMax = 32768;

// ZeroMQ receives each frame into a block from malloc.
constexpr std::size_t kKeptBytes = 4u << 20;

std::shared_ptr<zmq::context_t> MakeContext(int io_threads, int sockets_max) {
  KeepFreedMemory(kKeptBytes);
  auto context = std::make_shared<zmq::context_t>();
  context->set(zmq::ctxopt::io_threads, io_threads);
  context->set(zmq::ctxopt::max_sockets, sockets_max);
  return context;
}

// The number of I/O threads is the context's for good, so there is one for each
// number that is asked for.
struct SharedContexts {
  std::mutex mutex;
  std::map<int, std::weak_ptr<zmq::context_t>> by_io_threads;
};

// A context does not survive fork: its threads are the parent's.
std::shared_ptr<zmq::context_t> SharedContext(int io_threads) {
  auto& contexts = OfThisProcess<SharedContexts>();
  std::lock_guard<std::mutex> lock(contexts.mutex);
  std::weak_ptr<zmq::context_t>& known = contexts.by_io_threads[io_threads];
  std::shared_ptr<zmq::context_t> context = known.lock();
  if (context == nullptr) {
    context = MakeContext(io_threads, kSharedSocketsMax);
    known = context;
  }
  return context;
}

}  // namespace

std::shared_ptr<zmq::context_t> NewContext(const ZmqSettings& settings) {
  return settings.share_context ? SharedContext(settings.io_threads)
                                : MakeContext(settings.io_threads, kSocketsMax);
}

}  // namespace zmq_backend
}  // namespace cluster
