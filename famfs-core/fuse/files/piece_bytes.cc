// The bytes of a tree volume's file that lie on the device as its pieces.
//
// A mapping is made anew when the pieces have changed; who uses the old one
// goes on with it, and what it maps counts as open until he is done: its places
// may be another file's afterwards.
#include <algorithm>

#include "base/mutex.h"
#include "fuse/files/tree_bytes.h"

namespace famfs {
namespace {

class PieceBytes : public TreeBytes {
 public:
  explicit PieceBytes(std::shared_ptr<DeviceSet> devices)
      : devices_(std::move(devices)) {}

  absl::StatusOr<Bytes> Read(std::uint64_t offset,
                             std::uint64_t length) override {
    std::shared_ptr<Mapped> mapped = Current();
    Bytes bytes;
    FAMFS_ASSIGN_OR_RETURN(bytes.parts, mapped->memory->Read(offset, length));
    bytes.holder = std::move(mapped);
    return bytes;
  }

  FileMemory::Done Write(std::uint64_t offset, std::span<const std::byte> bytes,
                         std::uint64_t size) override {
    const std::shared_ptr<Mapped> mapped = Current();
    if (offset > size) {
      absl::Status zeroed = mapped->memory->Zero(size, offset - size);
      if (!zeroed.ok()) return {0, std::move(zeroed)};
    }
    return mapped->memory->Write(offset, bytes);
  }

  FileMemory::Done WriteOwn(std::uint64_t offset,
                            std::span<const std::byte> bytes) override {
    return Current()->memory->Write(offset, bytes);
  }

  absl::Status Zero(std::uint64_t offset, std::uint64_t length) override {
    return Current()->memory->Zero(offset, length);
  }

  absl::Status SetSize(std::uint64_t) override { return absl::OkStatus(); }

  absl::Status Probe(std::uint64_t offset, std::uint64_t length) override {
    return Current()->memory->Probe(offset, length);
  }

  bool Maps(const ExtentList& extents) const override {
    const MutexLock lock(mutex_);
    return current_ != nullptr && current_->shape.node.extents == extents;
  }

  absl::Status Follow(const FileShape& now) override {
    auto fresh = std::make_shared<Mapped>(Mapped{now, nullptr});
    // All that is allocated; where the file ends is the caller's.
    fresh->shape.node.size = now.allocated;
    FAMFS_ASSIGN_OR_RETURN(fresh->memory,
                           FileMemory::Map(*devices_, fresh->shape, true));
    const MutexLock lock(mutex_);
    std::erase_if(retired_, [](const auto& old) { return old.expired(); });
    if (current_ != nullptr) retired_.push_back(current_);
    current_ = std::move(fresh);
    return absl::OkStatus();
  }

  std::vector<std::pair<std::uint64_t, std::uint64_t>> Places() const override {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> places;
    const auto add = [&places](const Mapped& mapped) {
      for (const MediaExtent& extent : mapped.shape.node.extents) {
        places.emplace_back(extent.device_index, extent.offset);
      }
    };
    const MutexLock lock(mutex_);
    if (current_ != nullptr) add(*current_);
    for (const std::weak_ptr<Mapped>& old : retired_) {
      if (const std::shared_ptr<Mapped> used = old.lock()) add(*used);
    }
    return places;
  }

 private:
  struct Mapped {
    FileShape shape;
    std::unique_ptr<FileMemory> memory;
  };
  std::shared_ptr<Mapped> Current() const {
    const MutexLock lock(mutex_);
    return current_;
  }

  const std::shared_ptr<DeviceSet> devices_;
  mutable Mutex mutex_;  // for moments
  std::shared_ptr<Mapped> current_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::weak_ptr<Mapped>> retired_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<TreeBytes>> MapPieces(
    std::shared_ptr<DeviceSet> devices, const FileShape& shape) {
  auto bytes = std::make_unique<PieceBytes>(std::move(devices));
  FAMFS_RETURN_IF_ERROR(bytes->Follow(shape));
  return bytes;
}

}  // namespace famfs
