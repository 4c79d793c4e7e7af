// Opens an instance for reading, finds a file, maps its memory, and prints its
// first bytes and its CRC-32:
//
//   show_file emulated:/dev/shm/pool data/model.bin
#include <cstdio>
#include <memory>
#include <vector>

#include "base/status.h"
#include "dax/device.h"
#include "instance/reader/reader.h"
#include "media/checksum.h"

namespace {

absl::Status ShowFile(const char* device_spec, const char* path) {
  // A device is opened by its spec; a reader never writes and takes no lock.
  FAMFS_ASSIGN_OR_RETURN(auto opened,
                         famfs::OpenDevice(device_spec, famfs::Access::kRead));
  std::shared_ptr<famfs::DaxDevice> device = std::move(opened);
  FAMFS_ASSIGN_OR_RETURN(const auto reader, famfs::Reader::Open(device));

  // Where the file lies is copied out of the tree, whose lock is held as long
  // as the view lives.
  std::uint64_t size = 0;
  std::vector<famfs::Location> pieces;
  {
    const auto tree = reader->Tree();
    const famfs::Node* const node = tree->FindPath(path);
    if (node == nullptr || node->is_directory) {
      return famfs::NotFound("{}: is no file of the instance", path);
    }
    size = node->size;
    for (std::uint64_t at = 0; at < size; at += pieces.back().length) {
      pieces.push_back(famfs::Locate(*node, at));
    }
  }

  // Each piece is one range of one device: mapped, it is the memory itself.
  std::vector<std::byte> bytes;
  for (const famfs::Location& piece : pieces) {
    FAMFS_ASSIGN_OR_RETURN(
        const auto mapping,
        device->Map(piece.device_offset, piece.length, famfs::Access::kRead));
    mapping->Invalidate(0, mapping->size());  // see what other hosts wrote
    bytes.insert(bytes.end(), mapping->bytes().begin(), mapping->bytes().end());
    FAMFS_RETURN_IF_ERROR(mapping->Check());
  }
  std::printf("%s: %zu bytes, crc32 %08llx, begins with", path, bytes.size(),
              static_cast<unsigned long long>(famfs::Crc32(bytes)));
  for (std::size_t i = 0; i < bytes.size() && i < 8; ++i) {
    std::printf(" %02x", static_cast<unsigned>(bytes[i]));
  }
  std::printf("\n");
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s DEVICE PATH\n", argv[0]);
    return 2;
  }
  const absl::Status status = ShowFile(argv[1], argv[2]);
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", std::string(famfs::Message(status)).c_str());
  return 1;
}
