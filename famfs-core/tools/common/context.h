// What every subcommand of `famfs` shares: exit codes, opening a device, and
// how an error reaches the person at the terminal.
//
// A subcommand is one file with one Add function. Its work is a function that
// answers the exit code, or an error; OnRun prints the error and turns it into
// an exit code, so that no subcommand prints errors or exits itself.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "base/status.h"
#include "base/uuid.h"
#include "dax/device.h"
#include "instance/devices/device_set.h"
#include "instance/reader/reader.h"
#include "instance/tree/namespace.h"
#include "instance/writer/writer.h"
#include "tools/common/command_line.h"

namespace famfs {

/// Keys stay in the order in which they were written. Whoever makes one
/// includes <nlohmann/json.hpp>.
using Json = nlohmann::ordered_json;

enum class ExitCode : int {
  kOk = 0,
  kProblems = 1,  // something is wrong on the medium, or the operation refused
  kUsage = 2,     // a wrong command line, or a device that could not be opened
};

/// Marks an error as the command line's or the device's: exit code 2.
absl::Status AsUsage(absl::Status status);

/// `famfs: MESSAGE` on stderr, and the exit code that fits.
ExitCode Report(const absl::Status& status);
/// {"error": MESSAGE} on stdout.
void PrintErrorJson(const absl::Status& status);

/// The outcome, unless memory that it may rest on was missing: DataLoss.
absl::StatusOr<ExitCode> CheckMemory(ExitCode outcome);

/// Runs `run(*options)` when `command` was given; the outcome goes to `exit`.
/// With --json an error is told there, too: {"error": ...}. So a run that has
/// printed its JSON answers no error.
template <typename Options>
void OnRun(Command* command, std::shared_ptr<Options> options,
           absl::StatusOr<ExitCode> (*run)(const Options&), ExitCode& exit) {
  command->callback([options = std::move(options), run, &exit] {
    auto outcome = run(*options);
    if (outcome.ok()) outcome = CheckMemory(*outcome);
    exit = outcome.ok() ? *outcome : Report(outcome.status());
    if constexpr (requires { options->json; }) {
      if (!outcome.ok() && options->json) PrintErrorJson(outcome.status());
    }
  });
}

/// Options of every subcommand that writes.
struct WriteOptions {
  std::optional<Uuid> system_uuid;  // absent: this host's
  std::string lock_directory = "/run/famfs";
  bool take_over = false;
  unsigned wait_seconds = 30;  // of AddChangeOptions (tools/common/changer.h)

  /// The given one, else this host's (instance/devices/system_uuid.h).
  [[nodiscard]] absl::StatusOr<Uuid> Owner() const;
};
/// Identity and lock directory, for mkfs.
void AddIdentity(Command* command, WriteOptions& options);
/// These and --take-over.
void AddWriteOptions(Command* command, WriteOptions& options);

/// Options of every subcommand that makes a file or a directory. What is not
/// given comes from the caller's process, or from the source of a copy.
struct OwnerOptions {
  std::optional<std::uint32_t> mode;  // permission bits
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;

  [[nodiscard]] Ownership Resolve(std::uint32_t default_mode) const;
};
void AddOwnerOptions(Command* command, OwnerOptions& options,
                     const std::string& default_mode);

/// A path in the instance as people write it: slashes around it are dropped, so
/// that "/" and "" are the root.
std::string InstancePath(std::string_view text);

/// `--device`, for every subcommand alike: where the instance's other devices
/// may be. Which of them is which the devices say themselves.
void AddOtherDevices(Command& app);
/// What it was given; errors carry exit code 2.
absl::StatusOr<std::vector<DeviceSpec>> OtherDevices();

/// The positional DEVICE, first in every subcommand: what the functions below
/// take as the `name` of a device, which is what DeviceSpec::Parse takes, or
/// the path of a famfs mount.
void AddDevice(Command* command, std::string& device);

// Option values that are not plain numbers or strings; a bad one is an error of
// the command line that names the option and the text.
Argument* AddSize(Command* command, const std::string& name,
                  std::optional<std::uint64_t>& value, const std::string& help);
Argument* AddUuid(Command* command, const std::string& name,
                  std::optional<Uuid>& value, const std::string& help);

/// Errors carry exit code 2.
absl::StatusOr<std::shared_ptr<DaxDevice>> OpenForReading(
    const std::string& name);
absl::StatusOr<std::shared_ptr<DaxDevice>> OpenForWriting(
    const std::string& name);

/// The primary, opened, with OtherDevices() as candidates for the others.
absl::StatusOr<std::shared_ptr<DeviceSet>> OpenDevices(const std::string& name,
                                                       Access access);

/// The option --salvage, of commands that read.
void AddSalvage(Command* command, bool& salvage);

/// Opens the device, then the instance on it. The message says what to do about
/// another host's or another program's instance, and about a damaged one. With
/// `salvage` that is read as far as it is whole, and stderr tells what is not.
absl::StatusOr<std::unique_ptr<Reader>> OpenReader(const std::string& name,
                                                   bool salvage = false);
/// What a command answers that has shown all that it was asked for: kProblems
/// when something of a damaged instance is missing from it.
ExitCode WholeOrDamaged(const Reader& reader);
/// {severity, entry, rule, message}
Json ToJson(const Finding& finding);
/// What could not be read, as an array; for answers of a salvaging command.
Json DamageJson(const Reader& reader);

/// A place in an instance: where a path on a mount leads.
struct PlaceInInstance {
  std::unique_ptr<Reader> reader;
  std::string base;  // a path of the instance; "" is the root

  /// `path` as people write it, from the base on.
  [[nodiscard]] std::string Path(std::string_view path) const;
};
/// As OpenReader, but the device may also be named by a path below a mount
/// point; everywhere else that is refused.
absl::StatusOr<PlaceInInstance> OpenPlace(const std::string& name,
                                          bool salvage);

absl::StatusOr<std::unique_ptr<Writer>> OpenWriter(const std::string& name,
                                                   const WriteOptions& options);

/// `text` itself when it is UTF-8, else with \xNN for what is not printable
/// ASCII: so that JSON of any medium is valid.
std::string JsonText(std::string_view text);
/// Sets `key`; and `key_hex`, the bytes as hexadecimal digits, when the text is
/// not UTF-8 and so another text may look the same.
void PutText(Json& json, const std::string& key, std::string_view text);

/// One JSON value and a newline on stdout; never throws.
void PrintJson(const Json& json);

}  // namespace famfs
