#include "csi/config/parameters.h"

#include <charconv>
#include <map>
#include <string_view>

#include "base/nearest.h"
#include "base/text.h"
#include "base/units.h"
#include "csi/config/owner.h"
#include "media/format.h"

namespace famfs::csi {
namespace {

constexpr std::string_view kSidecarPrefix = "csi.storage.k8s.io/";
constexpr std::string_view kKnown[] = {
    kPoolParameter, kDataPathParameter, kUidParameter,    kGidParameter,
    kModeParameter, kLayoutParameter,   kStripsParameter, kChunkParameter,
};

std::string Shown(std::string_view text) { return Printable(text, 128); }

// `target` = the parsed value, or the error with the parameter's name.
template <typename T, typename Parse>
absl::Status Assign(std::string_view key, std::string_view value, Parse parse,
                    T& target) {
  absl::StatusOr<T> parsed = parse(value);
  if (!parsed.ok()) {
    return Annotate(parsed.status(), fmt::format("the parameter {}", key));
  }
  target = *parsed;
  return absl::OkStatus();
}

absl::StatusOr<std::uint32_t> ParseStrips(std::string_view text) {
  std::uint32_t strips = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), strips);
  if (error != std::errc() || end != text.data() + text.size() || strips == 0 ||
      strips > kMaxStrips) {
    return InvalidArgument("\"{}\" is not a number from 1 to {}", Shown(text),
                           kMaxStrips);
  }
  return strips;
}

/// A chunk says nothing by itself; strips have one of 2 MiB by default.
absl::Status CompleteInterleave(VolumeParameters& result) {
  if (result.strips == 0 && result.chunk != 0) {
    return InvalidArgument("the parameter {} needs {}", kChunkParameter,
                           kStripsParameter);
  }
  if (result.strips != 0 && result.layout == VolumeLayout::kTree) {
    return InvalidArgument(
        "the parameter {} needs {}: file; the files of a tree volume grow, and "
        "lie in no strips",
        kStripsParameter, kLayoutParameter);
  }
  if (result.strips != 0 && result.chunk == 0) result.chunk = kAllocUnit;
  return absl::OkStatus();
}

absl::Status CheckPool(std::string_view name, const Config& config) {
  if (config.FindPool(name) != nullptr) return absl::OkStatus();
  if (name.empty()) {
    return InvalidArgument(
        "the parameter pool is missing and the driver's configuration has no "
        "defaults.pool; set pool to one of: {}",
        config.PoolNames());
  }
  return InvalidArgument(
      "the parameter pool: there is no pool \"{}\" in the driver's "
      "configuration; it has: {}",
      Shown(name), config.PoolNames());
}

absl::Status Apply(std::string_view key, std::string_view value,
                   VolumeParameters& result) {
  if (key == kPoolParameter) {
    result.pool = value;
  } else if (key == kDataPathParameter) {
    return Assign(key, value, ParseDataPath, result.data_path);
  } else if (key == kUidParameter) {
    return Assign(key, value, ParseOwnerId, result.uid);
  } else if (key == kGidParameter) {
    return Assign(key, value, ParseOwnerId, result.gid);
  } else if (key == kModeParameter) {
    return Assign(key, value, ParseMode, result.mode);
  } else if (key == kLayoutParameter) {
    return Assign(key, value, ParseVolumeLayout, result.layout);
  } else if (key == kStripsParameter) {
    return Assign(key, value, ParseStrips, result.strips);
  } else if (key == kChunkParameter) {
    return Assign(key, value, ParseSize, result.chunk);
  } else {
    return InvalidArgument("the parameter \"{}\" is unknown{}; known are: {}",
                           Shown(key), DidYouMean(key, kKnown),
                           fmt::join(kKnown, ", "));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<VolumeParameters> ParseParameters(
    const ParameterMap& parameters, const ParameterMap& mutable_parameters,
    const Config& config) {
  VolumeParameters defaults;
  defaults.pool = config.defaults.pool;
  defaults.data_path = config.defaults.data_path;
  defaults.layout = config.defaults.layout;
  defaults.uid = config.defaults.uid;
  defaults.gid = config.defaults.gid;
  defaults.mode = config.defaults.mode;
  return ParseParametersOver(defaults, parameters, mutable_parameters, config);
}

absl::StatusOr<VolumeParameters> ParseParametersOver(
    const VolumeParameters& defaults, const ParameterMap& parameters,
    const ParameterMap& mutable_parameters, const Config& config) {
  // Sorted, so that of several mistakes the same one is told each time.
  std::map<std::string_view, std::string_view> merged;
  for (const auto& [key, value] : parameters) merged[key] = value;
  for (const auto& [key, value] : mutable_parameters) merged[key] = value;

  VolumeParameters result = defaults;
  for (const auto& [key, value] : merged) {
    if (key.starts_with(kSidecarPrefix)) continue;
    FAMFS_RETURN_IF_ERROR(Apply(key, value, result));
  }
  FAMFS_RETURN_IF_ERROR(CompleteInterleave(result));
  FAMFS_RETURN_IF_ERROR(CheckPool(result.pool, config));
  return result;
}

}  // namespace famfs::csi
