#include "tools/common/instance_file.h"

#include <algorithm>

#include "base/text.h"
#include "tools/common/tree.h"

namespace famfs {

InstanceFile InstanceFile::Of(const Namespace& tree, const Node& file) {
  InstanceFile found{.id = file.id,
                     .path = tree.PathOf(file),
                     .size = file.size,
                     .mode = file.owner.mode};
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
  return Of(tree, *node);
}

absl::Status InstanceFile::CheckStillThere(Reader& reader) const {
  FAMFS_RETURN_IF_ERROR(reader.Refresh().status());
  const auto tree = reader.Tree();
  const Node* const node = tree->Find(id);
  if (node != nullptr && Of(*tree, *node).parts == parts) {
    return absl::OkStatus();
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
  auto mapping = (*device)->Map(part.device_offset, part.length, access);
  if (!mapping.ok()) return Annotate(mapping.status(), Printable(path));
  return mapping;
}

}  // namespace famfs
