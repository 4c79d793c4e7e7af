#include "dax/emulated.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/units.h"
#include "dax/backing.h"
#include "dax/extent_files.h"
#include "dax/extent_pin.h"
#include "dax/file_mapping.h"
#include "dax/node_files.h"

namespace famfs {
namespace {

struct Scan {
  std::vector<Range> extents;  // by offset
  std::vector<std::string> malformed;
};

PinnedOpener Opener(const std::string& path, int flags) {
  return [&path, flags](int more_flags) {
    return OpenFile(path, flags | more_flags | O_NOFOLLOW);
  };
}

PinnedOpener OpenerWithoutAccessTimes(const std::string& path) {
  return [&path](int more_flags) {
    return OpenWithoutAccessTimes(path, O_RDWR | more_flags);
  };
}

class EmulatedDevice final : public DaxDevice {
 public:
  EmulatedDevice(std::string directory, EmulatedConfig config, Access access)
      : directory_(std::move(directory)),
        config_(std::move(config)),
        access_(access),
        node_files_(directory_ + "/files", config_.sparse) {}

  std::string spec() const override {
    return DeviceSpec{DeviceSpec::Kind::kEmulated, directory_}.ToString();
  }
  std::uint64_t size() const override { return config_.size; }
  Uuid tag() const override { return config_.tag; }
  Capabilities capabilities() const override {
    return {.can_pass_through = true,
            .removed_extents_live_on = true,
            .allocates_extents = true,
            .has_node_files = true};
  }
  MediumProbe ProbeMedium() const override {
    return [path = ExtentFile(0)] { return MediumAt(path); };
  }

  absl::StatusOr<std::vector<Medium>> ListMedia() override;
  absl::StatusOr<UniqueFd> OpenKnownFile(Access access) override {
    return OpenFile(directory_ + "/device.yaml",
                    access == Access::kRead ? O_RDONLY : O_RDWR);
  }
  absl::StatusOr<std::unique_ptr<Mapping>> Map(std::uint64_t offset,
                                               std::uint64_t length,
                                               Access access) override;
  absl::Status CreateExtent(Range range) override;
  absl::Status RemoveExtent(std::uint64_t offset) override;
  absl::StatusOr<std::optional<Backing>> FindBacking(
      std::uint64_t taken) override;
  absl::Status Allocate(Range range) override;
  absl::StatusOr<std::vector<Range>> ListExtents() override;
  absl::StatusOr<std::vector<std::string>> MalformedExtents() override;
  absl::Status CleanUp() override;
  absl::StatusOr<UniqueFd> OpenExtent(std::uint64_t offset) override;
  absl::StatusOr<UniqueFd> ServeExtent(std::uint64_t offset) override;
  absl::StatusOr<bool> EndServing(std::uint64_t offset) override {
    if (access_ == Access::kRead) return true;  // it has pinned nothing
    return Unpin(ExtentFile(offset));
  }
  absl::Status EndAllServing() override;
  absl::StatusOr<std::vector<Lacking>> GivenBack() override;
  absl::Status Refill(Range extent) override;

  absl::Status CreateNodeFile(std::string_view name) override;
  absl::StatusOr<UniqueFd> OpenNodeFile(std::string_view name,
                                        Access access) override;
  absl::StatusOr<std::unique_ptr<Mapping>> MapNodeFile(std::string_view name,
                                                       std::uint64_t at,
                                                       std::uint64_t length,
                                                       Access access) override;
  absl::StatusOr<bool> EndServingNodeFile(std::string_view name) override;
  absl::Status AllocateNodeFile(std::string_view name, Range range) override;
  absl::Status ResizeNodeFile(std::string_view name, std::uint64_t size,
                              std::uint64_t allocated) override;
  absl::Status LengthenNodeFile(std::string_view name,
                                std::uint64_t size) override;
  absl::Status TrimNodeFile(std::string_view name,
                            std::uint64_t allocated) override;
  absl::Status RemoveNodeFile(std::string_view name) override;
  absl::StatusOr<std::vector<NodeFile>> ListNodeFiles() override;
  absl::StatusOr<std::uint64_t> NodeFileLacking(
      std::string_view name, std::uint64_t allocated) override {
    return node_files_.Lacking(name, allocated);
  }

