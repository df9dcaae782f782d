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

// Writes each field that it visits as an entry.
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

  template <typename Enum>
  void Code(std::uint16_t type, Enum code, bool required = false) {
    Number(type, static_cast<std::uint16_t>(code), required);
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

// Looks up each field that it visits among the entries of a body.
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
  void Number(std::uint16_t type, Unsigned& value, bool required = false) {
    absl::string_view bytes;
    value = 0;
    if (!Find(type, required, &bytes)) return;
    if (bytes.size() != sizeof(Unsigned)) return Fail();
    value = LoadLittle<Unsigned>(bytes.data());
  }

  template <typename Enum>
  void Code(std::uint16_t type, Enum& code, bool required = false) {
    std::uint16_t number = 0;
    Number(type, number, required);
    code = static_cast<Enum>(number);
  }

  void Text(std::uint16_t type, std::string& text, bool required = false) {
    absl::string_view bytes;
    text.clear();
    if (!Find(type, required, &bytes)) return;
    if (bytes.size() > kWireTextBytesMax) return Fail();
    text.assign(bytes.data(), bytes.size());
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

// The fields of each kind, for a Writer or a Reader.

template <typename Visitor, typename HelloFields>
void VisitHello(HelloFields& hello, Visitor* visitor) {
  visitor->Number(1, hello.versions.min, /*required=*/true);
  visitor->Number(2, hello.versions.max, /*required=*/true);
  visitor->Number(3, hello.features);
  visitor->Number(4, hello.incarnation, /*required=*/true);
  visitor->Number(5, hello.epoch, /*required=*/true);
  visitor->Number(6, hello.nonce, /*required=*/true);
  visitor->Number(7, hello.echo_nonce);
  visitor->Number(8, hello.echo_epoch);
  visitor->Number(9, hello.window_bytes);
  visitor->Number(10, hello.frame_bytes_max);
  visitor->Number(11, hello.payload_bytes_max);
  visitor->Number(12, hello.codec);
  visitor->Text(13, hello.cluster, /*required=*/true);
  visitor->Text(14, hello.address);
  visitor->Number(15, hello.heartbeat_ms);
  visitor->Number(16, hello.peer_timeout_ms);
  visitor->Number(17, hello.your_heartbeat_ms);
  visitor->Number(18, hello.your_peer_timeout_ms);
}

template <typename Visitor, typename RefusalFields>
void VisitRefusal(RefusalFields& refusal, Visitor* visitor) {
  visitor->Code(1, refusal.code, /*required=*/true);
  visitor->Text(2, refusal.text);
  visitor->Number(3, refusal.echo_nonce);
  visitor->Number(4, refusal.versions.min);
  visitor->Number(5, refusal.versions.max);
}

template <typename Visitor, typename GoodbyeFields>
void VisitGoodbye(GoodbyeFields& goodbye, Visitor* visitor) {
  visitor->Code(1, goodbye.reason);
  visitor->Text(2, goodbye.text);
}

}  // namespace

std::string EncodeHello(const Hello& hello) {
  Writer out;
  VisitHello(hello, &out);
  return out.Take();
}

bool DecodeHello(absl::string_view body, Hello* hello) {
  Reader in(body);
  VisitHello(*hello, &in);
  // Zero means "none yet", which nobody is, or offers.
  return in.ok() && hello->versions.min > 0 &&
         hello->versions.min <= hello->versions.max &&
         hello->incarnation != 0 && hello->epoch != 0 && hello->nonce != 0;
}

std::string EncodeRefusal(const Refusal& refusal) {
  Writer out;
  VisitRefusal(refusal, &out);
  return out.Take();
}

bool DecodeRefusal(absl::string_view body, Refusal* refusal) {
  Reader in(body);
  VisitRefusal(*refusal, &in);
  return in.ok();
}

std::string EncodeGoodbye(const Goodbye& goodbye) {
  Writer out;
  VisitGoodbye(goodbye, &out);
  return out.Take();
}

bool DecodeGoodbye(absl::string_view body, Goodbye* goodbye) {
  Reader in(body);
  VisitGoodbye(*goodbye, &in);
  return in.ok();
}

}  // namespace cluster
