// How a device is named, in configurations and on command lines:
//
//   emulated:DIR   a simulated DCD (dax/emulated.h): one file per allocated
//                  extent, on tmpfs
//   image:FILE     one flat file, for tools and tests
//   devdax:PATH    a dax device of the kernel's (dax/devdax.h): /dev/dax0.0
//   tag:UUID       the dax device of that tag, under whichever name it is on
//                  this host (dax/dax_bus.h)
//   PATH           what lies there when it is opened: a directory is emulated,
//                  a regular file an image, a character device devdax
//
// Parsed where such a text comes in, and a value from there on.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace famfs {

struct DeviceSpec {
  /// In the order of the texts that they begin with.
  enum class Kind : std::uint8_t { kPath, kDevdax, kEmulated, kImage, kTag };

  Kind kind = Kind::kPath;
  /// Absolute or relative, never normalised; of kTag the UUID, as
  /// Uuid::ToString writes it.
  std::string path;

  /// A colon behind a slash belongs to a path. InvalidArgument, which lists the
  /// kinds, for an empty text, another kind, a kind without a path, a tag that
  /// is no UUID or the nil one, and a NUL byte. What lies there is not looked
  /// at. "--help" is a path: who gives a spec to a program puts "--" before it.
  static absl::StatusOr<DeviceSpec> Parse(std::string_view text);

  /// What Parse takes for it: "image:/tmp/pool", or the path alone.
  [[nodiscard]] std::string ToString() const;
  /// Whether `path` is one, of the file system.
  [[nodiscard]] bool has_path() const { return kind != Kind::kTag; }
  /// Names nothing: made by default. Parse never returns it.
  [[nodiscard]] bool empty() const { return path.empty(); }

  /// Of the texts: one device may have several.
  // NOLINTNEXTLINE(modernize-use-nullptr): the comparison's own literal zero.
  auto operator<=>(const DeviceSpec&) const = default;
};

}  // namespace famfs