 private:
  std::string Directory() const { return directory_ + "/extents"; }
  std::string ExtentFile(std::uint64_t offset) const {
    return Directory() + "/" + ExtentName(offset);
  }
  absl::Status RequireWriter(std::string_view what) const;
  /// The extent at `offset` as its file says; nothing when there is no file,
  /// DataLoss when it is malformed.
  absl::StatusOr<std::optional<Range>> Inspect(std::uint64_t offset) const;
  absl::StatusOr<Range> ExtentAround(std::uint64_t offset) const;
  absl::StatusOr<Scan> ScanExtents() const;
  absl::Status MakeFile(const std::string& path, std::uint64_t length) const;
  /// Pages for a part of an extent, whose offset is within the extent.
  absl::Status Fill(const Range& extent, Range part) const;

  const std::string directory_;  // absolute
  const EmulatedConfig config_;
  const Access access_;
  const NodeFiles node_files_;  // after directory_ and config_
};

absl::Status EmulatedDevice::RequireWriter(std::string_view what) const {
  if (access_ == Access::kReadWrite) return absl::OkStatus();
  return PermissionDenied("{}: opened for reading only; {} is not possible",
                          spec(), what);
}

absl::StatusOr<std::optional<Range>> EmulatedDevice::Inspect(
    std::uint64_t offset) const {
  const std::string path = ExtentFile(offset);
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return std::nullopt;
    return ErrnoError(errno, fmt::format("stat {}", path));
  }
  if (!S_ISREG(info.st_mode)) {
    return DataLoss("{}: is not a regular file", path);
  }
  const Range range{offset, static_cast<std::uint64_t>(info.st_size)};
  if (const absl::Status good = CheckExtent(*this, range); !good.ok()) {
    return DataLoss("{}: is no extent file ({})", path, Message(good));
  }
  return range;
}

absl::StatusOr<Scan> EmulatedDevice::ScanExtents() const {
  FAMFS_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                         ListDirectory(Directory()));
  Scan scan;
  for (const std::string& name : names) {
    const std::optional<std::uint64_t> offset = ParseExtentName(name);
    if (!offset.has_value()) continue;
    const auto found = Inspect(*offset);
    if (absl::IsDataLoss(found.status())) {
      scan.malformed.emplace_back(Message(found.status()));
    } else if (!found.ok()) {
      return found.status();
    } else if (found->has_value()) {  // else it went meanwhile
      scan.extents.push_back(**found);
    }
  }
  std::sort(scan.extents.begin(), scan.extents.end());
  std::vector<Range> apart;
  for (const Range& range : scan.extents) {
    if (!apart.empty() && range.offset < apart.back().end()) {
      scan.malformed.push_back(fmt::format(
          "{}: overlaps the extent at {:#x}, which ends at {:#x}",
          ExtentFile(range.offset), apart.back().offset, apart.back().end()));
    } else {
      apart.push_back(range);
    }
  }
  scan.extents = std::move(apart);
  return scan;
}

absl::StatusOr<Range> EmulatedDevice::ExtentAround(std::uint64_t offset) const {
  // Nearly every mapping begins where its extent does: no need to list them.
  FAMFS_ASSIGN_OR_RETURN(const std::optional<Range> exact, Inspect(offset));
  if (exact.has_value()) return *exact;
  FAMFS_ASSIGN_OR_RETURN(const Scan scan, ScanExtents());
  for (const Range& range : scan.extents) {
    if (range.offset <= offset && offset < range.end()) return range;
  }
  return NotFound("{}: there is no extent at {:#x}", spec(), offset);
}

absl::StatusOr<std::unique_ptr<Mapping>> EmulatedDevice::Map(
    std::uint64_t offset, std::uint64_t length, Access access) {
  if (access == Access::kReadWrite) {
    FAMFS_RETURN_IF_ERROR(RequireWriter("a writable mapping"));
  }
  if (length == 0) {
    return InvalidArgument("{}: an empty range at {:#x} cannot be mapped",
                           spec(), offset);
  }
  if (offset > config_.size || length > config_.size - offset) {
    return OutOfRange("{}: {} bytes at {:#x} lie beyond the device's {} bytes",
                      spec(), length, offset, config_.size);
  }
  FAMFS_ASSIGN_OR_RETURN(const Range extent, ExtentAround(offset));
  if (length > extent.end() - offset) {
    return OutOfRange(
        "{}: {} bytes at {:#x} reach beyond the end of their extent, {:#x}",
        spec(), length, offset, extent.end());
  }
  const std::string path = ExtentFile(extent.offset);
  std::unique_ptr<Mapping> mapping;
  const auto map = [&](int fd) -> absl::Status {
    FAMFS_ASSIGN_OR_RETURN(mapping, MapFile(fd, path, offset - extent.offset,
                                            length, access, path));
    return absl::OkStatus();
  };
  const int flags = access == Access::kReadWrite ? O_RDWR : O_RDONLY;
  FAMFS_RETURN_IF_ERROR(
      OpenDespitePin(path, Opener(path, flags), map).status());
  return mapping;
}

