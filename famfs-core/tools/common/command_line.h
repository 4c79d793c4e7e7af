// The command line of `famfs`: subcommands, their options and positionals.
//
// CLI11 does the work, in command_line.cc alone: its header costs each file
// that includes it some eight seconds of a compiler's time. Methods have the
// names that CLI11 gives them, and do what its documentation says.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace famfs {

/// One option or positional, to say more about it. Lives as long as its
/// Command.
class Argument {
 public:
  explicit Argument(CLI::Option* option) : option_(option) {}

  Argument* required();
  /// What stands behind the name in the help; "" is nothing.
  Argument* type_name(const std::string& name);
  /// The heading of the help under which it stands.
  Argument* group(const std::string& name);
  /// The help tells the default.
  Argument* capture_default_str();
  Argument* expected(int least, int most);
  /// Numbers from `least` to `most`, both included.
  Argument* within(std::uint64_t least, std::uint64_t most);
  /// The other option must be given, too.
  Argument* needs(const std::string& name);
  Argument* one_of(const std::vector<std::string>& words);

 private:
  CLI::Option* option_;
};

/// The program itself, or a subcommand. What options write to must outlive the
/// parse. Not for several threads.
class Command {
 public:
  /// `app` must outlive it.
  explicit Command(CLI::App* app) : app_(app) {}
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  Command* add_subcommand(const std::string& name, const std::string& help);
  void footer(const std::string& text);
  /// Runs when the command line was right and names this subcommand.
  void callback(std::function<void()> run);

  /// T: std::string, a vector of them, unsigned, std::uint64_t, or an optional
  /// of the last three.
  template <typename T>
  Argument* add_option(const std::string& name, T& value,
                       const std::string& help);
  /// `parse` takes the text; its error is one of the command line.
  Argument* add_option_function(
      const std::string& name,
      std::function<absl::Status(const std::string&)> parse,
      const std::string& help);
  /// May be given several times, one value each.
  Argument* add_repeated(const std::string& name,
                         std::vector<std::string>& values,
                         const std::string& help);
  Argument* add_flag(const std::string& name, bool& value,
                     const std::string& help);

 private:
  Argument* Keep(CLI::Option* option) {
    return &arguments_.emplace_back(option);
  }

  CLI::App* app_;
  std::deque<Argument> arguments_;
  std::deque<Command> subcommands_;
};

}  // namespace famfs
