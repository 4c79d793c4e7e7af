#include "instance/transfer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <system_error>
#include <vector>

#include "base/text.h"
#include "base/unique_fd.h"
#include "dax/emulated.h"
#include "dax/image.h"
#include "instance/fsck.h"
#include "instance/reader.h"
#include "instance/sparse_copy.h"

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
absl::StatusOr<std::unique_ptr<Reader>> OpenReader(DaxDevice& device) {
  return Reader::Open(
      std::shared_ptr<DaxDevice>(std::shared_ptr<DaxDevice>(), &device));
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

/// Adds up what was done over all ranges.
class Meter {
 public:
  Meter(const std::vector<Range>& ranges, const Progress& progress)
      : progress_(progress) {
    for (const Range& range : ranges) total_ += range.length;
    if (progress_) progress_(0, total_);
  }
  void Add(std::uint64_t bytes) {
    done_ += bytes;
    if (progress_) progress_(done_, total_);
  }

 private:
  const Progress& progress_;
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
  FAMFS_RETURN_IF_ERROR(CopySparsely(
      mapping->bytes(), parts,
      [&](std::uint64_t at, std::span<const std::byte> bytes) {
        return WriteAt(to, range.offset + at, bytes, path);
      },
      [&](std::uint64_t bytes) { meter.Add(bytes); }));
  return mapping->Check();
}

absl::Status ImportRange(DaxDevice& image, int image_fd, DaxDevice& device,
                         const Range& range, Meter& meter) {
  FAMFS_RETURN_IF_ERROR(device.CreateExtent(range));
  FAMFS_ASSIGN_OR_RETURN(const auto from,
                         image.Map(range.offset, range.length, Access::kRead));
  FAMFS_ASSIGN_OR_RETURN(const auto to, device.Map(range.offset, range.length,
                                                   Access::kReadWrite));
  FAMFS_RETURN_IF_ERROR(CopySparsely(
      from->bytes(), DataParts(image_fd, range.offset, range.length),
      [&](std::uint64_t at, std::span<const std::byte> bytes) {
        to->Store(at, bytes);
        to->WriteBack(at, bytes.size());
        return to->Check();
      },
      [&](std::uint64_t bytes) { meter.Add(bytes); }));
  return from->Check();
}

absl::Status CheckImage(DaxDevice& image) {
  const FsckReport report = Fsck(image);
  if (report.clean()) return absl::OkStatus();
  return FailedPrecondition(
      "{}: is not a clean famfs ({} findings; {}); see famfs fsck",
      image.spec(), report.findings.size(), report.findings.front().ToString());
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
                         const Progress& progress) {
  FAMFS_ASSIGN_OR_RETURN(const auto reader, OpenReader(device));
  FAMFS_ASSIGN_OR_RETURN(const std::vector<Range> ranges, RangesOf(*reader));
  if (std::filesystem::exists(std::filesystem::symlink_status(image_path))) {
    return AlreadyExists("{}: exists; name a new file", image_path);
  }
  const std::string temporary =
      fmt::format("{}.{}", image_path, Uuid::Random().ToString());
  FAMFS_ASSIGN_OR_RETURN(const UniqueFd fd,
                         OpenFile(temporary, O_RDWR | O_CREAT | O_EXCL, 0600));
  UndoGuard undo([&] { ::unlink(temporary.c_str()); });
  if (::ftruncate(fd.get(), static_cast<off_t>(device.size())) != 0) {
    return ErrnoError(errno, fmt::format("size {}", temporary));
  }
  Meter meter(ranges, progress);
  for (const Range& range : ranges) {
    FAMFS_RETURN_IF_ERROR(
        ExportRange(device, range, fd.get(), temporary, meter));
  }
  // The log may have grown meanwhile: then the copy mixes two moments.
  FAMFS_ASSIGN_OR_RETURN(const std::vector<Change> changes, reader->Refresh());
  if (!changes.empty()) {
    return Aborted(
        "{}: was changed while it was exported; stop its writer, or try again",
        device.spec());
  }
  FAMFS_RETURN_IF_ERROR(RenameNew(temporary, image_path));
  undo.Keep();
  return absl::OkStatus();
}

absl::Status ImportImage(const std::string& image_path,
                         const std::string& directory, const Uuid& tag,
                         const Progress& progress) {
  FAMFS_ASSIGN_OR_RETURN(const auto image,
                         OpenImage(image_path, Access::kRead));
  FAMFS_RETURN_IF_ERROR(CheckImage(*image));
  FAMFS_ASSIGN_OR_RETURN(const auto reader, OpenReader(*image));
  FAMFS_ASSIGN_OR_RETURN(const std::vector<Range> ranges, RangesOf(*reader));
  FAMFS_ASSIGN_OR_RETURN(const UniqueFd image_fd,
                         OpenFile(image_path, O_RDONLY));
  const bool was_there = std::filesystem::exists(directory);
  FAMFS_RETURN_IF_ERROR(CreateEmulatedDevice(
      directory, {.size = image->size(), .tag = tag, .hosts = {}}));
  UndoGuard undo([&] { RemoveImported(directory, was_there); });
  FAMFS_ASSIGN_OR_RETURN(const auto device,
                         OpenEmulatedDevice(directory, Access::kReadWrite));
  Meter meter(ranges, progress);
  for (const Range& range : ranges) {
    FAMFS_RETURN_IF_ERROR(
        ImportRange(*image, image_fd.get(), *device, range, meter));
  }
  undo.Keep();
  return absl::OkStatus();
}

}  // namespace famfs