absl::Status EmulatedDevice::MakeFile(const std::string& path,
                                      std::uint64_t length) const {
  FAMFS_ASSIGN_OR_RETURN(UniqueFd fd,
                         OpenFile(path, O_RDWR | O_CREAT | O_EXCL, 0600));
  if (::ftruncate(fd.get(), static_cast<off_t>(length)) != 0) {
    return ErrnoError(errno, fmt::format("size {}", path));
  }
  if (config_.sparse) return absl::OkStatus();
  absl::Status filled = AllocatePages(fd.get(), 0, length, path);
  if (!absl::IsUnimplemented(filled)) return filled;
  return Unimplemented(
      "{}; put the device on tmpfs, or write `sparse: true` in its device.yaml",
      Message(filled));
}

absl::Status EmulatedDevice::CreateExtent(Range range) {
  FAMFS_RETURN_IF_ERROR(RequireWriter("creating an extent"));
  FAMFS_RETURN_IF_ERROR(CheckExtent(*this, range));
  const std::string path = ExtentFile(range.offset);
  const auto exists = [&path] {
    return AlreadyExists("{}: there is an extent already", path);
  };
  // Only to answer before the pages are made; the rename below decides.
  if (::access(path.c_str(), F_OK) == 0) return exists();
  const std::string temporary =
      Directory() + "/" + UnfinishedExtentName(range.offset);
  absl::Status status = MakeFile(temporary, range.length);
  if (status.ok()) status = RenameNew(temporary, path);
  if (status.ok()) return status;
  ::unlink(temporary.c_str());
  return absl::IsAlreadyExists(status) ? exists() : status;
}

absl::Status EmulatedDevice::RemoveExtent(std::uint64_t offset) {
  FAMFS_RETURN_IF_ERROR(RequireWriter("removing an extent"));
  const absl::Status removed = RemoveDespitePin(ExtentFile(offset));
  return absl::IsNotFound(removed) ? absl::OkStatus() : removed;
}

absl::StatusOr<std::optional<Backing>> EmulatedDevice::FindBacking(
    std::uint64_t /*taken*/) {
  // Asked also of a sparse device: it may have gone.
  FAMFS_ASSIGN_OR_RETURN(const Backing backing,
                         BackingAt(Directory(), /*makes_files=*/true));
  if (config_.sparse) return std::nullopt;
  return backing;
}

absl::Status EmulatedDevice::Allocate(Range range) {
  FAMFS_RETURN_IF_ERROR(RequireWriter("allocating memory"));
  FAMFS_ASSIGN_OR_RETURN(const Range extent, ExtentAround(range.offset));
  const absl::Status filled =
      Fill(extent, {range.offset - extent.offset, range.length});
  return absl::IsUnimplemented(filled) ? absl::OkStatus() : filled;
}

absl::StatusOr<std::vector<DaxDevice::Medium>> EmulatedDevice::ListMedia() {
  FAMFS_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                         ListDirectory(Directory()));
  std::vector<Medium> media;
  for (const std::string& name : names) {
    if (!ParseExtentName(name).has_value()) continue;
    const auto medium = MediumAt(Directory() + "/" + name);
    if (absl::IsNotFound(medium.status())) continue;  // it went meanwhile
    FAMFS_RETURN_IF_ERROR(medium.status());
    media.push_back(*medium);
  }
  FAMFS_ASSIGN_OR_RETURN(const std::vector<Medium> nodes,
                         node_files_.ListMedia());
  media.insert(media.end(), nodes.begin(), nodes.end());
  return media;
}

