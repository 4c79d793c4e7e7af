#include "instance/check/transfer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <system_error>
#include <vector>

#include "base/new_file.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "dax/emulated.h"
#include "dax/image.h"
#include "instance/check/fsck.h"
#include "instance/devices/sparse_copy.h"
#include "instance/devices/unfinished.h"
#include "instance/reader/reader.h"
#include "media/checksum.h"

namespace famfs {
namespace {

/// Runs unless told that all went well.
class UndoGuard {
 public:
  explicit UndoGuard(std::function<void()> undo) : undo_(std::move(undo)) {}
  ~UndoGuard() {
    if (undo_) undo_();
  }
  UndoGuard(const UndoGuard&) = delete;
  UndoGuard& operator=(const UndoGuard&) = delete;
  void Keep() { undo_ = nullptr; }

 private:
  std::function<void()> undo_;
};

/// A reader of a device that somebody else owns.
absl::StatusOr<std::unique_ptr<Reader>> OpenReader(DaxDevice& device,
                                                   bool salvage) {
  auto devices = std::make_shared<DeviceSet>(
      std::shared_ptr<DaxDevice>(std::shared_ptr<DaxDevice>(), &device));
  return salvage ? Reader::OpenSalvaged(std::move(devices))
                 : Reader::Open(std::move(devices));
}

/// All that counts on the device, the superblock region last: before it is
/// there, a copy is no file system.
absl::StatusOr<std::vector<Range>> RangesOf(const Reader& reader) {
  std::vector<Range> ranges;
  const Reader::View tree = reader.Tree();
  for (const auto& [id, node] : tree->nodes()) {
    if (node->is_meta) continue;
    for (const MediaExtent& extent : node->extents) {
      if (extent.device_index != 0) {
        return Unimplemented(
            "file '{}' lies on device {}; only instances on one device can be "
            "exported and imported",
            Printable(tree->PathOf(*node)), extent.device_index);
      }
      ranges.push_back({extent.offset, extent.length});
    }
  }
  std::sort(ranges.begin(), ranges.end());
  ranges.push_back({kLogOffset, reader.superblock().log_length});
  ranges.push_back({kSuperblockOffset, kSuperblockRegion});
  return ranges;
}

/// Adds up what was done over all ranges, and asks whether to go on.
class Meter {
 public:
  Meter(const std::vector<Range>& ranges, const TransferOptions& options)
      : options_(options) {
    for (const Range& range : ranges) total_ += range.length;
    if (options_.progress) options_.progress(0, total_);
  }
  void Add(std::uint64_t bytes) {
    done_ += bytes;
    if (options_.progress) options_.progress(done_, total_);
  }
  [[nodiscard]] absl::Status GoOn() const {
    return options_.go_on ? options_.go_on() : absl::OkStatus();
  }

