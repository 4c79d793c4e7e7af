#include "instance/writer/unpublished_file.h"

#include <algorithm>

namespace famfs {

UnpublishedFile::UnpublishedFile(Creations& creations, Claim claim,
                                 const MediaEntry& entry, MappedFile file)
    : creations_(creations),
      claim_(std::move(claim)),
      entry_(entry),
      file_(std::move(file)) {}

UnpublishedFile::~UnpublishedFile() {
  file_.reset();
  if (!done_) creations_.GiveUp(claim_);
}

std::span<std::byte> UnpublishedFile::At(std::uint64_t offset) {
  const MappedFile::Piece piece = file_->At(offset, file_->size());
  if (piece.mapping == nullptr) return {};
  return {piece.mapping->mutable_data() + piece.at, piece.length};
}

void UnpublishedFile::Store(std::uint64_t offset,
                            std::span<const std::byte> bytes) {
  for (const MappedFile::Piece& piece : file_->Pieces(offset, bytes.size())) {
    piece.mapping->Store(piece.at, bytes.first(piece.length));
    bytes = bytes.subspan(piece.length);
  }
}

void UnpublishedFile::WriteBack(std::uint64_t offset, std::uint64_t length) {
  file_->WriteBack(offset, length);
  NoteStreamed(offset, length);
}

void UnpublishedFile::NoteStreamed(std::uint64_t offset, std::uint64_t length) {
  const MutexLock lock(mutex_);
  written_back_.push_back({offset, length});
}

absl::Status UnpublishedFile::Check() const { return file_->Check(); }

absl::Status UnpublishedFile::CheckStanding() {
  return creations_.CheckStanding();
}

absl::Status UnpublishedFile::Commit() {
  if (done_) return FailedPrecondition("the file is already committed");
  done_ = true;
  WriteBackRest();
  if (absl::Status status = Check(); !status.ok()) {
    creations_.GiveUp(claim_);
    return status;
  }
  return creations_.Publish(claim_, std::span(&entry_, 1));
}

void UnpublishedFile::WriteBackRest() {
  const MutexLock lock(mutex_);
  std::sort(written_back_.begin(), written_back_.end());
  std::uint64_t at = 0;
  for (const Range& range : written_back_) {
    if (range.offset > at) file_->WriteBack(at, range.offset - at);
    at = std::max(at, range.end());
  }
  if (at < file_->size()) file_->WriteBack(at, file_->size() - at);
}

}  // namespace famfs