// In pieces, since nobody can open the extent for the first time meanwhile.
absl::Status EmulatedDevice::Fill(const Range& extent, Range part) const {
  constexpr std::uint64_t kPiece = kGiB;
  const std::string path = ExtentFile(extent.offset);
  while (part.length > 0) {
    const std::uint64_t piece = std::min(part.length, kPiece);
    FAMFS_RETURN_IF_ERROR(FillDespitePin(
        path, Opener(path, O_RDWR),
        [&](int fd) { return AllocatePages(fd, part.offset, piece, path); }));
    part = {part.offset + piece, part.length - piece};
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Range>> EmulatedDevice::ListExtents() {
  FAMFS_ASSIGN_OR_RETURN(Scan scan, ScanExtents());
  return std::move(scan.extents);
}

absl::StatusOr<std::vector<std::string>> EmulatedDevice::MalformedExtents() {
  FAMFS_ASSIGN_OR_RETURN(Scan scan, ScanExtents());
  FAMFS_ASSIGN_OR_RETURN(const NodeFiles::Scan nodes, node_files_.List());
  scan.malformed.insert(scan.malformed.end(), nodes.malformed.begin(),
                        nodes.malformed.end());
  return std::move(scan.malformed);
}

absl::Status EmulatedDevice::CleanUp() {
  FAMFS_RETURN_IF_ERROR(RequireWriter("cleaning up"));
  if (const absl::Status ended = EndAllServing(); !ended.ok()) {
    spdlog::warn("{}", Message(ended));
  }
  FAMFS_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                         ListDirectory(Directory()));
  for (const std::string& name : names) {
    if (!IsUnfinishedExtentName(name)) continue;
    const std::string path = Directory() + "/" + name;
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
      return ErrnoError(errno, fmt::format("unlink {}", path));
    }
    spdlog::info("removed {}, which a process left unfinished", path);
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> EmulatedDevice::OpenExtent(std::uint64_t offset) {
  FAMFS_ASSIGN_OR_RETURN(const std::optional<Range> extent, Inspect(offset));
  if (!extent.has_value()) {
    return NotFound("{}: there is no extent that begins at {:#x}", spec(),
                    offset);
  }
  const std::string path = ExtentFile(offset);
  if (access_ == Access::kReadWrite) {
    auto fd = OpenDespitePin(path, OpenerWithoutAccessTimes(path));
    if (!absl::IsPermissionDenied(fd.status())) return fd;
  }
  return OpenWithoutAccessTimes(path, O_RDONLY);
}

absl::StatusOr<UniqueFd> EmulatedDevice::ServeExtent(std::uint64_t offset) {
  FAMFS_ASSIGN_OR_RETURN(const std::optional<Range> extent, Inspect(offset));
  if (access_ == Access::kRead || !extent.has_value()) {
    return OpenExtent(offset);
  }
  const std::string path = ExtentFile(offset);
  return OpenAndPin(path, OpenerWithoutAccessTimes(path));
}

absl::Status EmulatedDevice::EndAllServing() {
  FAMFS_RETURN_IF_ERROR(RequireWriter("ending to serve"));
  FAMFS_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                         ListDirectory(Directory()));
  absl::Status first;
  for (const std::string& name : names) {
    if (!ParseExtentName(name).has_value()) continue;
    const auto ended = Unpin(Directory() + "/" + name);
    if (first.ok()) first = ended.status();
  }
  const absl::Status nodes = node_files_.EndAllServing();
  return first.ok() ? nodes : first;
}

// By the blocks that tmpfs counts, also those that are swapped out. Elsewhere
// they may be fewer for other reasons (compression).
absl::StatusOr<std::vector<DaxDevice::Lacking>> EmulatedDevice::GivenBack() {
  struct statfs info {};
  if (::statfs(Directory().c_str(), &info) != 0) {
    return ErrnoError(errno, Directory());
  }
  std::vector<Lacking> lacking;
  if (config_.sparse || info.f_type != TMPFS_MAGIC) return lacking;
  FAMFS_ASSIGN_OR_RETURN(const Scan scan, ScanExtents());
  for (const Range& extent : scan.extents) {
    constexpr std::uint64_t kBlock = 512;  // bytes, whatever the file system
    struct stat file {};
    if (::lstat(ExtentFile(extent.offset).c_str(), &file) != 0) continue;
    const std::uint64_t held =
        static_cast<std::uint64_t>(file.st_blocks) * kBlock;
    if (held < extent.length) {
      lacking.push_back({extent, extent.length - held});
    }
  }
  return lacking;
}

absl::Status EmulatedDevice::Refill(Range extent) {
  FAMFS_RETURN_IF_ERROR(RequireWriter("giving an extent memory"));
  return Fill(extent, {0, extent.length});
}

absl::Status EmulatedDevice::CreateNodeFile(std::string_view name) {
  FAMFS_RETURN_IF_ERROR(RequireWriter("creating a node file"));
  return node_files_.Create(name);
}

absl::StatusOr<UniqueFd> EmulatedDevice::OpenNodeFile(std::string_view name,
                                                      Access access) {
  if (access == Access::kReadWrite) {
    FAMFS_RETURN_IF_ERROR(RequireWriter("opening a node file for writing"));
  }
  return node_files_.Open(name, access);
}

absl::StatusOr<std::unique_ptr<Mapping>> EmulatedDevice::MapNodeFile(
    std::string_view name, std::uint64_t at, std::uint64_t length,
    Access access) {
  if (access == Access::kReadWrite) {
    FAMFS_RETURN_IF_ERROR(RequireWriter("mapping a node file for writing"));
  }
  return node_files_.Map(name, at, length, access);
}

absl::StatusOr<bool> EmulatedDevice::EndServingNodeFile(std::string_view name) {
  if (access_ == Access::kRead) return true;  // it has pinned nothing
  return node_files_.EndServing(name);
}

absl::Status EmulatedDevice::AllocateNodeFile(std::string_view name,
                                              Range range) {
  FAMFS_RETURN_IF_ERROR(RequireWriter("allocating memory"));
  return node_files_.Allocate(name, range);
}

absl::Status EmulatedDevice::ResizeNodeFile(std::string_view name,
                                            std::uint64_t size,
                                            std::uint64_t allocated) {
  FAMFS_RETURN_IF_ERROR(RequireWriter("resizing a node file"));
  return node_files_.Resize(name, size, allocated);
}

absl::Status EmulatedDevice::LengthenNodeFile(std::string_view name,
                                              std::uint64_t size) {
  FAMFS_RETURN_IF_ERROR(RequireWriter("resizing a node file"));
  return node_files_.Lengthen(name, size);
}

absl::Status EmulatedDevice::TrimNodeFile(std::string_view name,
                                          std::uint64_t allocated) {
  FAMFS_RETURN_IF_ERROR(RequireWriter("giving memory back"));
  return node_files_.Trim(name, allocated);
}

absl::Status EmulatedDevice::RemoveNodeFile(std::string_view name) {
  FAMFS_RETURN_IF_ERROR(RequireWriter("removing a node file"));
  return node_files_.Remove(name);
}

absl::StatusOr<std::vector<DaxDevice::NodeFile>>
EmulatedDevice::ListNodeFiles() {
  FAMFS_ASSIGN_OR_RETURN(NodeFiles::Scan scan, node_files_.List());
  return std::move(scan.files);
}

absl::Status CheckHost(const EmulatedConfig& config,
                       const std::string& directory) {
  if (config.hosts.empty()) return absl::OkStatus();
  const std::string host = EmulatedHostName();
  if (std::find(config.hosts.begin(), config.hosts.end(), host) !=
      config.hosts.end()) {
    return absl::OkStatus();
  }
  return PermissionDenied(
      "emulated:{0}: host \"{1}\" may not see tag {2}; {0}/device.yaml allows "
      "{3} (a host's name is $FAMFS_HOST, else its hostname)",
      directory, host, config.tag.ToString(), fmt::join(config.hosts, ", "));
}

}  // namespace

absl::StatusOr<std::unique_ptr<DaxDevice>> OpenEmulatedDevice(
    const std::string& directory, Access access) {
  const std::string absolute = AbsolutePath(directory);
  FAMFS_ASSIGN_OR_RETURN(EmulatedConfig config, ReadEmulatedConfig(absolute));
  FAMFS_RETURN_IF_ERROR(CheckHost(config, absolute));
  const std::string extents = absolute + "/extents";
  const int mode =
      access == Access::kReadWrite ? R_OK | W_OK | X_OK : R_OK | X_OK;
  if (::access(extents.c_str(), mode) != 0) {
    return Annotate(ErrnoError(errno, extents), "emulated:" + absolute);
  }
  return std::make_unique<EmulatedDevice>(absolute, std::move(config), access);
}

}  // namespace famfs
