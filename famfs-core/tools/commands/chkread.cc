// famfs chkread: whether read(2), the mapping and the device tell the same of a
// mounted file.
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "tools/commands/commands.h"
#include "tools/common/instance_file.h"
#include "tools/common/mounted_file.h"
#include "tools/common/progress.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Example:
  famfs chkread /mnt/pool/data/model.bin
Reads the file by read(2), through a mapping, and on the device itself, and
compares all three. A mapping that differs from the device holds what was not
synced, or what another host has replaced meanwhile (data path copy): famfs flush
brings them together.
Exit codes: 0 all agree; 1 they differ (the first byte is told), or a file cannot
be read; 2 a wrong command line, or a --device that could not be opened.)";

constexpr std::uint64_t kStep = 4ULL << 20;  // bytes

struct Options {
  std::vector<std::string> files;
  std::string device;
  bool json = false;
};

struct Result {
  std::string file;
  std::uint64_t size = 0;
  std::string data_path{};                    // empty: not told
  std::optional<std::uint64_t> mapping_at{};  // first byte unlike read's
  std::optional<std::uint64_t> device_at{};
  std::string not_compared{};  // why the device was not; empty: it was

  [[nodiscard]] bool ok() const { return !mapping_at && !device_at; }
};

std::optional<std::size_t> FirstUnlike(std::span<const std::byte> a,
                                       std::span<const std::byte> b) {
  if (std::memcmp(a.data(), b.data(), a.size()) == 0) return std::nullopt;
  return static_cast<std::size_t>(
      std::mismatch(a.begin(), a.end(), b.begin()).first - a.begin());
}

