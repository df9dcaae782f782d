#include "bench/peers/grpc_peer.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"

namespace cluster {
namespace bench {
namespace {

void Check(bool good) { CLUSTER_CHECK(good, "a stream of gRPC broke"); }

enum Operation { kOpen, kRead, kWrite };

// The tag of an operation in a completion queue points to it.
void* Tag(Operation operation) {
  static std::array<Operation, 3> all = {kOpen, kRead, kWrite};
  return &all[operation];
}

// Takes what is left in the queue, as gRPC demands before its end.
void End(grpc::CompletionQueue* queue) {
  queue->Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) {
  }
}

// The bytes of a message, which may have come in several parts.
grpc::Slice InOnePart(const grpc::ByteBuffer& message) {
  grpc::Slice slice;
  if (!message.TrySingleSlice(&slice).ok())
    Check(message.DumpToSingleSlice(&slice).ok());
  return slice;
}

// A server for one stream, with a thread of its own.
class StreamServer {
 public:
  // Without `receive` it sends each message back.
  explicit StreamServer(std::function<void(absl::string_view)> receive)
      : receive_(std::move(receive)) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterAsyncGenericService(&service_);
    queue_ = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
    Check(server_ != nullptr && port_ > 0);
    service_.RequestCall(&context_, &stream_, queue_.get(), queue_.get(),
                         Tag(kOpen));
    thread_ = std::thread([this] { Serve(); });
  }
  // Ends Serve, whose read fails. The queue may end only after the server.
  ~StreamServer() {
    server_->Shutdown(std::chrono::system_clock::now());
    thread_.join();
    End(queue_.get());
  }
  StreamServer(const StreamServer&) = delete;
  StreamServer& operator=(const StreamServer&) = delete;

  int port() const { return port_; }

 private:
  void Serve() {
    void* tag = nullptr;
    bool ok = false;
    while (queue_->Next(&tag, &ok) && ok) On(*static_cast<Operation*>(tag));
  }

  void On(Operation operation) {
    if (operation == kWrite) {
      writing_ = false;
    } else {
      unread_.Swap(&message_);
      arrived_ = operation == kRead;
      stream_.Read(&unread_, Tag(kRead));
    }
    if (!arrived_ || writing_) return;
    arrived_ = false;
    if (receive_ != nullptr) {
      const grpc::Slice bytes = InOnePart(message_);
      receive_({reinterpret_cast<const char*>(bytes.begin()), bytes.size()});
    } else {
      writing_ = true;
      stream_.Write(message_, Tag(kWrite));
    }
  }

  const std::function<void(absl::string_view)> receive_;
  int port_ = 0;
  grpc::AsyncGenericService service_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  // Only the thread uses these.
  grpc::ByteBuffer unread_;
  grpc::ByteBuffer message_;
  bool arrived_ = false;  // message_ is yet to be handled
  bool writing_ = false;
  std::thread thread_;
};

// The other ends of streams, in the caller's thread.
class StreamClient {
 public:
  ~StreamClient() {
    for (auto& stream : streams_) stream->context.TryCancel();
    End(&queue_);
  }

  void Dial(int port) {
    auto stream = std::make_unique<Stream>();
    grpc::GenericStub stub(grpc::CreateChannel(
        absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials()));
    stream->call =
        stub.PrepareCall(&stream->context, "/bench.Peer/Stream", &queue_);
    stream->call->StartCall(Tag(kOpen));
    streams_.push_back(std::move(stream));
    ++running_;
    Wait();
  }

  // Begins to send to all. A stream has one write at a time.
  void Write(const grpc::ByteBuffer& message, grpc::WriteOptions options) {
    Wait();
    for (auto& stream : streams_) {
      stream->call->Write(message, options, Tag(kWrite));
      ++running_;
    }
  }

  void Read(grpc::ByteBuffer* message) {
    streams_.front()->call->Read(message, Tag(kRead));
    ++running_;
  }

  // Waits for the operations that run.
  void Wait() {
    for (; running_ > 0; --running_) {
      void* tag = nullptr;
      bool ok = false;
      Check(queue_.Next(&tag, &ok) && ok);
    }
  }

 private:
  struct Stream {
    grpc::ClientContext context;
    std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call;
  };

  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<Stream>> streams_;
  int running_ = 0;
};

class GrpcFanout : public RawFanout {
 public:
  GrpcFanout(GrpcWrites writes, int connections, RawReceiver receiver)
      : writes_(writes), receiver_(std::move(receiver)) {
    for (int connection = 0; connection < connections; ++connection) {
      servers_.push_back(std::make_unique<StreamServer>(
          [this, connection](absl::string_view message) {
            receiver_(connection, message);
          }));
      client_.Dial(servers_.back()->port());
    }
  }

  char* Begin(std::size_t bytes) override {
    slice_ = grpc::Slice(bytes);
    return reinterpret_cast<char*>(const_cast<std::uint8_t*>(slice_.begin()));
  }

  void Commit() override {
    grpc::ByteBuffer message(&slice_, 1);
    if (writes_ == GrpcWrites::kBuffered) {
      // The last one must not have the hint, so each waits for the next.
      last_.Swap(&message);
      if (!message.Valid()) return;
      client_.Write(message, grpc::WriteOptions().set_buffer_hint());
    } else {
      client_.Write(message, grpc::WriteOptions());
    }
  }

  void Flush() override {
    if (last_.Valid()) client_.Write(last_, grpc::WriteOptions());
    last_.Clear();
    client_.Wait();
  }

 private:
  const GrpcWrites writes_;
  const RawReceiver receiver_;
  grpc::Slice slice_;
  grpc::ByteBuffer last_;
  StreamClient client_;
  std::vector<std::unique_ptr<StreamServer>> servers_;
};

class GrpcEcho : public RawEcho {
 public:
  explicit GrpcEcho(std::size_t message_bytes)
      : message_(message_bytes, 'x'), far_(nullptr) {
    near_.Dial(far_.port());
  }

  void RoundTrip() override {
    const grpc::Slice slice(message_);
    const grpc::ByteBuffer message(&slice, 1);
    grpc::ByteBuffer answer;
    near_.Write(message, grpc::WriteOptions());
    near_.Read(&answer);
    near_.Wait();
    Check(answer.Length() == message_.size());
  }

 private:
  const std::string message_;
  StreamClient near_;
  StreamServer far_;
};

}  // namespace

std::unique_ptr<RawFanout> NewGrpcFanout(GrpcWrites writes, int connections,
                                         RawReceiver receiver) {
  return std::make_unique<GrpcFanout>(writes, connections, std::move(receiver));
}

std::unique_ptr<RawEcho> NewGrpcEcho(std::size_t message_bytes) {
  return std::make_unique<GrpcEcho>(message_bytes);
}

}  // namespace bench
}  // namespace cluster
