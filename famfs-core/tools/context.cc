#include "tools/context.h"

#include <absl/strings/cord.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>

#include "base/text.h"
#include "base/units.h"
#include "dax/missing_memory.h"
#include "instance/system_uuid.h"
#include "media/format.h"
#include "tools/mounted_file.h"

namespace famfs {
namespace {

constexpr const char* kUsageMark = "famfs.tools/usage";

std::uint32_t ParseMode(const std::string& text) {
  std::uint32_t mode = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, mode, 8);
  if (error != std::errc{} || rest != end || mode > 07777) {
    throw CLI::ValidationError(
        "--mode",
        fmt::format("\"{}\" is not an octal mode such as 0644 or 750", text));
  }
  return mode;
}

/// `spec`, or what is behind it when it is a path on a famfs mount.
std::string DeviceOfMount(const std::string& spec) {
  if (spec.find(':') != std::string::npos) return spec;
  const auto origin = OriginOf(spec);
  if (!origin.ok() || !origin->has_value()) return spec;
  return (*origin)->device;
}

absl::StatusOr<std::shared_ptr<DaxDevice>> Open(const std::string& spec,
                                                Access access) {
  auto device = OpenDevice(DeviceOfMount(spec), access);
  if (!device.ok()) return AsUsage(device.status());
  return std::shared_ptr<DaxDevice>(*std::move(device));
}

}  // namespace

absl::Status AsUsage(absl::Status status) {
  status.SetPayload(kUsageMark, absl::Cord("1"));
  return status;
}

ExitCode Report(const absl::Status& status) {
  // A failing stderr has nobody left to tell.
  std::fputs(
      fmt::format("famfs: {}\n", PrintableLines(Message(status))).c_str(),
      stderr);
  return status.GetPayload(kUsageMark) ? ExitCode::kUsage : ExitCode::kProblems;
}

absl::StatusOr<Uuid> WriteOptions::Owner() const {
  if (system_uuid) return *system_uuid;
  auto own = LoadOrCreateSystemUuid();
  if (own.ok()) return own;
  return Annotate(own.status(),
                  "this host has no identity (give one with --system-uuid)");
}

void AddIdentity(CLI::App* command, WriteOptions& options) {
  AddUuid(command, "--system-uuid", options.system_uuid,
          "Identity of the host that owns the instance; only the owner may "
          "write. Default: the text in " +
              std::string(kSystemUuidFile) + ", made when it is missing")
      ->group("Owner");
  command
      ->add_option("--lock-directory", options.lock_directory,
                   "Where the lock file of the one writer lies. Every writer "
                   "of an instance on this host must name the same directory")
      ->capture_default_str()
      ->type_name("DIR")
      ->group("Owner");
}

void AddWriteOptions(CLI::App* command, WriteOptions& options) {
  AddIdentity(command, options);
  command
      ->add_flag("--take-over", options.take_over,
                 "Become the owner if another host is. Only when that host is "
                 "dead or has lost the memory")
      ->group("Owner");
}

Ownership OwnerOptions::Resolve(std::uint32_t default_mode) const {
  return {.uid = uid.value_or(::getuid()),
          .gid = gid.value_or(::getgid()),
          .mode = mode.value_or(default_mode)};
}

void AddOwnerOptions(CLI::App* command, OwnerOptions& options,
                     const std::string& default_mode) {
  command
      ->add_option_function<std::string>(
          "-m,--mode",
          [&options](const std::string& text) {
            options.mode = ParseMode(text);
          },
          "Permission bits, octal. Default: " + default_mode)
      ->type_name("OCTAL");
  command->add_option("-u,--uid", options.uid, "Owner. Default: your uid")
      ->type_name("UID");
  command->add_option("-g,--gid", options.gid, "Group. Default: your gid")
      ->type_name("GID");
}

std::string InstancePath(std::string_view text) {
  while (text.starts_with('/')) text.remove_prefix(1);
  while (text.ends_with('/')) text.remove_suffix(1);
  return std::string(text);
}

std::vector<std::string>& OtherDevices() {
  static std::vector<std::string> specs;
  return specs;
}

