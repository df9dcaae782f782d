// SendFrame takes nothing of a frame for which libzmq has no memory. The
// functions of libzmq that make messages are replaced here.

#include "cluster/transport/zmq/outbound_message.h"

#include <dlfcn.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <new>
#include <string>

#include "gtest/gtest.h"

namespace {

int messages_left = 0;  // until libzmq has no memory for one; 0: it always has

bool Fails() {
  if (messages_left == 0 || --messages_left > 0) return false;
  errno = ENOMEM;
  return true;
}

template <typename Function>
Function* Real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int zmq_msg_init_size(zmq_msg_t* message, std::size_t bytes) {
  return Fails() ? -1
                 : Real<decltype(zmq_msg_init_size)>("zmq_msg_init_size")(
                       message, bytes);
}

int zmq_msg_init_data(zmq_msg_t* message, void* data, std::size_t bytes,
                      zmq_free_fn* end, void* hint) {
  return Fails() ? -1
                 : Real<decltype(zmq_msg_init_data)>("zmq_msg_init_data")(
                       message, data, bytes, end, hint);
}

}  // extern "C"

namespace cluster::internal {
namespace zmq_backend {
namespace {

class OutboundMessageTest : public testing::Test {
 protected:
  void SetUp() override {
    pull_.bind("inproc://messages");
    push_.connect("inproc://messages");
  }

  void SendWithoutMemory(const Frame& frame, int nth) {
    messages_left = nth;
    EXPECT_THROW(SendFrame(&push_, frame, frame.size(), buffers_),
                 std::bad_alloc);
    messages_left = 0;
  }

  // The next message, its parts one after the other.
  std::string Receive() {
    std::string all;
    zmq::message_t part;
    do {
      EXPECT_TRUE(pull_.recv(part).has_value());
      all += part.to_string();
    } while (part.more());
    return all;
  }

  const std::shared_ptr<BufferPool> buffers_ = std::make_shared<BufferPool>();
  zmq::context_t context_;
  zmq::socket_t push_{context_, zmq::socket_type::push};
  zmq::socket_t pull_{context_, zmq::socket_type::pull};
};

const std::string kSmall = "small";
const std::string kLarge(kUncopiedBytesMin, 'x');

TEST_F(OutboundMessageTest, AFrameWithoutMemoryIsNotSent) {
  const Frame small{{MakeSlice(kSmall)}};
  const Frame large{{MakeSlice(kLarge)}};
  const Frame headed{{MakeSlice(kSmall), MakeSlice(kLarge)}};
  SendWithoutMemory(small, 1);
  SendWithoutMemory(large, 1);
  // No half of a message is left, before which the next frame would be put.
  SendWithoutMemory(headed, 1);
  SendWithoutMemory(headed, 2);
  const Frame last{{MakeSlice("last")}};
  ASSERT_TRUE(SendFrame(&push_, last, last.size(), buffers_));
  EXPECT_EQ(Receive(), "last");
  ASSERT_TRUE(SendFrame(&push_, headed, headed.size(), buffers_));
  EXPECT_EQ(Receive(), kSmall + kLarge);
}

TEST_F(OutboundMessageTest, AFrameWithoutMemoryIsLetGo) {
  for (int nth : {1, 2}) {
    auto body = std::make_shared<const std::string>(kLarge);
    const std::weak_ptr<const std::string> watched = body;
    Frame headed{{MakeSlice(kSmall), Slice{body, *body}}};
    body = nullptr;
    SendWithoutMemory(headed, nth);
    headed.slices.clear();
    EXPECT_TRUE(watched.expired());
  }
}

}  // namespace
}  // namespace zmq_backend
}  // namespace cluster::internal
