#include "tools/common/instance_file.h"

#include <algorithm>

#include "base/text.h"
#include "tools/common/tree.h"

namespace famfs {

InstanceFile InstanceFile::Of(const Namespace& tree, const Node& file) {
  InstanceFile found{.id = file.id,
                     .path = tree.PathOf(file),
                     .size = file.size,
                     .mode = file.owner.mode,
                     .node_file = tree.NodeFileOf(file)};
  for (std::uint64_t at = 0; at < file.size;) {
    const Location piece = Locate(file, at);
    const std::uint64_t length = std::min(piece.length, kMaxPart);
    found.parts.push_back({.at = at,
                           .length = length,
                           .device_index = piece.device_index,
                           .device_offset = piece.device_offset});
    at += length;
  }
  return found;
}

absl::StatusOr<InstanceFile> InstanceFile::Find(const Namespace& tree,
                                                const std::string& given) {
  const std::string path = given.starts_with(':') ? given.substr(1) : given;
  FAMFS_ASSIGN_OR_RETURN(const Node* const node, FindNode(tree, path));
  if (node->is_directory) {
    return InvalidArgument(
        "{}: is a directory; name a file in it, or copy it with cp -r",
        Printable(given));
  }
  if (node->is_symlink()) {
    return InvalidArgument(
        "{}: is a symbolic link to '{}'; name the file itself, or copy the "
        "link with cp -r",
        Printable(given), Printable(node->tree->record.target));
  }
  return Of(tree, *node);
}

namespace {

/// Whether each part still is that of the file's bytes. A file that grew has
/// them and more.
bool StillHas(const Node& file, std::uint64_t size,
              const std::vector<FilePart>& parts) {
  if (file.size < size) return false;
  return std::all_of(parts.begin(), parts.end(), [&file](const FilePart& part) {
    const Location place = Locate(file, part.at);
    return place.device_index == part.device_index &&
           place.device_offset == part.device_offset &&
           place.length >= part.length;
  });
}

}  // namespace

absl::Status InstanceFile::CheckStillThere(Reader& reader) const {
  FAMFS_RETURN_IF_ERROR(reader.Refresh().status());
  const auto tree = reader.Tree();
  const Node* const node = tree->Find(id);
  if (node != nullptr && StillHas(*node, size, parts)) return absl::OkStatus();
  if (node != nullptr) {
    return Aborted("{}: was cut while it was read; copy it again",
                   Printable(path));
  }
  return Aborted(
      "{}: was deleted while it was read, so what was read may be another "
      "file's",
      Printable(path));
}

absl::StatusOr<std::unique_ptr<Mapping>> InstanceFile::Map(
    DeviceSet& devices, const FilePart& part, Access access) const {
  const auto device = devices.At(part.device_index);
  if (!device.ok()) return Annotate(device.status(), Printable(path));
  if (!node_file.empty() && (*device)->capabilities().has_node_files) {
    auto mapped =
        (*device)->MapNodeFile(node_file, part.at, part.length, access);
    if (!mapped.ok()) return Annotate(mapped.status(), Printable(path));
    return mapped;
  }
  auto mapping = (*device)->Map(part.device_offset, part.length, access);
  if (!mapping.ok()) return Annotate(mapping.status(), Printable(path));
  return mapping;
}

}  // namespace famfs
