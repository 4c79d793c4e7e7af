#include "tools/copy/copy_files.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/page.h"
#include "base/text.h"
#include "dax/guarded_copy.h"
#include "tools/common/interrupt.h"
#include "tools/common/local_file.h"
#include "tools/common/tree_editor.h"

namespace famfs {
namespace {

constexpr std::uint64_t kStep = 4ULL << 20;      // bytes between two reports
constexpr std::uint64_t kBuffer = 512ULL << 10;  // bytes; stays in the cache
constexpr std::uint64_t kSamples = 64;

/// Bytes [at, at + length) of the file, part by part.
template <typename Visit>
absl::Status VisitRange(DeviceSet& devices, const InstanceFile& file,
                        std::uint64_t at, std::uint64_t length,
                        const Visit& visit) {
  if (length == 0) return absl::OkStatus();
  const auto after = std::upper_bound(
      file.parts.begin(), file.parts.end(), at,
      [](std::uint64_t byte, const FilePart& part) { return byte < part.at; });
  auto part = std::prev(after);
  for (const std::uint64_t end = at + length; at < end; ++part) {
    FAMFS_ASSIGN_OR_RETURN(const auto mapping,
                           file.Map(devices, *part, Access::kRead));
    const std::uint64_t stop = std::min(end, part->at + part->length);
    while (at < stop) {
      const std::uint64_t step = std::min(kStep, stop - at);
      mapping->Invalidate(at - part->at, step);
      FAMFS_RETURN_IF_ERROR(
          visit(at, mapping->bytes().subspan(at - part->at, step)));
      FAMFS_RETURN_IF_ERROR(mapping->Check());
      at += step;
    }
  }
  return absl::OkStatus();
}

/// Aborted where they differ.
absl::Status CompareRange(DeviceSet& devices, const InstanceFile& file,
                          const LocalSource& local, std::uint64_t at,
                          std::uint64_t length) {
  std::vector<std::byte> buffer(std::min(kStep, length));
  return VisitRange(
      devices, file, at, length,
      [&](std::uint64_t from, std::span<const std::byte> bytes) {
        FAMFS_RETURN_IF_ERROR(CheckInterrupted());
        const std::span<std::byte> there(buffer.data(), bytes.size());
        FAMFS_RETURN_IF_ERROR(local.Read(from, there));
        if (std::memcmp(there.data(), bytes.data(), bytes.size()) != 0) {
          return Aborted("they differ");
        }
        return absl::OkStatus();
      });
}

absl::StatusOr<bool> Alike(DeviceSet& devices, const InstanceFile& file,
                           const std::string& local_path, Compare compare) {
  auto local = LocalSource::Open(local_path, /*may_be_empty=*/true);
  if (!local.ok()) return local.status();
  if (local->size() != file.size) return false;
  if (compare == Compare::kSize) return true;
  absl::Status status;
  if (compare == Compare::kFull || file.size <= kSamples * kPage) {
    status = CompareRange(devices, file, *local, 0, file.size);
  } else {
    for (std::uint64_t i = 0; i < kSamples && status.ok(); ++i) {
      // The first page, the last one, and between them at equal distances.
      const std::uint64_t at =
          (file.size - kPage) / (kSamples - 1) * i / kPage * kPage;
      status = CompareRange(devices, file, *local,
                            i + 1 == kSamples ? file.size - kPage : at, kPage);
    }
  }
  if (absl::IsAborted(status)) return false;
  if (!status.ok()) return status;
  return true;
}

class CopyIn final : public FileCopy {
 public:
  CopyIn(Changer& changer, std::string from, std::uint64_t size, std::string to,
         const Ownership& owner, const CopyChoices& choices)
      : changer_(changer),
        from_(std::move(from)),
        size_(size),
        to_(std::move(to)),
        owner_(owner),
        choices_(choices) {}

  std::uint64_t size() const override { return size_; }

  absl::StatusOr<bool> Begin() override {
    std::optional<InstanceFile> there;
    {
      const auto tree = changer_.Tree();
      const Node* const node = tree->FindPath(to_);
      if (node != nullptr && !node->is_directory && !node->is_meta &&
          !node->is_symlink()) {
        there = InstanceFile::Of(*tree, *node);
      }
    }
    if (there && choices_.skip_alike) {
      FAMFS_ASSIGN_OR_RETURN(
          const bool alike,
          Alike(*changer_.devices(), *there, from_, choices_.compare));
      FAMFS_RETURN_IF_ERROR(changer_.CheckStanding());
      if (alike) return false;
      return AlreadyExists(
          "{}: is in the instance with other contents than {}; {}",
          Printable(to_), from_,
          IsInTree(*changer_.Tree(), to_)
              ? fmt::format("remove it first (famfs rm {} :{}), or copy it to "
                            "another path",
                            changer_.devices()->primary()->spec(),
                            Printable(to_))
              : "famfs files are made once, so copy it to another path");
    }
    FAMFS_ASSIGN_OR_RETURN(
        LocalSource source,
        LocalSource::Open(from_, IsInTree(*changer_.Tree(), to_)));
    if (source.size() != size_) {
      return Aborted("{}: had {} bytes a moment ago, and has {} now", from_,
                     size_, source.size());
    }
    FAMFS_ASSIGN_OR_RETURN(
        file_, BeginFileAt(changer_, to_, size_, owner_, choices_.layout));
    source_.emplace(std::move(source));
    return true;
  }

