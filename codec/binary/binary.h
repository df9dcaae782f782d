// The binary codec: compact records, id 1, `"codec": "binary"` in the config.
//
// A record that follows a like one costs two bytes beside its payload. A
// frame's header has the checksum of its body; a standalone message has its
// own.
//
// Wire grammar. Integers are little-endian. A varint holds seven bits a byte,
// lowest first; the top bit says that another byte follows. Readers accept only
// the shortest form, of at most 64 bits.
//
//   body       = *record
//   record     = full / changes          a full one leans on nothing
//   full       = %x80 fields payload
//              / %x81 fields varint group, varint correlation, payload
//   fields     = u64 incarnation, varint sequence, varint sender_id,
//                varint (pid + 1), u16 type, varint term, u8 state
//   changes    = u8 flags                all else as in the record before
//                [varint zigzag(sequence - previous - 1)]    if flags & 1,
//                                        else the previous sequence + 1
//                [varint (pid + 1)]      if flags & 2
//                [u16 type]              if flags & 4
//                [varint term]           if flags & 8
//                [u8 state]              if flags & 16
//                [varint group]          if flags & 32
//                [varint correlation]    if flags & 64
//                payload
//   state      = lane (bits 0-1: 0 urgent, 1 normal, 2 bulk), voted (bit 2)
//   payload    = varint bytes, the bytes
//   zigzag(n)  = 0, 1, 2, 3, 4 ... for n = 0, -1, 1, -2, 2 ...; differences
//                wrap at 64 bits
//   standalone = %xC1 %x01 (version), u32 CRC-32C of what follows, full
//
// In a record of the form %x80 group and correlation are 0. The first record of
// a stretch is full, and so is one whose incarnation or sender differs from the
// record before. Readers refuse other flag and state bits.
//
// The codec is stateless and safe from any thread. Errors are kDataLoss where
// bytes are missing or a checksum is wrong, else kInvalidArgument. Their text
// counts bytes from the start of the record.
//
//   const cluster::Codec& codec = cluster::BinaryCodec();
//   std::string message;
//   codec.EncodeStandalone(envelope, &message);

#ifndef CLUSTER_CODEC_BINARY_BINARY_H_
#define CLUSTER_CODEC_BINARY_BINARY_H_

#include "cluster/codec/codec.h"

namespace cluster {

// Lives for ever.
const Codec& BinaryCodec();

}  // namespace cluster

#endif  // CLUSTER_CODEC_BINARY_BINARY_H_
