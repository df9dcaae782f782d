// LineEditor: the lines that a user types at a terminal, with a prompt, editing
// keys and a history.
//
// libedit reads, edits and draws. Lines that the program prints through `output`
// meanwhile appear above the prompt and the half-typed line. A stop (Ctrl-Z)
// gives the terminal back as it was, and `fg` shows the line again.
//
// For standard input and output. One thread calls it; others may print.
//
//   cluster::LineEditor editor("1> ", &output, [&] { return Wait(&editor); });
//   std::string line;
//   while (editor.Next(&line)) Execute(line);

#ifndef PROGRAMS_LINE_EDITOR_H_
#define PROGRAMS_LINE_EDITOR_H_

#include <histedit.h>

#include <cstddef>
#include <cstdio>
#include <functional>
#include <string>

#include "programs/output.h"

namespace cluster {

class LineEditor {
 public:
  // Whether standard input and output are a terminal that can move its cursor.
  static bool HasTerminal();

  // `wait` blocks until standard input is readable, or returns false to end.
  // Meanwhile it calls TakeSignals while `signals()` is readable. It may print.
  LineEditor(std::string prompt, Output* output, std::function<bool()> wait);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // Takes the next line, without its newline. False: the end of the input
  // (Ctrl-D), or `wait` said so.
  bool Next(std::string* line);

  // A descriptor for stops, continuations and changes of the window's size.
  int signals() const { return signals_; }
  void TakeSignals();

 private:
  static char* Prompt(EditLine* editor);
  static int ReadCharacter(EditLine* editor, wchar_t* character);
  static ssize_t Collect(void* self, const char* bytes, std::size_t count);

  bool Fill();
  void Show();
  Footer MakeFooter() const;

  const std::string prompt_;
  Output* const output_;
  const std::function<bool()> wait_;
  const int signals_;
  std::FILE* drawings_;  // libedit draws into it, which fills drawn_
  History* history_;
  EditLine* editor_;
  std::string input_;      // read, and not yet taken by libedit
  std::size_t taken_ = 0;  // of input_
  std::string drawn_;      // and not yet on the screen
  Footer shown_;
};

}  // namespace cluster

#endif  // PROGRAMS_LINE_EDITOR_H_
