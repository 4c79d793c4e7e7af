#include "dax/cxl_tag.h"

#include <fmt/format.h>
#include <uuid/uuid.h>

#include <cstdint>
#include <filesystem>
#include <system_error>

#include "dax/sysfs.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMostWays = 16;  // of an interleaved region (CXL 3.1)
/// Of the UUIDs that are made here. Never another one: tags would change.
constexpr Uuid kNameSpace{{0x8d, 0x1f, 0x6e, 0x0b, 0x52, 0xc4, 0x4b, 0x7a, 0x9e,
                           0x35, 0x0a, 0x77, 0xd1, 0x4c, 0x28, 0x93}};

/// The region that the device lies in; empty: none.
fs::path RegionOf(const fs::path& device) {
  for (fs::path at = device.parent_path(); at.has_relative_path();
       at = at.parent_path()) {
    if (LinkName(at / "subsystem") == "cxl" &&
        at.filename().string().starts_with("region")) {
      return at;
    }
  }
  return {};
}

/// "SERIAL@PLACE" of the memory behind one target of a region.
std::optional<std::string> TargetText(const std::string& sysfs,
                                      const std::string& decoder) {
  std::error_code error;
  const fs::path place =
      fs::canonical(sysfs + "/bus/cxl/devices/" + decoder, error);
  if (error) return std::nullopt;
  const auto serial = ReadNumber(place.parent_path() / "uport/serial");
  const auto offset = ReadNumber(place / "dpa_resource");
  if (!serial || *serial == 0 || *serial == UINT64_MAX || !offset) {
    return std::nullopt;
  }
  return fmt::format("{:#x}@{:#x}", *serial, *offset);
}

}  // namespace

std::optional<Uuid> CxlTagOf(const std::string& sysfs,
                             const std::string& device) {
  const fs::path region = RegionOf(device);
  if (region.empty()) return std::nullopt;
  const auto ways = ReadNumber(region / "interleave_ways");
  if (!ways || *ways == 0 || *ways > kMostWays) return std::nullopt;
  std::string name;
  for (std::uint64_t i = 0; i < *ways; ++i) {
    const auto decoder = ReadAttribute(region / fmt::format("target{}", i));
    // A name, and no way out of the directory.
    if (!decoder || decoder->empty() || decoder->find('/') != decoder->npos) {
      return std::nullopt;
    }
    const auto target = TargetText(sysfs, *decoder);
    if (!target) return std::nullopt;
    name += (name.empty() ? "" : ",") + *target;
  }
  Uuid tag;
  uuid_generate_sha1(tag.bytes.data(), kNameSpace.bytes.data(), name.data(),
                     name.size());
  return tag;
}

}  // namespace famfs
