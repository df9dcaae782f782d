#ifndef TRANSPORT_TRANSPORT_H_
#define TRANSPORT_TRANSPORT_H_

namespace namesake {
inline constexpr char kTransport[] = "my own transport/transport.h";
}  // namespace namesake

#endif  // TRANSPORT_TRANSPORT_H_
