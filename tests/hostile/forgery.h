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

// Makes a whole frame; fills in body_bytes and body_crc.
std::string MakeFrame(FrameHeader header, const std::string& body);

// The header and the body of a good frame.
FrameHeader HeaderOf(const std::string& frame);
std::string BodyOf(const std::string& frame);

// A good frame with a changed header.
std::string Forged(const std::string& frame,
                   const std::function<void(FrameHeader*)>& change);

// The frame with correct checksums. Any byte of it may be wrong, but there must
// be at least a header.
std::string Restamped(std::string frame);

}  // namespace cluster::internal

#endif  // TESTS_HOSTILE_FORGERY_H_
