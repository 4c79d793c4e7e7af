#include <algorithm>

#include "instance/devices/mapped_file.h"
#include "instance/tree/new_entry.h"
#include "instance/writer/writer.h"
#include "media/rules.h"

namespace famfs {

class Writer::PendingFileImpl final : public PendingFile {
 public:
  PendingFileImpl(Writer& writer, Claim claim, const MediaEntry& entry,
                  MappedFile file)
      : writer_(writer),
        claim_(std::move(claim)),
        entry_(entry),
        file_(std::move(file)) {}

  ~PendingFileImpl() override {
    file_.reset();
    if (!done_) writer_.GiveUp(claim_);
  }

  std::span<std::byte> At(std::uint64_t offset) override {
    const MappedFile::Piece piece = file_->At(offset, file_->size());
    if (piece.mapping == nullptr) return {};
    return {piece.mapping->mutable_data() + piece.at, piece.length};
  }

  void Store(std::uint64_t offset, std::span<const std::byte> bytes) override {
    for (const MappedFile::Piece& piece : file_->Pieces(offset, bytes.size())) {
      piece.mapping->Store(piece.at, bytes.first(piece.length));
      bytes = bytes.subspan(piece.length);
    }
  }

  void WriteBack(std::uint64_t offset, std::uint64_t length) override {
    file_->WriteBack(offset, length);
    NoteStreamed(offset, length);
  }

  void NoteStreamed(std::uint64_t offset, std::uint64_t length) override {
    const std::lock_guard lock(mutex_);
    written_back_.push_back({offset, length});
  }

  absl::Status Check() const override { return file_->Check(); }

  absl::Status CheckStanding() override { return writer_.CheckStanding(); }

  absl::Status Commit() override {
    if (done_) return FailedPrecondition("the file is already committed");
    done_ = true;
    WriteBackRest();
    if (absl::Status status = Check(); !status.ok()) {
      writer_.GiveUp(claim_);
      return status;
    }
    return writer_.Publish(claim_, std::span(&entry_, 1));
  }

 private:
  void WriteBackRest() {
    const std::lock_guard lock(mutex_);
    std::sort(written_back_.begin(), written_back_.end());
    std::uint64_t at = 0;
    for (const Range& range : written_back_) {
      if (range.offset > at) file_->WriteBack(at, range.offset - at);
      at = std::max(at, range.end());
    }
    if (at < file_->size()) file_->WriteBack(at, file_->size() - at);
  }

  Writer& writer_;
  const Claim claim_;
  MediaEntry entry_;
  std::optional<MappedFile> file_;
  std::mutex mutex_;
  std::vector<Range> written_back_;  // of the file
  bool done_ = false;                // published, or given up by Publish
};

absl::Status Writer::Mkdir(std::string_view path, Ownership owner) {
  FAMFS_RETURN_IF_ERROR(CheckOwnership(owner));
  FAMFS_ASSIGN_OR_RETURN(const Claim claim,
                         Reserve({.path = std::string(path)}));
  MediaEntry entry = NewMkdirEntry(path, owner);
  return Publish(claim, std::span(&entry, 1));
}

absl::Status Writer::CreateFile(std::string_view path, std::uint64_t size,
                                Ownership owner, const FileLayout& layout) {
  FAMFS_RETURN_IF_ERROR(CheckOwnership(owner));
  if (size == 0) return EmptyFile(path);
  FAMFS_ASSIGN_OR_RETURN(const Claim claim, Reserve({.path = std::string(path),
                                                     .size = size,
                                                     .max_extents = kMaxExtents,
                                                     .layout = layout}));
  MediaEntry entry =
      NewFileEntry(path, size, claim.chunk, claim.extents, owner);
  return Publish(claim, std::span(&entry, 1));
}

absl::StatusOr<std::unique_ptr<PendingFile>> Writer::BeginFile(
    std::string_view path, std::uint64_t size, Ownership owner,
    const FileLayout& layout) {
  FAMFS_RETURN_IF_ERROR(CheckOwnership(owner));
  if (size == 0) return EmptyFile(path);
  FAMFS_ASSIGN_OR_RETURN(Claim claim, Reserve({.path = std::string(path),
                                               .size = size,
                                               .max_extents = kMaxExtents,
                                               .layout = layout,
                                               .to_fill = true}));
  Node shape;
  shape.size = size;
  shape.chunk = claim.chunk;
  shape.extents.assign(claim.extents);
  auto mapped = MappedFile::Map(*devices_, shape, Access::kReadWrite);
  if (!mapped.ok()) {
    GiveUp(claim);
    return mapped.status();
  }
  const MediaEntry entry =
      NewFileEntry(path, size, claim.chunk, claim.extents, owner);
  return std::make_unique<PendingFileImpl>(*this, std::move(claim), entry,
                                           *std::move(mapped));
}

}  // namespace famfs