  absl::Status Copy(std::uint64_t at, std::uint64_t length,
                    const Advance& advance) override {
    const std::span<const std::byte> memory = source_->memory();
    std::unique_ptr<std::byte[]> buffer;
    if (memory.empty()) {
      buffer = std::make_unique_for_overwrite<std::byte[]>(kBuffer);
    }
    std::uint64_t look_at = at;
    for (const std::uint64_t end = at + length; at < end;) {
      FAMFS_RETURN_IF_ERROR(CheckInterrupted());
      if (at >= look_at) {
        FAMFS_RETURN_IF_ERROR(file_->CheckStanding());
        look_at = at + kStep;
      }
      const std::span<std::byte> to = file_->At(at);
      const std::uint64_t step = std::min({memory.empty() ? kBuffer : kStep,
                                           end - at, std::uint64_t{to.size()}});
      const std::byte* from = buffer.get();
      if (memory.empty()) {
        FAMFS_RETURN_IF_ERROR(source_->Read(at, {buffer.get(), step}));
      } else {
        from = memory.data() + at;
      }
      FAMFS_RETURN_IF_ERROR(Store(to.first(step), from));
      file_->NoteStreamed(at, step);
      at += step;
      advance(step);
    }
    return absl::OkStatus();
  }

  absl::Status Finish() override {
    FAMFS_RETURN_IF_ERROR(source_->CheckLength());
    return file_->Commit();
  }

 private:
  /// Past the caches: on the medium when it returns, without a second pass over
  /// the lines.
  absl::Status Store(std::span<std::byte> to, const std::byte* from) const {
    switch (GuardedStreamCopy(to.data(), from, to.size())) {
      case CopyFault::kNone:
        return absl::OkStatus();
      case CopyFault::kSource: {
        FAMFS_RETURN_IF_ERROR(source_->CheckLength());
        return ErrnoError(EIO, from_);
      }
      default:
        return ResourceExhausted(
            "{}: cannot be copied: the file system that holds the device's "
            "file is full; make room there and try again",
            from_);
    }
  }

  Changer& changer_;
  const std::string from_;
  const std::uint64_t size_;
  const std::string to_;
  const Ownership owner_;
  const CopyChoices choices_;
  std::optional<LocalSource> source_;
  std::unique_ptr<PendingFile> file_;
};

class CopyOut final : public FileCopy {
 public:
  CopyOut(Reader& reader, InstanceFile from, std::string to,
          const CopyChoices& choices)
      : reader_(reader),
        from_(std::move(from)),
        to_(std::move(to)),
        choices_(choices) {}

  std::uint64_t size() const override { return from_.size; }

  absl::StatusOr<bool> Begin() override {
    if (choices_.skip_alike) {
      const auto alike =
          Alike(*reader_.devices(), from_, to_, choices_.compare);
      FAMFS_RETURN_IF_ERROR(from_.CheckStillThere(reader_));
      // What is there and cannot be compared is told by Create below.
      if (alike.ok() && *alike) return false;
    }
    FAMFS_ASSIGN_OR_RETURN(LocalTarget target,
                           LocalTarget::Create(to_, choices_.replace));
    target_.emplace(std::move(target));
    return true;
  }

  absl::Status Copy(std::uint64_t at, std::uint64_t length,
                    const Advance& advance) override {
    return VisitRange(
        *reader_.devices(), from_, at, length,
        [&](std::uint64_t where, std::span<const std::byte> bytes) {
          FAMFS_RETURN_IF_ERROR(CheckInterrupted());
          FAMFS_RETURN_IF_ERROR(target_->Write(where, bytes));
          advance(bytes.size());
          return absl::OkStatus();
        });
  }

  absl::Status Finish() override {
    FAMFS_RETURN_IF_ERROR(from_.CheckStillThere(reader_));
    return target_->Finish(from_.mode);
  }

 private:
  Reader& reader_;
  const InstanceFile from_;
  const std::string to_;
  const CopyChoices choices_;
  std::optional<LocalTarget> target_;
};

}  // namespace

std::unique_ptr<FileCopy> NewCopyIn(Changer& changer, const std::string& from,
                                    std::uint64_t size, const std::string& to,
                                    const Ownership& owner,
                                    const CopyChoices& choices) {
  return std::make_unique<CopyIn>(changer, from, size, to, owner, choices);
}

std::unique_ptr<FileCopy> NewCopyOut(Reader& reader, InstanceFile from,
                                     const std::string& to,
                                     const CopyChoices& choices) {
  return std::make_unique<CopyOut>(reader, std::move(from), to, choices);
}

}  // namespace famfs
