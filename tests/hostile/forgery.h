// Forgeries of frames, with correct checksums.
//
// Functions from bytes to bytes; Stranger sends them. They abort if their input
// is no frame.

#ifndef TESTS_HOSTILE_FORGERY_H_
#define TESTS_HOSTILE_FORGERY_H_

#include <functional>
#include <string>

#include "cluster/codec/frame_header.h"

namespace cluster::internal {

// A whole frame; body_bytes and body_crc are filled in.
std::string MakeFrame(FrameHeader header, const std::string& body);

// The header and the body of a good frame.
FrameHeader HeaderOf(const std::string& frame);
std::string BodyOf(const std::string& frame);

// A good frame with a header that says something else.
std::string Forged(const std::string& frame,
                   const std::function<void(FrameHeader*)>& change);

// At least a header's bytes, of which any may be wrong: with both checksums
// that belong to them.
std::string Restamped(std::string frame);

}  // namespace cluster::internal

#endif  // TESTS_HOSTILE_FORGERY_H_
