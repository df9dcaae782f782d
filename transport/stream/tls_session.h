// The TLS of one connection, without I/O: turns bytes of the network into
// plaintext, and plaintext into bytes. Not thread-safe.
//
// A session that fails has a reason in words, and an alert for the peer in
// out(), so that both sides can report the reason. Write out(), then read until
// the peer has closed, or for a bounded time: closing first could lose the
// alert. Handshakes and records without content are bounded, whatever the peer
// sends.
//
//   TlsSession session(material, TlsSession::Role::kListener, pool);
//   while (std::size_t got = session.Read(&in, room)) Use(room.first(got));
//   session.Sent(send(fd, session.out().bytes));

#ifndef CLUSTER_TRANSPORT_STREAM_TLS_SESSION_H_
#define CLUSTER_TRANSPORT_STREAM_TLS_SESSION_H_

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "cluster/base/buffer_pool.h"
#include "cluster/transport/frame.h"
#include "cluster/transport/security.h"
#include "cluster/transport/tls_material.h"

namespace cluster::internal {
namespace stream {

class TlsSession {
 public:
  enum class Role { kDialler, kListener };
  enum class State {
    kHandshake,
    kOpen,    // identity() is proven; Write may be called
    kEnded,   // the peer said that nothing more comes
    kFailed,  // failure() says why
  };

  static constexpr std::size_t kRecordBytesMax = 16u << 10;  // of plaintext
  static constexpr std::size_t kUnproductiveBytesMax = 64u << 10;
  // The room of out() on a busy stream; it grows if it must.
  static constexpr std::size_t kOutBytes = 288u << 10;
  // Beyond that, the answers that may wait in out() while the peer does not
  // read.
  static constexpr std::size_t kAnswerBytesMax = 64u << 10;
  // A key is changed long before the limits of its cipher.
  static constexpr std::uint64_t kRecordsPerKey = std::uint64_t{1} << 18;

  // `wanted`: the only server that a dialler accepts. A dialler's out() has
  // bytes from the start.
  TlsSession(std::shared_ptr<const TlsMaterial> material, Role role,
             std::shared_ptr<BufferPool> pool,
             absl::optional<int> wanted = absl::nullopt);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // Takes bytes from the front of `in` and puts plaintext at the front of
  // `room`; returns how much. Call it until it returns 0: then all of `in` has
  // been taken. May add to out().
  std::size_t Read(absl::string_view* in, absl::Span<char> room);

  // Adds the records of `text` to out(). Only when open. Throws std::bad_alloc
  // before it has taken anything.
  void Write(absl::string_view text);

  // The bytes to send. The slice stays valid and unchanged, whatever is called
  // next.
  Slice out() const {
    return Slice{out_, absl::string_view(out_.get() + out_begin_,
                                         out_end_ - out_begin_)};
  }
  void Sent(std::size_t bytes);

  State state() const { return state_; }
  const Rejection& failure() const { return failure_; }
  // Whether the peer refused this side, and said so.
  bool is_refused() const { return is_refused_; }
  // The server that the peer has proven to be, and its certificate; once open.
  absl::optional<int> identity() const { return judgement_.identity; }
  const std::string& certificate() const { return judgement_.certificate; }

 private:
  static const BIO_METHOD* Method();
  static int TakeIn(BIO* bio, char* to, std::size_t room, std::size_t* got);
  static int TakeOut(BIO* bio, const char* from, std::size_t bytes,
                     std::size_t* put);
  static long Control(BIO* bio, int command, long number, void* pointer);

  // Whether the peer speaks TLS. False: no, or not known yet.
  bool LooksLikeTls(absl::string_view* in);
  void FailOfPlaintext();
  void ShakeHands();
  std::size_t ReadRecords(absl::Span<char> room);
  // Lets OpenSSL keep its buffers between records on a busy stream alone: a
  // quiet one saves 34 kB.
  void KeepBuffersFor(std::size_t bytes);
  void Reserve(std::size_t bytes);
  void PutOut(absl::string_view bytes);
  // Both handle an operation of OpenSSL that did not succeed.
  void TakeResult(int result);
  void TakeError(unsigned long error);
  void Fail(RefusalReason kind, absl::string_view reason);

  const std::shared_ptr<const TlsMaterial> material_;
  const std::shared_ptr<BufferPool> pool_;
  const Role role_;
  State state_ = State::kHandshake;
  Rejection failure_;
  bool is_refused_ = false;
  TlsMaterial::Judgement judgement_;
  std::unique_ptr<SSL, OpensslFree> ssl_;

  std::string first_bytes_;  // until the peer's protocol is known
  bool is_tls_ = false;
  absl::string_view* in_ = nullptr;  // while Read runs
  std::size_t unproductive_bytes_ = 0;
  std::uint64_t records_ = 0;  // written with this key

  std::shared_ptr<char> out_;
  std::size_t out_capacity_ = 0;
  std::size_t out_begin_ = 0;
  std::size_t out_end_ = 0;
};

}  // namespace stream
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_STREAM_TLS_SESSION_H_
