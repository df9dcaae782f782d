#include "cluster/transport/zmq/outbound_message.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "cluster/base/check.h"
#include "cluster/transport/zmq/settings.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

// A share on its way through ZeroMQ. Its queues order the two ends anyway; the
// flag does so in a way that a race detector sees.
struct Loan {
  Loan(std::shared_ptr<const void> lent, BufferPool::Allocator<Loan> memory)
      : share(std::move(lent)), allocator(std::move(memory)) {}

  const std::shared_ptr<const void> share;
  BufferPool::Allocator<Loan> allocator;  // that it came from
  std::atomic<bool> handed_over{false};
};

// Called by ZeroMQ, on whichever thread is done with the bytes.
void EndLoan(void* /*bytes*/, void* argument) {
  Loan* loan = static_cast<Loan*>(argument);
  CLUSTER_CHECK(loan->handed_over.load(std::memory_order_acquire),
                "a frame came back that was not sent");
  BufferPool::Allocator<Loan> allocator = loan->allocator;
  loan->~Loan();
  allocator.deallocate(loan, 1);
}

// Whether it is worth it to send these bytes from where they lie.
bool Uncopied(const Slice* slice) {
  return slice->bytes.size() >= kUncopiedBytesMin;
}

void Lend(const Slice& slice, const std::shared_ptr<BufferPool>& buffers,
          zmq_msg_t* message) {
  auto allocator = buffers->For<Loan>();
  Loan* const loan = new (allocator.allocate(1)) Loan(slice.owner, allocator);
  loan->handed_over.store(true, std::memory_order_release);
  // ZeroMQ only reads, though its signature does not say so.
  char* bytes = const_cast<char*>(slice.bytes.data());
  if (zmq_msg_init_data(message, bytes, slice.bytes.size(), &EndLoan, loan) ==
      0) {
    return;
  }
  EndLoan(bytes, loan);
  throw std::bad_alloc();
}

using Slices = absl::InlinedVector<const Slice*, 2>;

void Copy(const Slices& slices, std::size_t bytes, zmq_msg_t* message) {
  if (zmq_msg_init_size(message, bytes) != 0) throw std::bad_alloc();
  char* out = static_cast<char*>(zmq_msg_data(message));
  for (const Slice* slice : slices) {
    std::memcpy(out, slice->bytes.data(), slice->bytes.size());
    out += slice->bytes.size();
  }
}

// False: the socket takes none, and has forgotten the parts before it.
bool SendPart(zmq::socket_t* push, int flags, zmq_msg_t* message) {
  const int result = Uninterrupted([&] {
    return zmq_msg_send(message, push->handle(), ZMQ_DONTWAIT | flags);
  });
  if (result >= 0) return true;
  const int error = zmq_errno();
  zmq_msg_close(message);
  CLUSTER_CHECK(error == EAGAIN, "zmq_msg_send failed");
  return false;
}

// Both parts are there before the first is sent: half a message would be left.
bool SendHeaded(zmq::socket_t* push, const Slice& head, const Slice& body,
                const std::shared_ptr<BufferPool>& buffers) {
  zmq_msg_t second;
  Lend(body, buffers, &second);
  zmq_msg_t first;
  try {
    Copy({&head}, head.bytes.size(), &first);
  } catch (const std::bad_alloc&) {
    zmq_msg_close(&second);
    throw;
  }
  if (SendPart(push, ZMQ_SNDMORE, &first)) return SendPart(push, 0, &second);
  zmq_msg_close(&second);
  return false;
}

}  // namespace

bool SendFrame(zmq::socket_t* push, const Frame& frame, std::size_t bytes,
               const std::shared_ptr<BufferPool>& buffers) {
  Slices slices;
  for (const Slice& slice : frame.slices) {
    if (!slice.bytes.empty()) slices.push_back(&slice);
  }
  if (slices.size() == 2 && !Uncopied(slices[0]) && Uncopied(slices[1]))
    return SendHeaded(push, *slices[0], *slices[1], buffers);
  zmq_msg_t message;
  if (slices.size() == 1 && Uncopied(slices[0])) {
    Lend(*slices[0], buffers, &message);
  } else {
    Copy(slices, bytes, &message);
  }
  return SendPart(push, 0, &message);
}

bool HasRoom(zmq::socket_t* push) {
  int events = 0;
  std::size_t size = sizeof(events);
  const int result = Uninterrupted([&] {
    return zmq_getsockopt(push->handle(), ZMQ_EVENTS, &events, &size);
  });
  CLUSTER_CHECK(result == 0, "ZMQ_EVENTS cannot be read");
  return (events & ZMQ_POLLOUT) != 0;
}

}  // namespace zmq_backend
}  // namespace cluster::internal
