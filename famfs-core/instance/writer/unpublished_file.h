// The Writer's own PendingFile: a claim, its memory, and the entry that it will
// be published by.
#pragma once

#include <optional>
#include <vector>

#include "base/mutex.h"
#include "base/range.h"
#include "instance/devices/mapped_file.h"
#include "instance/writer/claims.h"
#include "instance/writer/creations.h"
#include "instance/writer/pending_file.h"

namespace famfs {

class UnpublishedFile final : public PendingFile {
 public:
  /// `claim` is its own from now on: it publishes it or gives it up.
  UnpublishedFile(Creations& creations, Claim claim, const MediaEntry& entry,
                  MappedFile file);
  ~UnpublishedFile() override;
  UnpublishedFile(const UnpublishedFile&) = delete;
  UnpublishedFile& operator=(const UnpublishedFile&) = delete;

  std::span<std::byte> At(std::uint64_t offset) override;
  void Store(std::uint64_t offset, std::span<const std::byte> bytes) override;
  void WriteBack(std::uint64_t offset, std::uint64_t length) override;
  void NoteStreamed(std::uint64_t offset, std::uint64_t length) override;
  absl::Status Check() const override;
  absl::Status CheckStanding() override;
  absl::Status Commit() override;

 private:
  void WriteBackRest();

  Creations& creations_;
  const Claim claim_;
  MediaEntry entry_;
  std::optional<MappedFile> file_;
  bool done_ = false;  // published, or given up by Publish
  Mutex mutex_;
  std::vector<Range> written_back_ ABSL_GUARDED_BY(mutex_);  // of the file
};

}  // namespace famfs
