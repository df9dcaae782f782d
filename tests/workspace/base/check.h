#ifndef BASE_CHECK_H_
#define BASE_CHECK_H_

namespace namesake {
inline constexpr char kCheck[] = "my own base/check.h";
}  // namespace namesake

#endif  // BASE_CHECK_H_
