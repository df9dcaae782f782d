#include "cluster/transport/nng/outbound_connection.h"

#include <utility>

namespace cluster {
namespace nng {

OutboundConnection::OutboundConnection(Caretaker* caretaker, nng_stream* stream,
                                       std::shared_ptr<BufferPool> pool,
                                       std::unique_ptr<stream::TlsSession> tls,
                                       std::shared_ptr<ConnectionOwner> owner)
    : Channel(caretaker, stream, std::move(pool), std::move(tls)),
      owner_(std::move(owner)) {}

void OutboundConnection::Greet() {
  if (!secured()) Say(stream::Preamble());
  Open();
}

void OutboundConnection::OnSecured(int /*identity*/,
                                   const std::string& certificate) {
  certificate_ = certificate;
  Say(stream::Preamble());
}

absl::Span<char> OutboundConnection::Room() {
  return absl::MakeSpan(answer_).subspan(answer_bytes_);
}

bool OutboundConnection::OnBytes(std::size_t bytes) {
  answer_bytes_ += bytes;
  const absl::string_view answer = absl::string_view(answer_, answer_bytes_)
                                       .substr(0, stream::kPreambleBytes);
  if (answer.size() < stream::kPreambleBytes &&
      stream::IsBeginOfAnswer(answer)) {
    return false;
  }
  const std::string refusal = stream::RefusalIn(answer);
  if (!refusal.empty()) {
    Refuse(RefusalReason::kUnauthenticated, refusal);
  } else if (answer_bytes_ > stream::kPreambleBytes) {
    Refuse(RefusalReason::kMalformed,
           "it sends bytes behind its answer, so nobody of this library "
           "listens");
  } else {
    owner_->OnAccepted(this, certificate_);
  }
  return false;
}

void OutboundConnection::Refuse(RefusalReason kind, std::string reason) {
  loss_.refusal.emplace();
  loss_.refusal->kind = kind;
  loss_.refusal->reason = std::move(reason);
  Close();
}

void OutboundConnection::OnTlsFailed(const Rejection& failure,
                                     bool peer_knows) {
  loss_.refusal = failure;
  if (peer_knows) Close();
}

void OutboundConnection::OnEnd(int error) {
  loss_.error = error;
  if (error == NNG_ECONNSHUT && answer_bytes_ == 0 && !loss_.refusal) {
    // As listeners of version 1 do.
    loss_.refusal.emplace();
    loss_.refusal->kind = RefusalReason::kSilent;
    loss_.refusal->reason =
        "it closed the connection without an answer, as a listener of another "
        "version does";
  }
  Close();
  owner_->OnReadEnd(this, loss_);
}

}  // namespace nng
}  // namespace cluster
