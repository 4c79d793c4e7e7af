#include "base/units.h"
#include "instance/new_entry.h"
#include "instance/writer.h"
#include "media/rules.h"

namespace famfs {

class Writer::PendingFileImpl final : public PendingFile {
 public:
  PendingFileImpl(Writer& writer, Claim claim, const MediaEntry& entry,
                  std::unique_ptr<Mapping> mapping)
      : writer_(writer),
        claim_(std::move(claim)),
        entry_(entry),
        mapping_(std::move(mapping)) {}

  ~PendingFileImpl() override {
    mapping_.reset();
    if (!done_) writer_.GiveUp(claim_);
  }

  Mapping& mapping() override { return *mapping_; }

  absl::Status Commit() override {
    if (done_) return FailedPrecondition("the file is already committed");
    done_ = true;
    mapping_->WriteBack(0, entry_.file.size);
    return writer_.Publish(claim_, std::span(&entry_, 1));
  }

 private:
  Writer& writer_;
  const Claim claim_;
  MediaEntry entry_;
  std::unique_ptr<Mapping> mapping_;
  bool done_ = false;  // published, or given up by Publish
};

absl::Status Writer::Mkdir(std::string_view path, Ownership owner) {
  FAMFS_RETURN_IF_ERROR(CheckOwnership(owner));
  FAMFS_ASSIGN_OR_RETURN(const Claim claim,
                         Reserve({.path = std::string(path)}));
  MediaEntry entry = NewMkdirEntry(path, owner);
  return Publish(claim, std::span(&entry, 1));
}

absl::Status Writer::CreateFile(std::string_view path, std::uint64_t size,
                                Ownership owner) {
  FAMFS_RETURN_IF_ERROR(CheckOwnership(owner));
  if (size == 0) return EmptyFile(path);
  FAMFS_ASSIGN_OR_RETURN(const Claim claim,
                         Reserve({.path = std::string(path), .size = size}));
  MediaEntry entry =
      NewFileEntry(path, size, claim.chunk, claim.extents, owner);
  return Publish(claim, std::span(&entry, 1));
}

absl::StatusOr<std::unique_ptr<PendingFile>> Writer::BeginFile(
    std::string_view path, std::uint64_t size, Ownership owner) {
  FAMFS_RETURN_IF_ERROR(CheckOwnership(owner));
  if (size == 0) return EmptyFile(path);
  FAMFS_ASSIGN_OR_RETURN(
      Claim claim,
      Reserve({.path = std::string(path), .size = size, .to_fill = true}));
  const MediaExtent& extent = claim.extents.front();
  auto mapping = DeviceAt(extent.device_index)
                     .Map(extent.offset, extent.length, Access::kReadWrite);
  if (!mapping.ok()) {
    GiveUp(claim);
    return mapping.status();
  }
  const MediaEntry entry =
      NewFileEntry(path, size, claim.chunk, claim.extents, owner);
  return std::make_unique<PendingFileImpl>(*this, std::move(claim), entry,
                                           *std::move(mapping));
}

}  // namespace famfs
