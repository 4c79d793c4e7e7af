// The read-only view: the whole tree once more, below .meta/ro, where nothing
// can be opened for writing or changed. It is not listed; who wants it asks for
// it by name.
//
// A read-only publication is a bind of a directory of the view. The mount's
// own read-only flag would not do: container runtimes bind once more into the
// container and set the flags that the pod's specification asks for, which
// clears a read-only flag that the specification does not know of (an access
// mode ReadOnlyMany without readOnly in the pod).
//
// In the view a node's id, as the kernel knows it, has the highest bit set;
// the ids of a Namespace never have.
#pragma once

#include <cstdint>
#include <string_view>

#include "instance/tree/node.h"

namespace famfs {

/// Its name in .meta.
inline constexpr std::string_view kReadOnlyViewName = "ro";

/// A node, and through which view the kernel knows it.
struct Inode {
  NodeId node = 0;
  bool read_only = false;

  static Inode FromKernel(std::uint64_t id) {
    return {.node = id & ~kReadOnlyBit, .read_only = (id & kReadOnlyBit) != 0};
  }
  /// The kernel's id of another node in the same view.
  [[nodiscard]] std::uint64_t Of(NodeId other) const {
    return other | (read_only ? kReadOnlyBit : 0);
  }

 private:
  static constexpr std::uint64_t kReadOnlyBit = ~kNodeIdMask;
};

}  // namespace famfs
