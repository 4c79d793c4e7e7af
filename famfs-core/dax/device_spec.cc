#include "dax/device_spec.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "base/uuid.h"

namespace famfs {
namespace {

constexpr std::size_t kShown = 256;  // bytes of a text, in an error

struct Named {
  std::string_view name;
  DeviceSpec::Kind kind;
};
constexpr std::array<Named, 4> kKinds = {{
    {"devdax", DeviceSpec::Kind::kDevdax},
    {"emulated", DeviceSpec::Kind::kEmulated},
    {"image", DeviceSpec::Kind::kImage},
    {"tag", DeviceSpec::Kind::kTag},
}};

absl::StatusOr<DeviceSpec> ParseTagSpec(std::string_view text,
                                        const std::string& shown) {
  const auto tag = Uuid::Parse(text);
  if (tag.ok() && !tag->is_nil()) {
    return DeviceSpec{.kind = DeviceSpec::Kind::kTag, .path = tag->ToString()};
  }
  return InvalidArgument(
      "device {}: {}; write tag:UUID as `famfs devices` lists it, or "
      "emulated:DIR, image:FILE or devdax:PATH",
      shown,
      tag.ok() ? "the nil UUID is no tag: it is that of devices without one"
               : "what follows \"tag:\" is no UUID");
}

}  // namespace

absl::StatusOr<DeviceSpec> DeviceSpec::Parse(std::string_view text) {
  if (text.empty()) {
    return InvalidArgument(
        "no device is named; write emulated:DIR, image:FILE, devdax:PATH, "
        "tag:UUID or a path");
  }
  const std::string shown = Printable(text, kShown);
  if (text.find('\0') != std::string_view::npos) {
    return InvalidArgument(
        "device {}: no path has a NUL byte; write emulated:DIR, image:FILE, "
        "devdax:PATH, tag:UUID or a path",
        shown);
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || text.find('/') < colon) {
    return DeviceSpec{.kind = Kind::kPath, .path = std::string(text)};
  }
  const std::string_view name = text.substr(0, colon);
  const auto* const found =
      std::find_if(kKinds.begin(), kKinds.end(),
                   [name](const Named& one) { return one.name == name; });
  if (found == kKinds.end()) {
    return InvalidArgument(
        "device {}: \"{}\" is no kind of device; write emulated:DIR, "
        "image:FILE, devdax:PATH, tag:UUID, or ./{} for a path with a colon",
        shown, Printable(name, kShown), shown);
  }
  const std::string_view path = text.substr(colon + 1);
  if (path.empty() && found->kind != Kind::kTag) {
    return InvalidArgument(
        "device {}: a path must follow \"{}:\"; write emulated:DIR, "
        "image:FILE, devdax:PATH or tag:UUID",
        shown, name);
  }
  if (found->kind == Kind::kTag) return ParseTagSpec(path, shown);
  return DeviceSpec{.kind = found->kind, .path = std::string(path)};
}

std::string DeviceSpec::ToString() const {
  for (const Named& one : kKinds) {
    if (one.kind == kind) return fmt::format("{}:{}", one.name, path);
  }
  return path;
}

}  // namespace famfs
