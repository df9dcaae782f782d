#include "transport/nng/outbound_connection.h"

#include <utility>

namespace cluster {
namespace nng {

OutboundConnection::OutboundConnection(Caretaker* caretaker, nng_stream* stream,
                                       std::shared_ptr<ConnectionOwner> owner)
    : AsyncHandle(caretaker),
      owner_(std::move(owner)),
      stream_(stream),
      send_aio_(NewAio<&OutboundConnection::OnSent>(this)),
      receive_aio_(NewAio<&OutboundConnection::OnReceived>(this)) {}

void OutboundConnection::WatchEnd() {
  nng_iov segment{unexpected_, sizeof unexpected_};
  nng_aio_set_iov(receive_aio_, 1, &segment);
  Begin([this] { nng_stream_recv(stream_, receive_aio_); });
}

void OutboundConnection::Write() {
  const absl::Span<const nng_iov> segments = batch_.segments();
  nng_aio_set_iov(send_aio_, static_cast<unsigned>(segments.size()),
                  segments.data());
  Begin([this] { nng_stream_send(stream_, send_aio_); });
}

void OutboundConnection::OnSent(void* self) {
  auto* const connection = static_cast<OutboundConnection*>(self);
  connection->Continue();
  connection->Release();
}

void OutboundConnection::Continue() {
  int error = nng_aio_result(send_aio_);
  // With an error nothing of this operation was written: nng makes one system
  // call for each.
  if (error == 0) batch_.Advance(nng_aio_count(send_aio_));
  if (error == 0 && !batch_.done()) {
    if (!closed()) {
      Write();
      return;
    }
    error = NNG_ECLOSED;
  }
  owner_->OnWritten(this, error);
}

void OutboundConnection::OnReceived(void* self) {
  auto* const connection = static_cast<OutboundConnection*>(self);
  // Bytes instead of an end come from somebody who is no listener of ours.
  const int result = nng_aio_result(connection->receive_aio_);
  connection->owner_->OnReadEnd(connection, result == 0 ? NNG_EPROTO : result);
  connection->Release();
}

void OutboundConnection::CloseHandles() {
  nng_stream_close(stream_);
  nng_aio_abort(send_aio_, NNG_ECLOSED);
  nng_aio_abort(receive_aio_, NNG_ECLOSED);
}

void OutboundConnection::FreeHandles() {
  nng_aio_free(send_aio_);
  nng_aio_free(receive_aio_);
  nng_stream_free(stream_);
}

}  // namespace nng
}  // namespace cluster
