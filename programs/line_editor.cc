#include "programs/line_editor.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <clocale>
#include <cstdlib>
#include <cwchar>
#include <cwctype>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "cluster/base/check.h"

namespace cluster {
namespace {

constexpr int kHistoryLines = 500;
constexpr int kColumnsIfUnknown = 80;
constexpr char kClearFromHere[] = "\r\x1b[J";

// The signals that take the terminal away, give it back or change its size.
sigset_t TerminalSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTSTP);
  sigaddset(&set, SIGCONT);
  sigaddset(&set, SIGWINCH);
  return set;
}

int OpenSignals() {
  const sigset_t set = TerminalSignals();
  const int descriptor = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  CLUSTER_CHECK(descriptor >= 0, "signalfd");
  return descriptor;
}

int Columns() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0
             ? size.ws_col
             : kColumnsIfUnknown;
}

// Where the cursor is after some text, from the begin of the prompt.
class Layout {
 public:
  explicit Layout(int columns) : columns_(columns) {}

  // Appends the character to `text` as libedit shows it.
  void Add(wchar_t character, std::string* text) {
    if (character == L'\t') {
      do AddVisible(L' ', text);
      while (column_ % 8 != 0);
    } else if (character < 0x20 || character == 0x7f) {
      AddVisible(L'^', text);
      AddVisible(character ^ 0x40, text);
    } else if (std::iswprint(static_cast<std::wint_t>(character)) != 0) {
      AddVisible(character, text);
    } else {
      for (char c : absl::StrFormat("\\U+%0*X", character > 0xffff ? 5 : 4,
                                    static_cast<unsigned>(character)))
        AddVisible(c, text);
    }
  }

  int row() const { return row_; }
  int column() const { return column_; }

 private:
  void AddVisible(wchar_t character, std::string* text) {
    char bytes[MB_LEN_MAX];
    std::mbstate_t state{};
    const std::size_t count = std::wcrtomb(bytes, character, &state);
    if (count == static_cast<std::size_t>(-1)) return;
    text->append(bytes, count);
    const int width = std::max(wcwidth(character), 0);
    if (column_ + width > columns_) NextRow();
    column_ += width;
    if (column_ >= columns_) NextRow();
  }
  void NextRow() {
    ++row_;
    column_ = 0;
  }

  int columns_;
  int row_ = 0;
  int column_ = 0;
};

// Returns when somebody has continued the process.
void Stop() {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTSTP);
  raise(SIGTSTP);
  pthread_sigmask(SIG_UNBLOCK, &stop, nullptr);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
}

std::string Up(int rows) {
  return rows > 0 ? absl::StrCat("\x1b[", rows, "A") : "";
}

}  // namespace

bool LineEditor::HasTerminal() {
  const char* const name = std::getenv("TERM");
  return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 &&
         name != nullptr && *name != '\0' && absl::string_view(name) != "dumb";
}

LineEditor::LineEditor(std::string prompt, Output* output,
                       std::function<bool()> wait)
    : prompt_(std::move(prompt)),
      output_(output),
      wait_(std::move(wait)),
      signals_(OpenSignals()),
      drawings_(fopencookie(this, "w", {nullptr, &Collect, nullptr, nullptr})),
      history_(history_init()) {
  // The programs print UTF-8 in every locale, and so they read it too.
  std::setlocale(LC_CTYPE, "C.UTF-8");
  CLUSTER_CHECK(drawings_ != nullptr && history_ != nullptr, "out of memory");
  editor_ = el_init_fd("cluster", stdin, drawings_, stderr, STDIN_FILENO,
                       STDOUT_FILENO, STDERR_FILENO);
  CLUSTER_CHECK(editor_ != nullptr, "el_init_fd");
  HistEvent event;
  history(history_, &event, H_SETSIZE, kHistoryLines);
  history(history_, &event, H_SETUNIQUE, 1);
  el_set(editor_, EL_CLIENTDATA, this);
  el_set(editor_, EL_PROMPT, &Prompt);
  el_set(editor_, EL_EDITOR, "emacs");
  el_set(editor_, EL_HIST, history, history_);
  el_set(editor_, EL_GETCFN, &ReadCharacter);
}

LineEditor::~LineEditor() {
  el_end(editor_);
  history_end(history_);
  std::fclose(drawings_);
  close(signals_);
}

