#include "cluster/transport/stream/tls_session.h"

#include <openssl/bio.h>
#include <openssl/err.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"
#include "cluster/transport/stream/preamble.h"

namespace cluster::internal {
namespace stream {
namespace {

// The first byte of a peer that refuses the handshake at once.
constexpr char kAlertFirstByte = 0x15;

// Header, content type and tag of a record.
constexpr std::size_t kRecordOverhead = 5 + 1 + 16;
// The room of out() in a handshake, or for a short text.
constexpr std::size_t kQuietBytes = 4u << 10;

struct ReasonText {
  int reason;
  const char* text;
};

// The meaning of the peer's alerts. Those about certificates are as
// TlsMaterial::Judge gives them.
constexpr ReasonText kAlerts[] = {
    {SSL_AD_UNKNOWN_CA,
     "it does not take this server's certificate: unknown to it"},
    {SSL_AD_CERTIFICATE_EXPIRED,
     "it does not take this server's certificate: expired, by its clock"},
    {SSL_AD_BAD_CERTIFICATE,
     "it does not take this server's certificate: not valid yet, by its clock"},
    {SSL_AD_UNSUPPORTED_CERTIFICATE,
     "it does not take this server's certificate: of another cluster"},
    {SSL_AD_CERTIFICATE_UNKNOWN,
     "it does not take this server's certificate: of another server than it "
     "wanted"},
    {SSL_AD_CERTIFICATE_REQUIRED, "it wants a certificate"},
    {SSL_AD_PROTOCOL_VERSION, "it does not speak TLS 1.3"},
    {SSL_AD_HANDSHAKE_FAILURE,
     "it takes no cipher of TLS 1.3 that this server has"},
};

// The meaning of OpenSSL's errors.
constexpr char kNoTls13[] = "it does not speak TLS 1.3";
constexpr char kNoCipher[] =
    "it has no cipher of TLS 1.3 that this server takes";
constexpr ReasonText kErrors[] = {
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "it has no certificate"},
    {SSL_R_UNSUPPORTED_PROTOCOL, kNoTls13},
    {SSL_R_WRONG_SSL_VERSION, kNoTls13},
    {SSL_R_WRONG_VERSION_NUMBER, kNoTls13},
    {SSL_R_UNKNOWN_SSL_VERSION, kNoTls13},
    {SSL_R_VERSION_TOO_LOW, kNoTls13},
    {SSL_R_NO_SHARED_CIPHER, kNoCipher},
    {SSL_R_NO_CIPHERS_SPECIFIED, kNoCipher},
};

// Null: not in the table.
template <std::size_t kCount>
const char* TextOf(int reason, const ReasonText (&table)[kCount]) {
  for (const ReasonText& known : table) {
    if (known.reason == reason) return known.text;
  }
  return nullptr;
}

}  // namespace

TlsSession::TlsSession(std::shared_ptr<const TlsMaterial> material, Role role,
                       std::shared_ptr<BufferPool> pool,
                       absl::optional<int> wanted)
    : material_(std::move(material)),
      pool_(std::move(pool)),
      role_(role),
      ssl_(SSL_new(material_->context())) {
  BIO* const bio = BIO_new(Method());
  CLUSTER_CHECK(ssl_ != nullptr && bio != nullptr, "out of memory");
  judgement_.material = material_.get();
  judgement_.wanted = wanted;
  failure_.peer = wanted;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);  // which owns it
  SSL_set_app_data(ssl_.get(), &judgement_);
  if (role == Role::kListener) {
    SSL_set_accept_state(ssl_.get());
    return;
  }
  SSL_set_connect_state(ssl_.get());
  ShakeHands();
}

TlsSession::~TlsSession() = default;

const BIO_METHOD* TlsSession::Method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* const made =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "TlsSession");
    CLUSTER_CHECK(made != nullptr, "out of memory");
    BIO_meth_set_read_ex(made, &TlsSession::TakeIn);
    BIO_meth_set_write_ex(made, &TlsSession::TakeOut);
    BIO_meth_set_ctrl(made, &TlsSession::Control);
    return made;
  }();
  return method;
}

