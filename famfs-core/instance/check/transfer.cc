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

/// A file of a tree volume: on the emulated device its bytes are a file of its
/// own, in the image they lie in its extents.
struct TreeFile {
  std::string node_file;
  std::uint64_t size = 0;       // bytes
  std::uint64_t allocated = 0;  // bytes, of the extents
  std::vector<MediaExtent> extents;
};

struct Contents {
  std::vector<Range> ranges;  // of the device
  std::vector<TreeFile> files{};
};

/// All that counts on the device, the superblock region last: before it is
/// there, a copy is no file system.
absl::StatusOr<Contents> ContentsOf(const Reader& reader) {
  Contents contents;
  std::vector<Range>& ranges = contents.ranges;
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
      if (node->tree == nullptr) {
        ranges.push_back({extent.offset, extent.length});
      }
    }
    if (std::string name = tree->NodeFileOf(*node); !name.empty()) {
      contents.files.push_back(
          {.node_file = std::move(name),
           .size = node->size,
           .allocated = node->tree->allocated,
           .extents = {node->extents.begin(), node->extents.end()}});
    }
  }
  std::sort(ranges.begin(), ranges.end());
  ranges.push_back({kLogOffset, reader.superblock().log_length});
  ranges.push_back({kSuperblockOffset, kSuperblockRegion});
  return contents;
}

/// On a device without node files their bytes are extents like any others. The
/// head stays last.
void AddTreeFiles(Contents& contents) {
  std::vector<Range> extents;
  for (const TreeFile& file : contents.files) {
    for (const MediaExtent& extent : file.extents) {
      extents.push_back({extent.offset, extent.length});
    }
  }
  std::sort(extents.begin(), extents.end());
  contents.ranges.insert(contents.ranges.begin(), extents.begin(),
                         extents.end());
  contents.files.clear();
}

