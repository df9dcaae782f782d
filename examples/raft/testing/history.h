// History: what clients asked and heard, and whether it is linearizable.
//
// It is, if each operation can have taken effect at one moment between its Invoke
// and its Respond. Then each get returns what the latest put before it wrote. An
// operation without a response may have run at any later time, or never. Keys are
// independent, so Check searches an order for each key (Wing and Gong's search,
// which remembers where it has been). All values that are put must differ.
//
//   const int get = history.InvokeGet("x");
//   history.Respond(get, "7");
//   EXPECT_EQ(history.Check(), "");

#ifndef EXAMPLES_RAFT_TESTING_HISTORY_H_
#define EXAMPLES_RAFT_TESTING_HISTORY_H_

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace raft {

class History {
 public:
  // Each returns the number of the operation.
  int InvokePut(const std::string& key, const std::string& value);
  int InvokeGet(const std::string& key);
  // `value` is what a get returned: "" if the key has no value.
  void Respond(int operation, const std::string& value = "");
  // It is certain that it never ran and never will.
  void Forget(int operation);

  // "" if the history is linearizable; else the key for which it is not.
  std::string Check() const;
  std::size_t responses() const { return responses_; }

 private:
  static constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();
  struct Operation {
    std::string key;
    bool is_put = false;
    std::string value;  // put, or returned
    std::size_t begin = 0;
    std::size_t end = kNever;
    bool forgotten = false;
  };

  static bool IsLinearizable(const std::vector<Operation>& operations);

  std::vector<Operation> operations_;
  std::size_t clock_ = 0;
  std::size_t responses_ = 0;
};

}  // namespace raft

#endif  // EXAMPLES_RAFT_TESTING_HISTORY_H_