int TlsSession::TakeIn(BIO* bio, char* to, std::size_t room, std::size_t* got) {
  auto* const session = static_cast<TlsSession*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (session->in_ == nullptr || session->in_->empty()) {
    *got = 0;
    BIO_set_retry_read(bio);
    return 0;
  }
  *got = std::min(room, session->in_->size());
  std::memcpy(to, session->in_->data(), *got);
  session->in_->remove_prefix(*got);
  session->unproductive_bytes_ += *got;
  return 1;
}

int TlsSession::TakeOut(BIO* bio, const char* from, std::size_t bytes,
                        std::size_t* put) {
  auto* const session = static_cast<TlsSession*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  // No exception may pass through OpenSSL.
  try {
    session->PutOut(absl::string_view(from, bytes));
  } catch (const std::bad_alloc&) {
    *put = 0;
    return 0;
  }
  *put = bytes;
  return 1;
}

long TlsSession::Control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

void TlsSession::Reserve(std::size_t bytes) {
  if (out_end_ + bytes <= out_capacity_) return;
  const std::size_t kept = out_end_ - out_begin_;
  const std::size_t wanted = kept + bytes;
  const std::size_t capacity =
      wanted <= kQuietBytes ? kQuietBytes : std::max(wanted, kOutBytes);
  std::shared_ptr<char> larger = pool_->Lend(capacity);
  if (kept > 0) std::memcpy(larger.get(), out_.get() + out_begin_, kept);
  out_ = std::move(larger);
  out_capacity_ = capacity;
  out_begin_ = 0;
  out_end_ = kept;
}

void TlsSession::PutOut(absl::string_view bytes) {
  Reserve(bytes.size());
  std::memcpy(out_.get() + out_end_, bytes.data(), bytes.size());
  out_end_ += bytes.size();
}

void TlsSession::Sent(std::size_t bytes) {
  CLUSTER_CHECK(bytes <= out_end_ - out_begin_, "more was sent than there was");
  out_begin_ += bytes;
  if (out_begin_ < out_end_) return;
  out_ = nullptr;
  out_capacity_ = out_begin_ = out_end_ = 0;
}

std::size_t TlsSession::Read(absl::string_view* in, absl::Span<char> room) {
  std::size_t got = 0;
  if (is_tls_ || LooksLikeTls(in)) {
    in_ = in;
    const std::size_t answers_before = out_end_ - out_begin_;
    if (state_ == State::kHandshake) ShakeHands();
    if (state_ == State::kOpen) got = ReadRecords(room);
    in_ = nullptr;
    const std::size_t answers = out_end_ - out_begin_;
    if (answers > answers_before && answers > kOutBytes + kAnswerBytesMax) {
      Fail(RefusalReason::kMalformed,
           "it asks for answers and does not read them");
    }
  }
  // Drop all that comes after the end.
  if (state_ == State::kFailed || state_ == State::kEnded) *in = {};
  return got;
}

bool TlsSession::LooksLikeTls(absl::string_view* in) {
  if (in->empty() || state_ == State::kFailed) return false;
  if (first_bytes_.empty()) {
    const char first = (*in)[0];
    is_tls_ = first == kTlsFirstByte ||
              (role_ == Role::kDialler && first == kAlertFirstByte);
    if (is_tls_) return true;
  }
  // The first bytes are enough for a listener; a dialler reads a whole answer.
  const std::size_t wanted =
      role_ == Role::kListener ? kMagicBytes : kPreambleBytes;
  const std::size_t part = std::min(wanted - first_bytes_.size(), in->size());
  absl::StrAppend(&first_bytes_, in->substr(0, part));
  in->remove_prefix(part);
  if (!IsBeginOfAnswer(first_bytes_)) {
    Fail(RefusalReason::kMalformed, "it speaks neither TLS nor this protocol");
  } else if (first_bytes_.size() == wanted) {
    FailOfPlaintext();
  }
  return false;
}

