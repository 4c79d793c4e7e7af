#include "fuse/files/file_memory.h"

#include <algorithm>
#include <cstring>

#include "base/page.h"
#include "dax/missing_memory.h"

namespace famfs {
namespace {

absl::Status MissingIn(const MappedFile::Piece& piece,
                       const std::byte* missing) {
  const std::byte* const begin = piece.mapping->data() + piece.at;
  // The kernel may tell no more than the page.
  return piece.mapping->MissingError(
      piece.at + static_cast<std::size_t>(std::max(missing, begin) - begin));
}

/// Loads or stores within the piece.
template <typename Leaf>
absl::Status Touch(const MappedFile::Piece& piece, Leaf leaf) {
  const std::byte* const missing =
      Guarded({{piece.mapping->data() + piece.at, piece.length}}, leaf);
  return missing == nullptr ? absl::OkStatus() : MissingIn(piece, missing);
}

/// `bytes` may be the memory of another file.
absl::Status CopyAt(const MappedFile::Piece& piece,
                    std::span<const std::byte> bytes, bool flush_lines) {
  Mapping& mapping = *piece.mapping;
  const MemorySpan target = mapping.bytes().subspan(piece.at, piece.length);
  const std::byte* const missing = Guarded({target, bytes}, [&] {
    std::memcpy(mapping.mutable_data() + piece.at, bytes.data(), piece.length);
    if (flush_lines) mapping.WriteBack(piece.at, piece.length);
  });
  if (missing == nullptr) return absl::OkStatus();
  if (missing + kPage > target.data() &&
      missing < target.data() + target.size()) {
    return MissingIn(piece, missing);
  }
  return DataLoss("what was to be copied there cannot be read");
}

/// All of `bytes`; where memory is missing, page by page up to there.
FileMemory::Done Copy(const MappedFile::Piece& piece,
                      std::span<const std::byte> bytes, bool flush_lines) {
  if (CopyAt(piece, bytes, flush_lines).ok()) return {bytes.size(), {}};
  FileMemory::Done done;
  while (done.bytes < bytes.size()) {
    const std::size_t at = piece.at + done.bytes;
    const std::size_t step =
        std::min(bytes.size() - done.bytes, kPage - at % kPage);
    done.status = CopyAt({piece.mapping, at, step},
                         bytes.subspan(done.bytes, step), flush_lines);
    if (!done.status.ok()) break;
    done.bytes += step;
  }
  return done;
}

}  // namespace

void FileShape::TakeShape(const Node& from) {
  node.id = from.id;
  node.parent = from.parent;
  node.is_meta = from.is_meta;
  node.owner = from.owner;
  node.size = from.size;
  node.set_chunk(from.chunk());
  node.extents = from.extents;
}

FileShape FileShape::Of(const Node& node, const Namespace& tree) {
  FileShape shape;
  shape.TakeShape(node);
  shape.name = node.name;
  if (node.in_tree()) {
    shape.node_file = tree.NodeFileOf(node);
    shape.allocated = node.tree->allocated;
  }
  return shape;
}

absl::StatusOr<std::unique_ptr<FileMemory>> FileMemory::Map(
    DeviceSet& devices, const FileShape& shape, bool flush_lines) {
  FAMFS_ASSIGN_OR_RETURN(
      MappedFile file,
      MappedFile::Map(devices, shape.node,
                      shape.is_meta() || shape.read_only ? Access::kRead
                                                         : Access::kReadWrite));
  return std::unique_ptr<FileMemory>(
      new FileMemory(std::move(file), flush_lines));
}

absl::StatusOr<std::vector<iovec>> FileMemory::Read(
    std::uint64_t offset, std::uint64_t length) const {
  std::vector<iovec> bytes;
  for (const MappedFile::Piece& piece : file_.Pieces(offset, length)) {
    if (flush_lines_) {
      FAMFS_RETURN_IF_ERROR(Touch(piece, [&piece] {
        piece.mapping->Invalidate(piece.at, piece.length);
      }));
    }
    // iovec has no const form; nobody writes through these.
    bytes.push_back({const_cast<std::byte*>(piece.mapping->data()) + piece.at,
                     piece.length});
  }
  return bytes;
}

FileMemory::Done FileMemory::Write(std::uint64_t offset,
                                   std::span<const std::byte> bytes) {
  Done done;
  for (const MappedFile::Piece& piece : file_.Pieces(offset, bytes.size())) {
    const Done copied =
        Copy(piece, bytes.subspan(done.bytes, piece.length), flush_lines_);
    done.bytes += copied.bytes;
    done.status = copied.status;
    if (!done.status.ok()) break;
  }
  return done;
}

absl::Status FileMemory::Zero(std::uint64_t offset, std::uint64_t length) {
  for (const MappedFile::Piece& piece : file_.Pieces(offset, length)) {
    FAMFS_RETURN_IF_ERROR(Touch(piece, [&piece] {
      piece.mapping->ZeroStreaming(piece.at, piece.length);
    }));
  }
  return absl::OkStatus();
}

absl::Status FileMemory::Probe(std::uint64_t offset,
                               std::uint64_t length) const {
  for (const MappedFile::Piece& piece : file_.Pieces(offset, length)) {
    FAMFS_RETURN_IF_ERROR(Touch(piece, [&piece] {
      const volatile std::byte* const bytes = piece.mapping->data() + piece.at;
      for (std::size_t at = 0; at < piece.length; at += kPage) {
        static_cast<void>(bytes[at]);
      }
      static_cast<void>(bytes[piece.length - 1]);
    }));
  }
  return absl::OkStatus();
}

}  // namespace famfs
