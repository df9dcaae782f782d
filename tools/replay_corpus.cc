// Calls a fuzz function once for each file on the command line.
//
// It is the main of every `_corpus_test` of fuzz.bzl, so ordinary test runs
// repeat what a fuzzer once found. It fails if it cannot read a file or gets
// none. The fuzz function itself aborts on a defect.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t bytes);

namespace {

bool Replay(const char* file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    std::fprintf(stderr, "%s: cannot be read\n", file);
    return false;
  }
  const std::string text((std::istreambuf_iterator<char>(in)),
                         std::istreambuf_iterator<char>());
  std::fprintf(stderr, "%s: %zu bytes\n", file, text.size());
  // A copy of exactly this size, so that a sanitizer sees a read beyond it.
  std::unique_ptr<std::uint8_t[]> input(new std::uint8_t[text.size()]);
  for (std::size_t i = 0; i < text.size(); ++i) {
    input[i] = static_cast<std::uint8_t>(text[i]);
  }
  return LLVMFuzzerTestOneInput(input.get(), text.size()) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "the corpus is empty\n");
    return 1;
  }
  bool good = true;
  for (int i = 1; i < argc; ++i) good = Replay(argv[i]) && good;
  return good ? 0 : 1;
}