void AddOtherDevices(CLI::App& app) {
  app.fallthrough();  // so that it may also follow the subcommand
  app.add_option_function<std::vector<std::string>>(
         "--device",
         [](const std::vector<std::string>& specs) { OtherDevices() = specs; },
         "Another device of the instance, in any order; may be repeated. "
         "Without it, files on that device are unavailable")
      ->expected(1)
      ->allow_extra_args(false)  // what follows is a path
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("DEVICE");
}

absl::StatusOr<std::shared_ptr<DeviceSet>> OpenDevices(const std::string& spec,
                                                       Access access) {
  auto devices = DeviceSet::Open(DeviceOfMount(spec), OtherDevices(), access);
  if (!devices.ok()) return AsUsage(devices.status());
  return devices;
}

void AddDevice(CLI::App* command, std::string& device) {
  command
      ->add_option("DEVICE", device,
                   "emulated:DIR, image:FILE, devdax:PATH, or a path: a "
                   "directory is emulated, a file an image, a famfs mount what "
                   "is mounted there")
      ->required()
      ->type_name("");
}

CLI::Option* AddSize(CLI::App* command, const std::string& name,
                     std::optional<std::uint64_t>& value,
                     const std::string& help) {
  return command
      ->add_option_function<std::string>(
          name,
          [&value, name](const std::string& text) {
            auto size = ParseSize(text);
            if (!size.ok()) {
              throw CLI::ValidationError(name,
                                         std::string(Message(size.status())));
            }
            value = *size;
          },
          help)
      ->type_name("SIZE");
}

CLI::Option* AddUuid(CLI::App* command, const std::string& name,
                     std::optional<Uuid>& value, const std::string& help) {
  return command
      ->add_option_function<std::string>(
          name,
          [&value, name](const std::string& text) {
            auto uuid = Uuid::Parse(text);
            if (!uuid.ok()) {
              throw CLI::ValidationError(name,
                                         std::string(Message(uuid.status())));
            }
            value = *uuid;
          },
          help)
      ->type_name("UUID");
}

absl::StatusOr<std::shared_ptr<DaxDevice>> OpenForReading(
    const std::string& spec) {
  return Open(spec, Access::kRead);
}

absl::StatusOr<std::shared_ptr<DaxDevice>> OpenForWriting(
    const std::string& spec) {
  return Open(spec, Access::kReadWrite);
}

absl::StatusOr<std::unique_ptr<Reader>> OpenReader(const std::string& spec) {
  FAMFS_ASSIGN_OR_RETURN(auto devices, OpenDevices(spec, Access::kRead));
  return Reader::Open(std::move(devices));
}

absl::StatusOr<ExitCode> CheckMemory(ExitCode outcome) {
  const auto missing = FirstMissingMemory();
  if (!missing) return outcome;
  return DataLoss(
      "{}: a part of it could not be read (SIGBUS): the file was made shorter, "
      "its file system is full, or the memory failed; what was said of that "
      "part does not hold",
      *missing);
}

absl::StatusOr<std::unique_ptr<Writer>> OpenWriter(
    const std::string& spec, const WriteOptions& options) {
  FAMFS_ASSIGN_OR_RETURN(auto devices, OpenDevices(spec, Access::kReadWrite));
  FAMFS_ASSIGN_OR_RETURN(const Uuid owner, options.Owner());
  WriterOptions how{.system_uuid = owner,
                    .lock_directory = options.lock_directory};
  how.take_over = options.take_over;
  auto writer = Writer::Open(std::move(devices), how);
  if (absl::IsUnavailable(writer.status())) {
    return Unavailable(
        "{}\nOne program at a time may write an instance. Wait for that one, "
        "stop it, or ask it (a volume of the CSI controller: by a claim); ls, "
        "dump, fsck and cp out of the instance work meanwhile.",
        Message(writer.status()));
  }
  if (absl::IsPermissionDenied(writer.status())) {
    return PermissionDenied(
        "{}\nRun the command on the owning host. If that host is known to be "
        "dead, make this one the owner with --take-over.",
        Message(writer.status()));
  }
  return writer;
}

std::string JsonText(std::string_view text) {
  try {
    std::string copy(text);
    [[maybe_unused]] const std::string checked = Json(copy).dump();
    return copy;
  } catch (const nlohmann::json::exception&) {
    return Printable(text);
  }
}

void PrintJson(const Json& json) {
  const std::string text =
      json.dump(2, ' ', false, Json::error_handler_t::replace);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
}

}  // namespace famfs