absl::Status ReadAt(const MountedFile& file, std::uint64_t at,
                    std::span<std::byte> into) {
  while (!into.empty()) {
    const ssize_t n =
        ::pread(file.fd(), into.data(), into.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError(errno, file.path());
    if (n == 0) {
      return DataLoss("{}: read(2) ends at byte {}, before the file's end",
                      file.path(), at);
    }
    at += static_cast<std::uint64_t>(n);
    into = into.subspan(static_cast<std::size_t>(n));
  }
  return absl::OkStatus();
}

/// Byte by byte what read(2) says: `buffer` holds it for one step at a time.
absl::Status Compare(const MountedFile& file, Reader* reader,
                     const InstanceFile& on_device, Result& result) {
  std::vector<std::byte> buffer(kStep);
  ProgressBar bar("checking");
  std::uint64_t at = 0;
  std::size_t part_index = 0;
  std::unique_ptr<Mapping> mapping;
  while (at < result.size && result.ok()) {
    const FilePart* part = nullptr;
    std::uint64_t step = std::min(kStep, result.size - at);
    if (reader != nullptr) {
      part = &on_device.parts[part_index];
      if (mapping == nullptr) {
        FAMFS_ASSIGN_OR_RETURN(
            mapping, on_device.Map(*reader->devices(), *part, Access::kRead));
        mapping->Invalidate(0, part->length);
      }
      step = std::min(step, part->at + part->length - at);
    }
    const std::span<std::byte> read(buffer.data(), step);
    FAMFS_RETURN_IF_ERROR(ReadAt(file, at, read));
    if (const auto unlike = FirstUnlike(read, file.bytes().subspan(at, step))) {
      result.mapping_at = at + *unlike;
    }
    FAMFS_RETURN_IF_ERROR(file.Check());
    if (part != nullptr) {
      const auto there = mapping->bytes().subspan(at - part->at, step);
      if (const auto unlike = FirstUnlike(read, there)) {
        result.device_at = at + *unlike;
      }
      FAMFS_RETURN_IF_ERROR(mapping->Check());
      if (at + step == part->at + part->length) {
        mapping.reset();
        ++part_index;
      }
    }
    at += step;
    bar.Update(at, result.size);
  }
  return absl::OkStatus();
}

/// The instance behind the mount; null, and why in `result`, when it cannot be
/// opened here and none was named.
absl::StatusOr<std::unique_ptr<Reader>> OpenBehind(const MountOrigin& origin,
                                                   const Options& options,
                                                   Result& result) {
  const bool named = !options.device.empty();
  auto reader = OpenReader(named ? options.device : origin.device);
  if (reader.ok() || named) return reader;
  result.not_compared =
      fmt::format("{} (name it with --device)", Message(reader.status()));
  return std::unique_ptr<Reader>();
}

absl::StatusOr<Result> Check(const std::string& path, const Options& options) {
  FAMFS_ASSIGN_OR_RETURN(const auto origin, OriginOf(path));
  if (!origin) {
    return InvalidArgument(
        "{}: does not lie on a famfs mount; famfs mount makes one", path);
  }
  FAMFS_ASSIGN_OR_RETURN(const MountedFile file,
                         MountedFile::Open(path, Access::kRead));
  Result result{.file = path, .size = file.bytes().size()};
  std::array<char, 64> value{};
  const ssize_t length = ::getxattr(path.c_str(), "user.famfs.datapath",
                                    value.data(), value.size());
  if (length > 0) {
    result.data_path.assign(value.data(), static_cast<std::size_t>(length));
  }
  FAMFS_ASSIGN_OR_RETURN(const auto reader,
                         OpenBehind(*origin, options, result));
  InstanceFile on_device{};
  if (reader != nullptr) {
    FAMFS_ASSIGN_OR_RETURN(on_device,
                           InstanceFile::Find(*reader->Tree(), origin->path));
    if (on_device.size != result.size) {
      return DataLoss("{}: has {} bytes through the mount, {} in the log", path,
                      result.size, on_device.size);
    }
  }
  FAMFS_RETURN_IF_ERROR(Compare(file, reader.get(), on_device, result));
  if (reader != nullptr) {
    FAMFS_RETURN_IF_ERROR(on_device.CheckStillThere(*reader));
  }
  return result;
}

Json ToJson(const Result& result) {
  const auto at = [](const std::optional<std::uint64_t>& byte) {
    return byte ? Json(*byte) : Json(nullptr);
  };
  Json json = {{"file", JsonText(result.file)},
               {"ok", result.ok()},
               {"size", result.size},
               {"data_path", JsonText(result.data_path)},
               {"mapping_differs_at", at(result.mapping_at)},
               {"device_compared", result.not_compared.empty()},
               {"device_differs_at", at(result.device_at)}};
  if (!result.not_compared.empty()) {
    json["not_compared"] = JsonText(result.not_compared);
  }
  return json;
}

void Print(const Result& result) {
  const std::string name = Printable(result.file);
  if (result.mapping_at) {
    fmt::print("{}: read and mapping differ at byte {}\n", name,
               *result.mapping_at);
  }
  if (result.device_at) {
    fmt::print("{}: read and device differ at byte {}\n", name,
               *result.device_at);
  }
  if (result.ok()) {
    fmt::print("{}: {} agree, {} bytes, data path {}\n", name,
               result.not_compared.empty() ? "read, mapping and device"
                                           : "read and mapping",
               result.size, result.data_path);
  }
  if (!result.not_compared.empty()) {
    fmt::print("{}: the device was not compared: {}\n", name,
               result.not_compared);
  }
}

absl::StatusOr<ExitCode> Run(const Options& options) {
  ExitCode exit = ExitCode::kOk;
  Json all = Json::array();
  for (const std::string& path : options.files) {
    const auto result = Check(path, options);
    if (!result.ok()) {
      exit = Report(result.status());
      continue;
    }
    if (!result->ok() && exit == ExitCode::kOk) exit = ExitCode::kProblems;
    if (options.json) {
      all.push_back(ToJson(*result));
    } else {
      Print(*result);
    }
  }
  if (options.json) PrintJson(all);
  return exit;
}

}  // namespace

void AddChkread(Command& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  Command* command = app.add_subcommand(
      "chkread", "Compare read, mapping and device of mounted files");
  command->footer(kExamples);
  command->add_option("FILES", options->files, "Files on a famfs mount")
      ->required()
      ->type_name("");
  command
      ->add_option("--device", options->device,
                   "The device of the mount's instance. Default: the mount's "
                   "source")
      ->type_name("DEVICE");
  command->add_flag("--json", options->json, "Answer in JSON");
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