 private:
  const TransferOptions& options_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
};

absl::Status WriteAt(int fd, std::uint64_t at, std::span<const std::byte> bytes,
                     const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoError(errno, fmt::format("write {}", path));
    at += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status ExportRange(DaxDevice& device, const Range& range, int to,
                         const std::string& path, Meter& meter) {
  FAMFS_ASSIGN_OR_RETURN(const auto mapping,
                         device.Map(range.offset, range.length, Access::kRead));
  mapping->Invalidate(0, range.length);
  std::vector<Range> parts = {{0, range.length}};
  if (const auto file = device.OpenExtent(range.offset); file.ok()) {
    parts = DataParts(file->get(), 0, range.length);
  }
  const absl::Status copied = CopySparsely(
      mapping->bytes(), parts,
      [&](std::uint64_t at, std::span<const std::byte> bytes) {
        FAMFS_RETURN_IF_ERROR(meter.GoOn());
        return WriteAt(to, range.offset + at, bytes, path);
      },
      [&](std::uint64_t bytes) { meter.Add(bytes); });
  FAMFS_RETURN_IF_ERROR(copied);
  return mapping->Check();
}

/// The superblock region into a device that is marked as unfinished, and that
/// by its magic as the last store. The device is known by its own tag.
absl::Status ImportHead(DaxDevice& image, DaxDevice& device, Meter& meter) {
  FAMFS_ASSIGN_OR_RETURN(
      const auto from,
      image.Map(kSuperblockOffset, kSuperblockRegion, Access::kRead));
  FAMFS_ASSIGN_OR_RETURN(
      const auto to,
      device.Map(kSuperblockOffset, kSuperblockRegion, Access::kReadWrite));
  MediaSuperblock super;
  std::memcpy(static_cast<void*>(&super), from->data(), sizeof(super));
  super.device_uuid = device.tag();
  Seal(super);
  const std::span<const std::byte> bytes = std::as_bytes(std::span(&super, 1));
  constexpr std::size_t kMagic = sizeof(super.magic);
  to->Store(kMagic, bytes.subspan(kMagic));
  to->Store(sizeof(super), from->bytes().subspan(sizeof(super)));
  to->WriteBack(0, to->size());
  to->Store(0, bytes.first(kMagic));
  to->WriteBack(0, kMagic);
  meter.Add(kSuperblockRegion);
  return absl::OkStatus();
}

absl::Status ImportRange(DaxDevice& image, int image_fd, DaxDevice& device,
                         const Range& range, Meter& meter) {
  FAMFS_RETURN_IF_ERROR(device.CreateExtent(range));
  FAMFS_ASSIGN_OR_RETURN(const auto from,
                         image.Map(range.offset, range.length, Access::kRead));
  FAMFS_ASSIGN_OR_RETURN(const auto to, device.Map(range.offset, range.length,
                                                   Access::kReadWrite));
  const absl::Status copied = CopySparsely(
      from->bytes(), DataParts(image_fd, range.offset, range.length),
      [&](std::uint64_t at, std::span<const std::byte> bytes) {
        FAMFS_RETURN_IF_ERROR(meter.GoOn());
        to->Store(at, bytes);
        to->WriteBack(at, bytes.size());
        return to->Check();
      },
      [&](std::uint64_t bytes) { meter.Add(bytes); });
  FAMFS_RETURN_IF_ERROR(copied);
  return from->Check();
}

/// The log may have grown meanwhile: then the copy mixes two moments.
absl::Status CheckUnchanged(Reader& reader, std::string_view done) {
  FAMFS_ASSIGN_OR_RETURN(const std::vector<Change> changes, reader.Refresh());
  if (changes.empty()) return absl::OkStatus();
  return Aborted(
      "{}: was changed while it was {}; stop its writer, or try again",
      reader.device()->spec(), done);
}

absl::Status CheckImage(DaxDevice& image) {
  const FsckReport report = Fsck(image);
  if (report.clean()) return absl::OkStatus();
  return FailedPrecondition(
      "{}: is not a clean famfs ({} findings; {}); see famfs fsck",
      image.spec(), report.findings.size(), report.findings.front().ToString());
}

/// Whether the device that is there already is what an import of the same image
/// left; else `exists`.
absl::Status CheckLeft(const absl::Status& exists, DaxDevice& device,
                       std::uint64_t size, const Uuid& tag) {
  if (device.size() != size || device.tag() != tag) return exists;
  FAMFS_ASSIGN_OR_RETURN(const bool nobodys, IsNobodys(device));
  return nobodys ? absl::OkStatus() : exists;
}

/// Removes what an import made; a directory that was there before stays.
void RemoveImported(const std::string& directory, bool was_there) {
  std::error_code ignored;
  if (!was_there) {
    std::filesystem::remove_all(directory, ignored);
    return;
  }
  std::filesystem::remove_all(directory + "/extents", ignored);
  std::filesystem::remove(directory + "/device.yaml", ignored);
}

}  // namespace

absl::Status ExportImage(DaxDevice& device, const std::string& image_path,
                         const TransferOptions& options) {
  FAMFS_ASSIGN_OR_RETURN(const auto reader,
                         OpenReader(device, options.salvage));
  std::vector<Range> ranges;
  if (options.salvage) {
    FAMFS_ASSIGN_OR_RETURN(ranges, device.ListExtents());
  } else {
    FAMFS_ASSIGN_OR_RETURN(ranges, RangesOf(*reader));
  }
  const auto exists = [&] {
    return AlreadyExists("{}: exists; name a new file", image_path);
  };
  // Only to answer before the bytes are copied; Publish decides.
  if (std::filesystem::exists(std::filesystem::symlink_status(image_path))) {
    return exists();
  }
  FAMFS_ASSIGN_OR_RETURN(NewFile file, NewFile::Create(image_path));
  if (::ftruncate(file.fd(), static_cast<off_t>(device.size())) != 0) {
    return ErrnoError(errno, fmt::format("size {}", image_path));
  }
  Meter meter(ranges, options);
  for (const Range& range : ranges) {
    FAMFS_RETURN_IF_ERROR(
        ExportRange(device, range, file.fd(), image_path, meter));
  }
  FAMFS_RETURN_IF_ERROR(CheckUnchanged(*reader, "exported"));
  const absl::Status named = file.Publish(false);
  return absl::IsAlreadyExists(named) ? exists() : named;
}

absl::Status ImportImage(const std::string& image_path,
                         const std::string& directory, const Uuid& tag,
                         const TransferOptions& options) {
  FAMFS_ASSIGN_OR_RETURN(const auto image,
                         OpenImage(image_path, Access::kRead));
  FAMFS_RETURN_IF_ERROR(CheckImage(*image));
  FAMFS_ASSIGN_OR_RETURN(const auto reader, OpenReader(*image, false));
  FAMFS_ASSIGN_OR_RETURN(std::vector<Range> ranges, RangesOf(*reader));
  FAMFS_ASSIGN_OR_RETURN(const UniqueFd image_fd,
                         OpenFile(image_path, O_RDONLY));
  const bool was_there = std::filesystem::exists(directory);
  absl::Status made = CreateEmulatedDevice(
      directory, {.size = image->size(), .tag = tag, .hosts = {}});
  if (!made.ok() && !absl::IsAlreadyExists(made)) return made;
  const auto opened = OpenEmulatedDevice(directory, Access::kReadWrite);
  if (!opened.ok()) return made.ok() ? opened.status() : made;
  const auto& device = *opened;
  FAMFS_ASSIGN_OR_RETURN(const UseMark claim, ClaimToMake(*device));
  if (!made.ok()) {
    FAMFS_RETURN_IF_ERROR(CheckLeft(made, *device, image->size(), tag));
  }
  UndoGuard undo([&] {
    if (made.ok()) return RemoveImported(directory, was_there);
    IgnoreError(MarkUnfinished(*device), "it was nobody's before");
  });
  FAMFS_RETURN_IF_ERROR(MarkUnfinished(*device));
  Meter meter(ranges, options);
  ranges.pop_back();  // the head
  for (const Range& range : ranges) {
    FAMFS_RETURN_IF_ERROR(
        ImportRange(*image, image_fd.get(), *device, range, meter));
  }
  // Without a head it still is nobody's.
  FAMFS_RETURN_IF_ERROR(CheckUnchanged(*reader, "imported"));
  FAMFS_RETURN_IF_ERROR(ImportHead(*image, *device, meter));
  undo.Keep();
  return absl::OkStatus();
}

}  // namespace famfs