bool LineEditor::Next(std::string* line) {
  const sigset_t signals = TerminalSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // Removes what the terminal itself has echoed since the last line.
  drawn_ = kClearFromHere;
  int bytes = 0;
  const char* const text = el_gets(editor_, &bytes);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  // At the end the prompt goes, and libedit's last drawing with it.
  output_->Draw(text == nullptr ? shown_.hide : drawn_, {});
  shown_ = {};
  if (text == nullptr || bytes <= 0) return false;
  const absl::string_view typed = absl::StripSuffix(
      absl::string_view(text, static_cast<std::size_t>(bytes)), "\n");
  line->assign(typed.data(), typed.size());
  HistEvent event;
  if (!line->empty()) history(history_, &event, H_ENTER, line->c_str());
  return true;
}

void LineEditor::TakeSignals() {
  bool stops = false;
  bool resized = false;
  signalfd_siginfo taken;
  while (read(signals_, &taken, sizeof(taken)) > 0) {
    stops = stops || taken.ssi_signo == SIGTSTP;
    resized = resized || taken.ssi_signo == SIGWINCH;
  }
  el_set(editor_, EL_PREP_TERM, 0);
  if (stops) Stop();
  while (read(signals_, &taken, sizeof(taken)) > 0) {  // the continuation
  }
  el_set(editor_, EL_PREP_TERM, 1);
  if (!resized) return output_->Redraw();
  el_resize(editor_);
  el_set(editor_, EL_REFRESH);
  std::fflush(drawings_);
  drawn_ = absl::StrCat(shown_.hide, drawn_);
  Show();
}

char* LineEditor::Prompt(EditLine* editor) {
  LineEditor* self = nullptr;
  el_get(editor, EL_CLIENTDATA, &self);
  return const_cast<char*>(self->prompt_.c_str());
}

int LineEditor::ReadCharacter(EditLine* editor, wchar_t* character) {
  LineEditor* self = nullptr;
  el_get(editor, EL_CLIENTDATA, &self);
  while (true) {
    std::mbstate_t state{};
    const std::size_t left = self->input_.size() - self->taken_;
    const std::size_t bytes =
        left == 0 ? static_cast<std::size_t>(-2)
                  : std::mbrtowc(character, &self->input_[self->taken_], left,
                                 &state);
    if (bytes == static_cast<std::size_t>(-2)) {
      if (!self->Fill()) return 0;
    } else if (bytes == static_cast<std::size_t>(-1)) {
      ++self->taken_;  // no UTF-8
    } else {
      self->taken_ += std::max<std::size_t>(bytes, 1);
      return 1;
    }
  }
}

ssize_t LineEditor::Collect(void* self, const char* bytes, std::size_t count) {
  static_cast<LineEditor*>(self)->drawn_.append(bytes, count);
  return static_cast<ssize_t>(count);
}

// Shows what is typed so far, and waits for more. False: there is no more.
bool LineEditor::Fill() {
  Show();
  if (!wait_()) return false;
  input_.erase(0, taken_);
  taken_ = 0;
  char buffer[4096];
  const ssize_t bytes = read(STDIN_FILENO, buffer, sizeof(buffer));
  if (bytes > 0) input_.append(buffer, static_cast<std::size_t>(bytes));
  return bytes > 0 || (bytes < 0 && (errno == EINTR || errno == EAGAIN));
}

void LineEditor::Show() {
  shown_ = MakeFooter();
  output_->Draw(drawn_, shown_);
  drawn_.clear();
}

Footer LineEditor::MakeFooter() const {
  const LineInfoW* const line = el_wline(editor_);
  Footer footer;
  footer.show = kClearFromHere;
  Layout layout(Columns());
  for (char c : prompt_) layout.Add(c, &footer.show);
  Layout cursor = layout;
  for (const wchar_t* next = line->buffer; next < line->lastchar; ++next) {
    if (next == line->cursor) cursor = layout;
    layout.Add(*next, &footer.show);
  }
  if (line->cursor == line->lastchar) cursor = layout;
  // A terminal goes to the next row only with the next character.
  if (layout.column() == 0 && layout.row() > 0) footer.show.append(" \r");
  absl::StrAppend(&footer.show, Up(layout.row() - cursor.row()), "\r");
  if (cursor.column() > 0)
    absl::StrAppend(&footer.show, "\x1b[", cursor.column(), "C");
  footer.hide = absl::StrCat(Up(cursor.row()), kClearFromHere);
  return footer;
}

}  // namespace cluster
