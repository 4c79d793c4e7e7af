// Running the real `famfs`: its exit code and what it said, and a place on
// tmpfs with an identity and a lock directory of its own.
#pragma once

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "tests/unit/base/temporary_directory.h"

namespace famfs {

struct Outcome {
  int exit = -1;  // as a shell tells it
  std::string out;
  std::string err;
};

/// Exit code of `famfs` that the documentation promises.
inline constexpr int kOk = 0;
inline constexpr int kProblems = 1;
inline constexpr int kUsage = 2;

/// Runs a program to its end; stdout and stderr apart.
Outcome RunProgram(const std::vector<std::string>& argv);

/// Runs `famfs ARGUMENTS...`.
Outcome Famfs(const std::vector<std::string>& arguments);

/// "the exit code, and what it said" for a failing assertion.
MATCHER_P(Exits, code, "") {
  *result_listener << "exit " << arg.exit << "\nstdout:\n"
                   << arg.out << "\nstderr:\n"
                   << arg.err;
  return arg.exit == code;
}

/// The standard output as JSON; a discarded value (and a failed test) when it
/// is none.
nlohmann::json JsonOf(const Outcome& outcome);

/// A place on tmpfs, removed with the test.
class Workplace {
 public:
  [[nodiscard]] std::string File(const std::string& name) const {
    return directory_.File(name);
  }
  /// `--system-uuid` and `--lock-directory` of this place.
  [[nodiscard]] std::vector<std::string> Identity() const;
  [[nodiscard]] std::string LockDirectory() const { return File("locks"); }

  /// A subcommand that writes: `famfs COMMAND DEVICE ARGUMENTS...` as the
  /// owner.
  [[nodiscard]] Outcome Write(const std::string& command,
                              const std::string& device,
                              const std::vector<std::string>& arguments) const;
  /// A new instance of 4 GiB in `name`; its spec. The test fails if it is not
  /// made.
  [[nodiscard]] std::string Emulated(const std::string& name) const;
  [[nodiscard]] std::string Image(const std::string& name) const;

 private:
  [[nodiscard]] std::string Make(const std::string& spec) const;
  testing::TemporaryDirectory directory_;
};

/// The owner of upstream's golden images, and of every instance made here.
inline constexpr const char* kOwner = "c0709740-cdc2-40ed-830c-51304eb97872";

/// `size` bytes without a period that a page or an extent could hide.
std::string Pattern(std::size_t size);

}  // namespace famfs
