// chmod and chown of volumes of layout `file`, as kubelet does them for
// fsGroup. In the log they are a revision of the volume's directory
// (docs/format.md).
#include <sys/stat.h>

#include <cerrno>
#include <string>

#include "fuse/operations/ops.h"
#include "fuse/operations/tree_ops.h"
#include "fuse/operations/tree_places.h"

namespace famfs {
namespace {

struct VolumePlace {
  std::string volume;    // its directory
  Ownership owner;       // of the directory
  bool is_file = false;  // asked of `data`
  bool is_live = true;
};

/// 0 or the errno; EPERM: neither the directory nor the file of such a volume.
int FindFileVolume(const Service& service, fuse_ino_t id, VolumePlace& place) {
  const Reader::View tree = service.reader->Tree();
  const Node* const node = tree->Find(Inode::FromKernel(id).node);
  if (node == nullptr) return ESTALE;
  const Node* const volume = tree->VolumeOf(node->id);
  if (volume == nullptr || volume->volume->layout != VolumeLayout::kFile) {
    return EPERM;
  }
  place.volume = volume->name;
  place.owner = volume->owner;
  place.is_file = !node->is_directory;
  place.is_live = volume->volume->state == VolumeState::kLive;
  return 0;
}

/// 0 or the errno. `change` is about the directory: what its file is given, it
/// is given, too.
int RequestFor(const VolumePlace& place, const struct stat& asked, int to_set,
               TreeRequest& change) {
  change.op = TreeOp::kSetAttributes;
  change.volume = place.volume;
  if ((to_set & FUSE_SET_ATTR_MODE) != 0) {
    const std::uint32_t mode = asked.st_mode & 07777;
    // Nobody executes the file, so it has no bits that say as whom.
    if (place.is_file && (mode & ~kDataModeBits) != 0) return EPERM;
    change.set |= kSetMode;
    change.mode =
        place.is_file ? (place.owner.mode & ~kDataModeBits) | mode : mode;
  }
  SetOwner(asked, to_set, change);
  return 0;
}

void ReplyOwner(fuse_req_t request, fuse_ino_t id, int error) {
  std::optional<struct stat> attr;
  if (error == 0) attr = StatOf(Service::Of(request), id);
  if (attr.has_value()) {
    // For no time: another host's change may have been told already.
    fuse_reply_attr(request, &*attr, 0);
  } else {
    fuse_reply_err(request, error != 0 ? error : ESTALE);
  }
}

}  // namespace

bool IsInFileVolume(const Service& service, fuse_ino_t id) {
  VolumePlace place;
  return FindFileVolume(service, id, place) == 0;
}

void SetVolumeOwner(fuse_req_t request, fuse_ino_t id, const struct stat& asked,
                    int to_set) {
  Service& service = Service::Of(request);
  VolumePlace place;
  int error = FindFileVolume(service, id, place);
  if (error == 0 && (!place.is_live || service.asking == nullptr)) {
    error = EROFS;
  }
  TreeRequest change;
  if (error == 0) error = RequestFor(place, asked, to_set, change);
  if (error != 0) {
    fuse_reply_err(request, error);
    return;
  }
  service.asking.load()->Ask(request, std::move(change),
                             [request, id](const TreeAnswer& answer) {
                               ReplyOwner(request, id, answer.error);
                             });
}

}  // namespace famfs