void TlsSession::FailOfPlaintext() {
  if (role_ == Role::kDialler) {
    const std::string refusal = RefusalIn(first_bytes_);
    is_refused_ = true;
    Fail(RefusalReason::kUnauthenticated,
         refusal.empty() ? "it accepts in plaintext a connection that is to be "
                           "secured"
                         : refusal);
    return;
  }
  Fail(RefusalReason::kUnauthenticated,
       "it speaks plaintext, and this server is secured");
  PutOut(AnswerText(Answer::kWantsTls));
}

void TlsSession::ShakeHands() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    state_ = State::kOpen;
    unproductive_bytes_ = 0;
  } else {
    TakeResult(result);
  }
}

std::size_t TlsSession::ReadRecords(absl::Span<char> room) {
  KeepBuffersFor(in_->size());
  ERR_clear_error();
  std::size_t got = 0;
  while (got < room.size()) {
    std::size_t part = 0;
    const int result =
        SSL_read_ex(ssl_.get(), room.data() + got, room.size() - got, &part);
    if (result != 1) {
      TakeResult(result);
      break;
    }
    got += part;
    unproductive_bytes_ = 0;
  }
  return got;
}

void TlsSession::KeepBuffersFor(std::size_t bytes) {
  if (bytes >= kRecordBytesMax) {
    SSL_clear_mode(ssl_.get(), SSL_MODE_RELEASE_BUFFERS);
  } else {
    SSL_set_mode(ssl_.get(), SSL_MODE_RELEASE_BUFFERS);
  }
}

void TlsSession::Write(absl::string_view text) {
  CLUSTER_CHECK(state_ == State::kOpen, "TLS is not open");
  const std::size_t records =
      (text.size() + kRecordBytesMax - 1) / kRecordBytesMax;
  Reserve(text.size() + records * kRecordOverhead);
  KeepBuffersFor(text.size());
  records_ += records;
  if (records_ > kRecordsPerKey) {
    SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_NOT_REQUESTED);
    records_ = records;
  }
  ERR_clear_error();
  std::size_t written = 0;
  if (text.empty()) return;
  const int result =
      SSL_write_ex(ssl_.get(), text.data(), text.size(), &written);
  if (result != 1) TakeResult(result);
}

void TlsSession::TakeResult(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      if (unproductive_bytes_ > kUnproductiveBytesMax) {
        Fail(RefusalReason::kMalformed,
             state_ == State::kHandshake
                 ? "its TLS handshake is longer than any good one"
                 : "it sends more TLS records without content than any good "
                   "peer");
      }
      return;
    case SSL_ERROR_ZERO_RETURN:
      state_ = State::kEnded;
      return;
    default:
      TakeError(ERR_peek_error());
      ERR_clear_error();
  }
}

void TlsSession::TakeError(unsigned long error) {
  const int reason = ERR_GET_REASON(error);
  const bool shaking = state_ == State::kHandshake;
  constexpr char kHandshake[] = "TLS handshake: ";
  if (!judgement_.refusal.empty()) {
    return Fail(RefusalReason::kUnauthenticated,
                absl::StrCat(shaking ? kHandshake : "", judgement_.refusal));
  }
  // A dialler may be open already when it hears that the listener refused it.
  const int alert = reason - SSL_AD_REASON_OFFSET;
  if (alert > 0 && alert < 256) {
    is_refused_ = true;
    const char* const text = TextOf(alert, kAlerts);
    return Fail(RefusalReason::kUnauthenticated,
                text != nullptr
                    ? absl::StrCat(kHandshake, text)
                    : absl::StrCat(kHandshake, "it ends TLS with the alert \"",
                                   SSL_alert_desc_string_long(alert), "\""));
  }
  if (const char* const text = TextOf(reason, kErrors)) {
    return Fail(RefusalReason::kUnauthenticated,
                absl::StrCat(kHandshake, text));
  }
  const char* const words = ERR_reason_error_string(error);
  Fail(RefusalReason::kMalformed,
       absl::StrCat(shaking ? "what it sends is no TLS handshake"
                            : "what it sends does not decrypt",
                    ": ", words == nullptr ? "unknown error" : words));
}

void TlsSession::Fail(RefusalReason kind, absl::string_view reason) {
  state_ = State::kFailed;
  failure_.kind = kind;
  failure_.reason = std::string(reason);
}

}  // namespace stream
}  // namespace cluster::internal
