// The messages of canonical/raft as bytes, in the encoding of its own transport.
//
// The functions behind it are in libraft.a, but in no header and not in libraft.so.
// They trust the lengths that they read. Decode checks those first, so it is safe
// with any bytes. Thread-safe.
//
//   raft_message message{};
//   if (Decode(bytes, &message) == 0) receive(io, &message);

#ifndef EXAMPLES_RAFT_LIBRARY_RAFT_MESSAGE_H_
#define EXAMPLES_RAFT_LIBRARY_RAFT_MESSAGE_H_

#include <string>

#include "absl/strings/string_view.h"

extern "C" {  // the headers themselves are C's
#include <raft.h>
#include <raft/uv.h>
}

namespace raft_library {

// Replaces the content of `bytes`. False: no memory.
bool Encode(const raft_message& message, std::string* bytes);

// Fills in all but server_id and server_address. The message points to memory of
// raft_malloc, which raft's receive callback takes over. RAFT_MALFORMED, RAFT_NOMEM.
int Decode(absl::string_view bytes, raft_message* message);

}  // namespace raft_library

#endif  // EXAMPLES_RAFT_LIBRARY_RAFT_MESSAGE_H_