/// Adds up what was done over all contents, and asks whether to go on.
class Meter {
 public:
  Meter(const Contents& contents, const TransferOptions& options)
      : options_(options) {
    for (const Range& range : contents.ranges) total_ += range.length;
    for (const TreeFile& file : contents.files) total_ += file.allocated;
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

/// Calls visit(place in the image, bytes) for each extent that `bytes`, which
/// begin at byte `at` of the file, lie in.
template <typename Visit>
absl::Status VisitExtents(const TreeFile& file, std::uint64_t at,
                          std::span<const std::byte> bytes,
                          const Visit& visit) {
  std::uint64_t start = 0;
  for (const MediaExtent& extent : file.extents) {
    if (bytes.empty()) break;
    const std::uint64_t end = start + extent.length;
    if (at < end) {
      const auto here = static_cast<std::size_t>(
          std::min<std::uint64_t>(bytes.size(), end - at));
      FAMFS_RETURN_IF_ERROR(
          visit(extent.offset + (at - start), bytes.first(here)));
      bytes = bytes.subspan(here);
      at += here;
    }
    start = end;
  }
  return absl::OkStatus();
}

/// What the file does not reach of its extents stays a hole of the image.
absl::Status ExportTreeFile(DaxDevice& device, const TreeFile& file, int to,
                            const std::string& path, Meter& meter) {
  FAMFS_ASSIGN_OR_RETURN(const UniqueFd fd,
                         device.OpenNodeFile(file.node_file, Access::kRead));
  const off_t end = ::lseek(fd.get(), 0, SEEK_END);
  if (end < 0) return ErrnoError(errno, file.node_file);
  const std::uint64_t length =
      std::min(static_cast<std::uint64_t>(end), file.allocated);
  if (length > 0) {
    FAMFS_ASSIGN_OR_RETURN(
        const auto mapping,
        device.MapNodeFile(file.node_file, 0, length, Access::kRead));
    const absl::Status copied = CopySparsely(
        mapping->bytes(), DataParts(fd.get(), 0, length),
        [&](std::uint64_t at, std::span<const std::byte> bytes) {
          FAMFS_RETURN_IF_ERROR(meter.GoOn());
          return VisitExtents(
              file, at, bytes,
              [&](std::uint64_t place, std::span<const std::byte> part) {
                return WriteAt(to, place, part, path);
              });
        },
        [&](std::uint64_t bytes) { meter.Add(bytes); });
    FAMFS_RETURN_IF_ERROR(copied);
    FAMFS_RETURN_IF_ERROR(mapping->Check());
  }
  meter.Add(file.allocated - length);
  return absl::OkStatus();
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

absl::Status ImportTreeFile(DaxDevice& image, int image_fd, DaxDevice& device,
                            const TreeFile& file, Meter& meter) {
  FAMFS_RETURN_IF_ERROR(device.CreateNodeFile(file.node_file));
  if (file.allocated > 0) {
    FAMFS_RETURN_IF_ERROR(
        device.AllocateNodeFile(file.node_file, {0, file.allocated}));
  }
  if (file.size == 0) {
    meter.Add(file.allocated);
    return absl::OkStatus();
  }
  FAMFS_RETURN_IF_ERROR(
      device.ResizeNodeFile(file.node_file, file.size, file.allocated));
  FAMFS_ASSIGN_OR_RETURN(
      const auto to,
      device.MapNodeFile(file.node_file, 0, file.size, Access::kReadWrite));
  std::uint64_t start = 0;
  for (const MediaExtent& extent : file.extents) {
    const std::uint64_t length =
        std::min(extent.length, file.size - std::min(start, file.size));
    if (length > 0) {
      FAMFS_ASSIGN_OR_RETURN(const auto from,
                             image.Map(extent.offset, length, Access::kRead));
      const absl::Status copied = CopySparsely(
          from->bytes(), DataParts(image_fd, extent.offset, length),
          [&](std::uint64_t at, std::span<const std::byte> bytes) {
            FAMFS_RETURN_IF_ERROR(meter.GoOn());
            to->Store(start + at, bytes);
            to->WriteBack(start + at, bytes.size());
            return to->Check();
          },
          [](std::uint64_t) {});
      FAMFS_RETURN_IF_ERROR(copied);
      FAMFS_RETURN_IF_ERROR(from->Check());
    }
    meter.Add(extent.length);
    start += extent.length;
  }
  return absl::OkStatus();
}

absl::Status ImportContents(DaxDevice& image, int image_fd, DaxDevice& device,
                            const Contents& contents, Meter& meter) {
  for (const Range& range : contents.ranges) {
    FAMFS_RETURN_IF_ERROR(ImportRange(image, image_fd, device, range, meter));
  }
  for (const TreeFile& file : contents.files) {
    FAMFS_RETURN_IF_ERROR(ImportTreeFile(image, image_fd, device, file, meter));
  }
  return absl::OkStatus();
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
  std::filesystem::remove_all(directory + "/files", ignored);
  std::filesystem::remove(directory + "/device.yaml", ignored);
}

}  // namespace

absl::Status ExportImage(DaxDevice& device, const std::string& image_path,
                         const TransferOptions& options) {
  FAMFS_ASSIGN_OR_RETURN(const auto reader,
                         OpenReader(device, options.salvage));
  FAMFS_ASSIGN_OR_RETURN(Contents contents, ContentsOf(*reader));
  if (options.salvage) {
    FAMFS_ASSIGN_OR_RETURN(contents.ranges, device.ListExtents());
  }
  if (!device.capabilities().has_node_files) {
    if (!options.salvage) AddTreeFiles(contents);
    contents.files.clear();
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
  Meter meter(contents, options);
  for (const Range& range : contents.ranges) {
    FAMFS_RETURN_IF_ERROR(
        ExportRange(device, range, file.fd(), image_path, meter));
  }
  for (const TreeFile& one : contents.files) {
    const absl::Status exported =
        ExportTreeFile(device, one, file.fd(), image_path, meter);
    // Of a damaged instance it may be among what is lost.
    if (options.salvage && absl::IsNotFound(exported)) continue;
    FAMFS_RETURN_IF_ERROR(exported);
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
  FAMFS_ASSIGN_OR_RETURN(Contents contents, ContentsOf(*reader));
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
  Meter meter(contents, options);
  contents.ranges.pop_back();  // the head
  FAMFS_RETURN_IF_ERROR(
      ImportContents(*image, image_fd.get(), *device, contents, meter));
  // Without a head it still is nobody's.
  FAMFS_RETURN_IF_ERROR(CheckUnchanged(*reader, "imported"));
  FAMFS_RETURN_IF_ERROR(ImportHead(*image, *device, meter));
  undo.Keep();
  return absl::OkStatus();
}

}  // namespace famfs
