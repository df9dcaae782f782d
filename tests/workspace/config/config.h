#ifndef CONFIG_CONFIG_H_
#define CONFIG_CONFIG_H_

namespace namesake {
inline constexpr char kConfig[] = "my own config/config.h";
}  // namespace namesake

#endif  // CONFIG_CONFIG_H_
