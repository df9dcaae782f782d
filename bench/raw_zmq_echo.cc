// The round trips of raw_zmq.h.

#include <zmq.h>

#include <cstring>
#include <string>
#include <thread>

#include "bench/raw_zmq.h"
#include "bench/zmq_endpoint.h"
#include "cluster/base/check.h"
#include "cluster/base/mutex.h"

namespace cluster {
namespace bench {
namespace {

void RoundTripOf(std::size_t message_bytes, ZmqEndpoint* out, ZmqEndpoint* in) {
  zmq_msg_t message;
  zmq_msg_init_size(&message, message_bytes);
  out->Send(&message);
  CLUSTER_CHECK(in->Receive(&message), zmq_strerror(zmq_errno()));
  zmq_msg_close(&message);
}

void EchoAll(ZmqEndpoint* in, ZmqEndpoint* out) {
  zmq_msg_t message;
  zmq_msg_init(&message);
  while (in->Receive(&message)) out->Send(&message);
  zmq_msg_close(&message);
}

class ZmqEcho : public RawEcho {
 public:
  explicit ZmqEcho(std::size_t message_bytes)
      : message_bytes_(message_bytes),
        near_(ZMQ_PAIR, message_bytes),
        far_(ZMQ_PAIR, message_bytes) {
    far_.Bind(Scheme::kTcp);
    near_.Dial(far_);
    thread_ = std::thread([this] { EchoAll(&far_, &far_); });
  }
  ~ZmqEcho() override {
    far_.Shutdown();
    thread_.join();
  }

  void RoundTrip() override { RoundTripOf(message_bytes_, &near_, &near_); }

 private:
  const std::size_t message_bytes_;
  ZmqEndpoint near_;
  ZmqEndpoint far_;
  std::thread thread_;
};

// Round trips over two one-way connections, as between servers that dial each
// other.
class ZmqOneWayEcho : public RawEcho {
 public:
  explicit ZmqOneWayEcho(std::size_t message_bytes)
      : message_bytes_(message_bytes),
        near_push_(ZMQ_PUSH, message_bytes),
        near_pull_(near_push_, ZMQ_PULL, message_bytes),
        far_push_(ZMQ_PUSH, message_bytes),
        far_pull_(far_push_, ZMQ_PULL, message_bytes) {
    near_pull_.Bind(Scheme::kTcp);
    far_pull_.Bind(Scheme::kTcp);
    near_push_.Dial(far_pull_);
    far_push_.Dial(near_pull_);
    thread_ = std::thread([this] { EchoAll(&far_pull_, &far_push_); });
  }
  ~ZmqOneWayEcho() override {
    far_pull_.Shutdown();
    thread_.join();
  }

  void RoundTrip() override {
    RoundTripOf(message_bytes_, &near_push_, &near_pull_);
  }

 private:
  const std::size_t message_bytes_;
  ZmqEndpoint near_push_;
  ZmqEndpoint near_pull_;
  ZmqEndpoint far_push_;
  ZmqEndpoint far_pull_;
  std::thread thread_;
};

// Hands a message from one thread to another.
class Mailbox {
 public:
  void Put(absl::string_view message) {
    {
      internal::MutexLock lock(&mutex_);
      message_.assign(message.data(), message.size());
      full_ = true;
    }
    changed_.NotifyOne();
  }
  // False once Close was called.
  bool Take(std::string* message) {
    internal::MutexLock lock(&mutex_);
    changed_.Wait(&mutex_, [this] { return full_ || closed_; });
    full_ = false;
    message->swap(message_);
    return !closed_;
  }
  void Close() {
    internal::MutexLock lock(&mutex_);
    closed_ = true;
    changed_.NotifyOne();
  }

 private:
  internal::Mutex mutex_;
  internal::CondVar changed_;
  std::string message_;
  bool full_ = false;
  bool closed_ = false;
};

// One side of a ZmqMailboxEcho: a thread receives, another one sends.
struct MailboxSide {
  explicit MailboxSide(std::size_t message_bytes)
      : push(ZMQ_PUSH, message_bytes), pull(push, ZMQ_PULL, message_bytes) {
    pull.Bind(Scheme::kTcp);
  }
  void Start(const MailboxSide& other) {
    push.Dial(other.pull);
    receiver = std::thread([this] {
      pull.ReceiveAll(
          [this](absl::string_view message) { mailbox.Put(message); });
    });
  }
  void Stop() {
    mailbox.Close();
    pull.Shutdown();
    receiver.join();
  }
  void Send(absl::string_view bytes) {
    zmq_msg_t message;
    zmq_msg_init_size(&message, bytes.size());
    std::memcpy(zmq_msg_data(&message), bytes.data(), bytes.size());
    push.Send(&message);
  }

  ZmqEndpoint push;
  ZmqEndpoint pull;
  Mailbox mailbox;
  std::thread receiver;
};

// Round trips as between servers whose applications wait in Receive.
class ZmqMailboxEcho : public RawEcho {
 public:
  explicit ZmqMailboxEcho(std::size_t message_bytes)
      : near_(message_bytes),
        far_(message_bytes),
        message_(message_bytes, 'x') {
    near_.Start(far_);
    far_.Start(near_);
    echo_ = std::thread([this] {
      std::string message;
      while (far_.mailbox.Take(&message)) far_.Send(message);
    });
  }
  ~ZmqMailboxEcho() override {
    far_.mailbox.Close();
    echo_.join();
    far_.Stop();
    near_.Stop();
  }

  void RoundTrip() override {
    near_.Send(message_);
    CLUSTER_CHECK(near_.mailbox.Take(&message_), "the echo ended");
  }

 private:
  MailboxSide near_;
  MailboxSide far_;
  std::string message_;
  std::thread echo_;
};

}  // namespace

std::unique_ptr<RawEcho> NewZmqEcho(std::size_t message_bytes) {
  return std::make_unique<ZmqEcho>(message_bytes);
}

std::unique_ptr<RawEcho> NewZmqOneWayEcho(std::size_t message_bytes) {
  return std::make_unique<ZmqOneWayEcho>(message_bytes);
}

std::unique_ptr<RawEcho> NewZmqMailboxEcho(std::size_t message_bytes) {
  return std::make_unique<ZmqMailboxEcho>(message_bytes);
}

}  // namespace bench
}  // namespace cluster
