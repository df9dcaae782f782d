#ifndef CODEC_CODEC_H_
#define CODEC_CODEC_H_

namespace namesake {
inline constexpr char kCodec[] = "my own codec/codec.h";
}  // namespace namesake

#endif  // CODEC_CODEC_H_
