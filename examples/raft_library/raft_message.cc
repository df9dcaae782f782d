#include "examples/raft_library/raft_message.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

extern "C" {
// src/uv_encoding.h of canonical/raft.
int uvEncodeMessage(const raft_message* message, uv_buf_t** buffers,
                    unsigned* count);
int uvDecodeMessage(unsigned long type, const uv_buf_t* header,
                    raft_message* message, std::size_t* payload_bytes);
void uvDecodeEntriesBatch(std::uint8_t* batch, std::size_t offset,
                          raft_entry* entries, unsigned count);
}

namespace raft_library {
namespace {

// The type and the length of the header, before the header and the payload.
constexpr std::size_t kPreambleBytes = 16;

std::uint64_t Get64(absl::string_view bytes, std::size_t offset) {
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;)
    value = value << 8 | static_cast<std::uint8_t>(bytes[offset + i]);
  return value;
}

// A format, a count, and for each server its id, its address up to a zero, and
// its role.
bool IsConfiguration(absl::string_view bytes) {
  if (bytes.size() < 9) return false;
  std::uint64_t servers = Get64(bytes, 1);
  bytes.remove_prefix(9);
  for (; servers > 0; --servers) {
    const std::size_t end = bytes.find('\0', 8);
    if (end == absl::string_view::npos || bytes.size() < end + 2) return false;
    bytes.remove_prefix(end + 2);
  }
  return true;
}

// Whether a header has all that uvDecodeMessage reads of it. Some have more.
bool IsHeader(std::uint64_t type, absl::string_view header) {
  const std::size_t size = header.size();
  switch (type) {
    case RAFT_IO_REQUEST_VOTE:
      return size >= 40;
    case RAFT_IO_APPEND_ENTRIES:  // with 16 bytes for each entry
      return size >= 40 && Get64(header, 32) <= (size - 40) / 16;
    case RAFT_IO_INSTALL_SNAPSHOT:
      return size >= 48 && Get64(header, 32) <= size - 48 &&
             IsConfiguration(header.substr(40, Get64(header, 32)));
    case RAFT_IO_REQUEST_VOTE_RESULT:
    case RAFT_IO_APPEND_ENTRIES_RESULT:
    case RAFT_IO_TIMEOUT_NOW:
      return size >= 24;
    default:
      return false;
  }
}

// Gives the message a copy of its payload. The entries of a batch begin at
// multiples of 8 bytes, and the sender adds no padding for that.
int TakePayload(absl::string_view payload, raft_message* message) {
  const bool is_append = message->type == RAFT_IO_APPEND_ENTRIES;
  raft_append_entries& append = message->append_entries;
  for (unsigned i = 0; is_append && i + 1 < append.n_entries; ++i)
    if (append.entries[i].buf.len % 8 != 0) return RAFT_MALFORMED;
  if (payload.empty())
    return is_append && append.n_entries > 0 ? RAFT_MALFORMED : 0;
  void* const copy = raft_malloc(payload.size());
  if (copy == nullptr) return RAFT_NOMEM;
  std::memcpy(copy, payload.data(), payload.size());
  if (is_append) {
    uvDecodeEntriesBatch(static_cast<std::uint8_t*>(copy), 0, append.entries,
                         append.n_entries);
  } else {
    message->install_snapshot.data.base = copy;
  }
  return 0;
}

void Release(raft_message* message) {
  if (message->type == RAFT_IO_APPEND_ENTRIES)
    raft_free(message->append_entries.entries);
  if (message->type == RAFT_IO_INSTALL_SNAPSHOT)
    raft_configuration_close(&message->install_snapshot.conf);
}

}  // namespace

bool Encode(const raft_message& message, std::string* bytes) {
  uv_buf_t* buffers = nullptr;
  unsigned count = 0;
  if (uvEncodeMessage(&message, &buffers, &count) != 0) return false;
  bytes->clear();
  for (unsigned i = 0; i < count; ++i)
    bytes->append(buffers[i].base, buffers[i].len);
  raft_free(buffers[0].base);  // the header; the others are the message's
  raft_free(buffers);
  return true;
}

int Decode(absl::string_view bytes, raft_message* message) {
  if (bytes.size() < kPreambleBytes) return RAFT_MALFORMED;
  const std::uint64_t type = Get64(bytes, 0);
  const std::uint64_t header_bytes = Get64(bytes, 8);
  bytes.remove_prefix(kPreambleBytes);
  if (header_bytes > bytes.size()) return RAFT_MALFORMED;
  const absl::string_view header = bytes.substr(0, header_bytes);
  const absl::string_view payload = bytes.substr(header_bytes);
  if (!IsHeader(type, header)) return RAFT_MALFORMED;
  uv_buf_t buffer = uv_buf_init(const_cast<char*>(header.data()),
                                static_cast<unsigned>(header.size()));
  std::size_t payload_bytes = 0;
  int error = uvDecodeMessage(type, &buffer, message, &payload_bytes);
  if (error == 0 && payload_bytes != payload.size()) error = RAFT_MALFORMED;
  if (error == 0) error = TakePayload(payload, message);
  if (error != 0) Release(message);
  return error;
}

}  // namespace raft_library
