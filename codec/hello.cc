#include "cluster/codec/hello.h"

#include <utility>

#include "cluster/codec/little_endian.h"

namespace cluster {
namespace {

constexpr std::size_t kEntryHeadBytes = 4;

void AppendHead(std::uint16_t type, std::size_t bytes, std::string* out) {
  char head[kEntryHeadBytes];
  StoreLittle(head, type);
  StoreLittle(head + 2, static_cast<std::uint16_t>(bytes));
  out->append(head, sizeof(head));
}

// Of the value of the entry in front.
std::size_t EntryBytes(absl::string_view body) {
  return LoadLittle<std::uint16_t>(body.data() + 2);
}

// A visitor of fields that writes each as an entry.
class Writer {
 public:
  template <typename Unsigned>
  void Number(std::uint16_t type, Unsigned value, bool required = false) {
    if (value == 0 && !required) return;
    AppendHead(type, sizeof(value), &out_);
    char bytes[sizeof(value)];
    StoreLittle(bytes, value);
    out_.append(bytes, sizeof(bytes));
  }

  void Text(std::uint16_t type, absl::string_view text, bool required = false) {
    if (text.empty() && !required) return;
    text = text.substr(0, kWireTextBytesMax);
    AppendHead(type, text.size(), &out_);
    out_.append(text.data(), text.size());
  }

  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

// A visitor of fields that looks each of them up among the entries of a body.
class Reader {
 public:
  explicit Reader(absl::string_view body) : body_(body) {
    ok_ = body.size() <= kLastingBodyBytesMax;
    while (ok_ && !body.empty()) {
      ok_ = body.size() >= kEntryHeadBytes &&
            body.size() - kEntryHeadBytes >= EntryBytes(body);
      if (ok_) body.remove_prefix(kEntryHeadBytes + EntryBytes(body));
    }
  }

  template <typename Unsigned>
  void Number(std::uint16_t type, Unsigned* value, bool required = false) {
    absl::string_view bytes;
    *value = 0;
    if (!Find(type, required, &bytes)) return;
    if (bytes.size() != sizeof(Unsigned)) return Fail();
    *value = LoadLittle<Unsigned>(bytes.data());
  }

  void Text(std::uint16_t type, std::string* text, bool required = false) {
    absl::string_view bytes;
    text->clear();
    if (!Find(type, required, &bytes)) return;
    if (bytes.size() > kWireTextBytesMax) return Fail();
    text->assign(bytes.data(), bytes.size());
  }

  bool ok() const { return ok_; }

 private:
  void Fail() { ok_ = false; }

  // The one entry of the type. False if there is none.
  bool Find(std::uint16_t type, bool required, absl::string_view* found) {
    int count = 0;
    absl::string_view rest = ok_ ? body_ : absl::string_view();
    while (!rest.empty()) {
      const auto entry_type = LoadLittle<std::uint16_t>(rest.data());
      const std::size_t bytes = EntryBytes(rest);
      if (entry_type == type) {
        *found = rest.substr(kEntryHeadBytes, bytes);
        ++count;
      }
      rest.remove_prefix(kEntryHeadBytes + bytes);
    }
    if (count > 1 || (required && count == 0)) Fail();
    return ok_ && count == 1;
  }

  const absl::string_view body_;
  bool ok_ = true;
};

bool IsRange(const VersionRange& versions) {
  return versions.min > 0 && versions.min <= versions.max;
}

}  // namespace

std::string EncodeHello(const Hello& hello) {
  Writer out;
  out.Number(1, hello.versions.min, /*required=*/true);
  out.Number(2, hello.versions.max, /*required=*/true);
  out.Number(3, hello.features);
  out.Number(4, hello.incarnation, /*required=*/true);
  out.Number(5, hello.epoch, /*required=*/true);
  out.Number(6, hello.nonce, /*required=*/true);
  out.Number(7, hello.echo_nonce);
  out.Number(8, hello.echo_epoch);
  out.Number(9, hello.window_bytes);
  out.Number(10, hello.frame_bytes_max);
  out.Number(11, hello.payload_bytes_max);
  out.Number(12, hello.codec);
  out.Text(13, hello.cluster, /*required=*/true);
  out.Text(14, hello.address);
  out.Number(15, hello.heartbeat_ms);
  out.Number(16, hello.peer_timeout_ms);
  return out.Take();
}

bool DecodeHello(absl::string_view body, Hello* hello) {
  Reader in(body);
  in.Number(1, &hello->versions.min, /*required=*/true);
  in.Number(2, &hello->versions.max, /*required=*/true);
  in.Number(3, &hello->features);
  in.Number(4, &hello->incarnation, /*required=*/true);
  in.Number(5, &hello->epoch, /*required=*/true);
  in.Number(6, &hello->nonce, /*required=*/true);
  in.Number(7, &hello->echo_nonce);
  in.Number(8, &hello->echo_epoch);
  in.Number(9, &hello->window_bytes);
  in.Number(10, &hello->frame_bytes_max);
  in.Number(11, &hello->payload_bytes_max);
  in.Number(12, &hello->codec);
  in.Text(13, &hello->cluster, /*required=*/true);
  in.Text(14, &hello->address);
  in.Number(15, &hello->heartbeat_ms);
  in.Number(16, &hello->peer_timeout_ms);
  // Zero means "none yet", which nobody is, or offers.
  return in.ok() && IsRange(hello->versions) && hello->incarnation != 0 &&
         hello->epoch != 0 && hello->nonce != 0;
}

std::string EncodeRefusal(const Refusal& refusal) {
  Writer out;
  out.Number(1, static_cast<std::uint16_t>(refusal.code), /*required=*/true);
  out.Text(2, refusal.text);
  out.Number(3, refusal.echo_nonce);
  out.Number(4, refusal.versions.min);
  out.Number(5, refusal.versions.max);
  return out.Take();
}

bool DecodeRefusal(absl::string_view body, Refusal* refusal) {
  Reader in(body);
  std::uint16_t code = 0;
  in.Number(1, &code, /*required=*/true);
  refusal->code = static_cast<RefusalCode>(code);
  in.Text(2, &refusal->text);
  in.Number(3, &refusal->echo_nonce);
  in.Number(4, &refusal->versions.min);
  in.Number(5, &refusal->versions.max);
  return in.ok();
}

std::string EncodeGoodbye(const Goodbye& goodbye) {
  Writer out;
  out.Number(1, static_cast<std::uint16_t>(goodbye.reason));
  out.Text(2, goodbye.text);
  return out.Take();
}

bool DecodeGoodbye(absl::string_view body, Goodbye* goodbye) {
  Reader in(body);
  std::uint16_t reason = 0;
  in.Number(1, &reason);
  goodbye->reason = static_cast<GoodbyeReason>(reason);
  in.Text(2, &goodbye->text);
  return in.ok();
}

}  // namespace cluster
