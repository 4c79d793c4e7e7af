#include "dax/device_spec.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace famfs {
namespace {

constexpr std::size_t kShown = 256;  // bytes of a text, in an error

struct Named {
  std::string_view name;
  DeviceSpec::Kind kind;
};
constexpr std::array<Named, 3> kKinds = {{
    {"devdax", DeviceSpec::Kind::kDevdax},
    {"emulated", DeviceSpec::Kind::kEmulated},
    {"image", DeviceSpec::Kind::kImage},
}};

}  // namespace

absl::StatusOr<DeviceSpec> DeviceSpec::Parse(std::string_view text) {
  if (text.empty()) {
    return InvalidArgument(
        "no device is named; write emulated:DIR, image:FILE, devdax:PATH or a "
        "path");
  }
  const std::string shown = Printable(text, kShown);
  if (text.find('\0') != std::string_view::npos) {
    return InvalidArgument(
        "device {}: no path has a NUL byte; write emulated:DIR, image:FILE, "
        "devdax:PATH or a path",
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
        "image:FILE, devdax:PATH, or ./{} for a path with a colon",
        shown, Printable(name, kShown), shown);
  }
  const std::string_view path = text.substr(colon + 1);
  if (path.empty()) {
    return InvalidArgument(
        "device {}: a path must follow \"{}:\"; write emulated:DIR, image:FILE "
        "or devdax:PATH",
        shown, name);
  }
  return DeviceSpec{.kind = found->kind, .path = std::string(path)};
}

std::string DeviceSpec::ToString() const {
  for (const Named& one : kKinds) {
    if (one.kind == kind) return fmt::format("{}:{}", one.name, path);
  }
  return path;
}

}  // namespace famfs
