#include "tools/common/context.h"

#include <absl/strings/cord.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/units.h"
#include "dax/missing_memory.h"
#include "instance/devices/system_uuid.h"
#include "media/format.h"
#include "tools/common/mounted_file.h"

namespace famfs {
namespace {

constexpr const char* kUsageMark = "famfs.tools/usage";

absl::Status ParseMode(const std::string& text,
                       std::optional<std::uint32_t>& result) {
  std::uint32_t mode = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, mode, 8);
  if (error != std::errc{} || rest != end) {
    return InvalidArgument("\"{}\" is not an octal mode such as 0644 or 750",
                           text);
  }
  if (mode > 0777) {
    return InvalidArgument(
        "\"{}\" has more than permission bits (0777): a famfs has no set-uid, "
        "set-gid and sticky files",
        text);
  }
  result = mode;
  return absl::OkStatus();
}

absl::StatusOr<DeviceSpec> ParseDevice(const std::string& text) {
  auto spec = DeviceSpec::Parse(text);
  if (!spec.ok()) return AsUsage(spec.status());
  return spec;
}

/// What a device's name stands for.
struct Named {
  DeviceSpec device;
  std::string base{};  // where a path on a mount leads, in the instance
};

/// `inside`: also a path below a mount point.
absl::StatusOr<Named> Resolve(const std::string& name, bool inside) {
  FAMFS_ASSIGN_OR_RETURN(DeviceSpec spec, ParseDevice(name));
  if (spec.kind != DeviceSpec::Kind::kPath) return Named{std::move(spec)};
  const auto origin = OriginOf(name);
  if (!origin.ok() || !origin->has_value()) return Named{std::move(spec)};
  const MountOrigin& mount = **origin;
  if (!inside && !mount.is_mount_point) {
    return AsUsage(InvalidArgument(
        "{0}: lies inside of the mount {1}; name the mount, and what is in it "
        "by its path in the instance: {1} {2}",
        name, mount.mount_point, Printable(mount.path)));
  }
  FAMFS_ASSIGN_OR_RETURN(spec, ParseDevice(mount.device));
  return Named{.device = std::move(spec), .base = mount.path};
}

absl::StatusOr<std::shared_ptr<DaxDevice>> Open(const std::string& name,
                                                Access access) {
  FAMFS_ASSIGN_OR_RETURN(const Named named, Resolve(name, false));
  auto device = OpenDevice(named.device, access);
  if (!device.ok()) return AsUsage(device.status());
  return std::shared_ptr<DaxDevice>(*std::move(device));
}

absl::StatusOr<std::shared_ptr<DeviceSet>> OpenSet(const DeviceSpec& device,
                                                   Access access) {
  FAMFS_ASSIGN_OR_RETURN(std::vector<DeviceSpec> others, OtherDevices());
  auto devices = DeviceSet::Open(device, std::move(others), access);
  if (!devices.ok()) return AsUsage(devices.status());
  return devices;
}

/// As --device was given them.
std::vector<std::string>& TextsOfOtherDevices() {
  static std::vector<std::string> texts;
  return texts;
}

bool IsUtf8(std::string_view text) {
  try {
    [[maybe_unused]] const std::string checked = Json(std::string(text)).dump();
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

/// So loudly that nobody takes what follows for the whole instance.
void TellDamage(const Reader& reader) {
  constexpr std::size_t kTold = 20;
  const DamageList damage = reader.Damage();
  if (damage.count() == 0) {
    std::fputs("famfs: --salvage: nothing is damaged\n", stderr);
    return;
  }
  std::string text =
      "famfs: SALVAGE: the instance is damaged. What is whole follows; not in "
      "it, or made up:\n";
  const std::size_t told = std::min(kTold, damage.findings().size());
  for (std::size_t i = 0; i < told; ++i) {
    text += fmt::format("famfs:   {}\n", damage.findings()[i].ToString());
  }
  if (damage.count() > told) {
    text += fmt::format("famfs:   ... and {} more\n", damage.count() - told);
  }
  std::fputs(text.c_str(), stderr);
}

/// With what to do about damage, where it helps.
absl::Status AdviseSalvage(const absl::Status& status,
                           const DeviceSpec& device) {
  if (!absl::IsDataLoss(status)) return status;
  auto devices = OpenSet(device, Access::kRead);
  if (!devices.ok() || !Reader::OpenSalvaged(*std::move(devices)).ok()) {
    return status;
  }
  return DataLoss(
      "{}\nThe instance is damaged (famfs fsck {} tells where). What is whole "
      "can be read with --salvage, and copied out (famfs cp -r --salvage {} : "
      "DIR).",
      Message(status), device.ToString(), device.ToString());
}

absl::StatusOr<std::unique_ptr<Reader>> OpenReaderOn(const DeviceSpec& device,
                                                     bool salvage) {
  FAMFS_ASSIGN_OR_RETURN(auto devices, OpenSet(device, Access::kRead));
  if (!salvage) {
    auto reader = Reader::Open(std::move(devices));
    if (!reader.ok()) return AdviseSalvage(reader.status(), device);
    return reader;
  }
  auto reader = Reader::OpenSalvaged(std::move(devices));
  if (reader.ok()) TellDamage(**reader);
  return reader;
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

void AddIdentity(Command* command, WriteOptions& options) {
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

void AddWriteOptions(Command* command, WriteOptions& options) {
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

void AddOwnerOptions(Command* command, OwnerOptions& options,
                     const std::string& default_mode) {
  command
      ->add_option_function(
          "-m,--mode",
          [&options](const std::string& text) {
            return ParseMode(text, options.mode);
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

absl::StatusOr<std::vector<DeviceSpec>> OtherDevices() {
  std::vector<DeviceSpec> specs;
  for (const std::string& text : TextsOfOtherDevices()) {
    FAMFS_ASSIGN_OR_RETURN(specs.emplace_back(), ParseDevice(text));
  }
  return specs;
}

void AddOtherDevices(Command& app) {
  app.add_repeated(
         "--device", TextsOfOtherDevices(),
         "Another device of the instance, in any order; may be repeated. "
         "Without it, files on that device are unavailable")
      ->type_name("DEVICE");
}

absl::StatusOr<std::shared_ptr<DeviceSet>> OpenDevices(const std::string& name,
                                                       Access access) {
  FAMFS_ASSIGN_OR_RETURN(const Named named, Resolve(name, false));
  return OpenSet(named.device, access);
}

void AddSalvage(Command* command, bool& salvage) {
  command->add_flag("--salvage", salvage,
                    "Read a damaged instance as far as it is whole; stderr "
                    "tells what is not, and the exit code is 1 then");
}

void AddDevice(Command* command, std::string& device) {
  command
      ->add_option("DEVICE", device,
                   "emulated:DIR, image:FILE, devdax:PATH, tag:UUID, or a "
                   "path: a directory is emulated, a file an image, a "
                   "character device devdax, a famfs mount what is mounted "
                   "there")
      ->required()
      ->type_name("");
}

Argument* AddSize(Command* command, const std::string& name,
                  std::optional<std::uint64_t>& value,
                  const std::string& help) {
  return command
      ->add_option_function(
          name,
          [&value](const std::string& text) {
            FAMFS_ASSIGN_OR_RETURN(value, ParseSize(text));
            return absl::OkStatus();
          },
          help)
      ->type_name("SIZE");
}

Argument* AddUuid(Command* command, const std::string& name,
                  std::optional<Uuid>& value, const std::string& help) {
  return command
      ->add_option_function(
          name,
          [&value](const std::string& text) -> absl::Status {
            FAMFS_ASSIGN_OR_RETURN(const Uuid uuid, Uuid::Parse(text));
            if (uuid.is_nil()) {
              return InvalidArgument(
                  "the nil UUID stands for nobody; give another");
            }
            value = uuid;
            return absl::OkStatus();
          },
          help)
      ->type_name("UUID");
}

absl::StatusOr<std::shared_ptr<DaxDevice>> OpenForReading(
    const std::string& name) {
  return Open(name, Access::kRead);
}

absl::StatusOr<std::shared_ptr<DaxDevice>> OpenForWriting(
    const std::string& name) {
  return Open(name, Access::kReadWrite);
}

absl::StatusOr<std::unique_ptr<Reader>> OpenReader(const std::string& name,
                                                   bool salvage) {
  FAMFS_ASSIGN_OR_RETURN(const Named named, Resolve(name, false));
  return OpenReaderOn(named.device, salvage);
}

absl::StatusOr<PlaceInInstance> OpenPlace(const std::string& name,
                                          bool salvage) {
  FAMFS_ASSIGN_OR_RETURN(Named named, Resolve(name, true));
  FAMFS_ASSIGN_OR_RETURN(auto reader, OpenReaderOn(named.device, salvage));
  return PlaceInInstance{.reader = std::move(reader),
                         .base = std::move(named.base)};
}

std::string PlaceInInstance::Path(std::string_view path) const {
  const std::string below = InstancePath(path);
  if (base.empty() || below.empty()) return base + below;
  return base + "/" + below;
}

ExitCode WholeOrDamaged(const Reader& reader) {
  return reader.Damage().count() == 0 ? ExitCode::kOk : ExitCode::kProblems;
}

Json ToJson(const Finding& finding) {
  return {{"severity", std::string(ToString(finding.severity))},
          {"entry", finding.entry ? Json(*finding.entry) : Json(nullptr)},
          {"rule", finding.rule},
          {"message", JsonText(finding.message)}};
}

Json DamageJson(const Reader& reader) {
  Json json = Json::array();
  const DamageList damage = reader.Damage();
  for (const Finding& finding : damage.findings()) {
    json.push_back(ToJson(finding));
  }
  return json;
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
    const std::string& name, const WriteOptions& options) {
  FAMFS_ASSIGN_OR_RETURN(const Named named, Resolve(name, false));
  FAMFS_ASSIGN_OR_RETURN(auto devices,
                         OpenSet(named.device, Access::kReadWrite));
  FAMFS_ASSIGN_OR_RETURN(const Uuid owner, options.Owner());
  WriterOptions how{.system_uuid = owner,
                    .lock_directory = options.lock_directory};
  how.take_over = options.take_over;
  auto writer = Writer::Open(std::move(devices), how);
  if (absl::IsUnavailable(writer.status())) {
    return Unavailable(
        "{}\nOne program at a time may write an instance. Wait for that one, "
        "stop it, or ask it (a volume of the CSI controller: by a claim); ls, "
        "dump, fsck and cp out of the instance work meanwhile, and beside the "
        "CSI controller cp, mkdir, creat, rm, mv and symlink in tree volumes.",
        Message(writer.status()));
  }
  if (absl::IsPermissionDenied(writer.status())) {
    return PermissionDenied(
        "{}\nRun the command on the owning host. If that host is known to be "
        "dead, make this one the owner with --take-over.",
        Message(writer.status()));
  }
  if (!writer.ok()) return AdviseSalvage(writer.status(), named.device);
  return writer;
}

std::string JsonText(std::string_view text) {
  return IsUtf8(text) ? std::string(text) : Printable(text);
}

void PutText(Json& json, const std::string& key, std::string_view text) {
  json[key] = JsonText(text);
  if (IsUtf8(text)) return;
  std::string hex;
  for (const char c : text) {
    hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  }
  json[key + "_hex"] = hex;
}

void PrintErrorJson(const absl::Status& status) {
  PrintJson({{"error", JsonText(Message(status))}});
}

void PrintJson(const Json& json) {
  const std::string text =
      json.dump(2, ' ', false, Json::error_handler_t::replace);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
}

}  // namespace famfs
