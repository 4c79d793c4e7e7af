#include "tools/copy/copy_words.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "dax/device_spec.h"
#include "tools/common/mounted_file.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;

bool BeginsWithColon(const std::string& word) { return word.starts_with(':'); }

bool Exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// Whether `text` names a device that is there.
bool IsDevice(const std::string& text) {
  const auto spec = DeviceSpec::Parse(text);
  if (!spec.ok() || spec->path.empty()) return false;
  if (!spec->has_path()) return true;  // looked for when it is opened
  if (spec->kind != DeviceSpec::Kind::kPath) return Exists(spec->path);
  std::error_code ignored;
  if (fs::is_regular_file(text, ignored)) return true;
  if (Exists(text + "/device.yaml")) return true;
  const auto origin = OriginOf(text);
  return origin.ok() && origin->has_value();
}

/// `DEVICE:PATH`; nothing for what is a local file's name.
std::optional<std::pair<std::string, std::string>> Split(
    const std::string& word) {
  if (Exists(word)) return std::nullopt;
  for (std::size_t colon = word.find(':'); colon != std::string::npos;
       colon = word.find(':', colon + 1)) {
    std::string device = word.substr(0, colon);
    if (IsDevice(device)) {
      return std::pair(std::move(device), word.substr(colon + 1));
    }
  }
  return std::nullopt;
}

absl::StatusOr<CopyWords> BothSides(const std::string& device,
                                    std::vector<std::string> paths) {
  if (paths.size() < 2) {
    return InvalidArgument(
        "cp needs a source and a destination: DEVICE SOURCE... :DEST into the "
        "instance, DEVICE :SOURCE... DEST out of it; DEVICE:PATH is "
        "understood, "
        "too, where the device is there");
  }
  CopyWords words{.device = device,
                  .sources = {},
                  .target = paths.back(),
                  .into = BeginsWithColon(paths.back())};
  paths.pop_back();
  for (std::string& source : paths) {
    if (BeginsWithColon(source) == words.into) {
      return InvalidArgument(
          "\"{}\" and \"{}\" are both {}; a colon before a path says that it "
          "lies in the instance, and exactly one side does",
          source, words.target, words.into ? "in the instance" : "local");
    }
    if (!words.into) source.erase(0, 1);
  }
  if (words.into) words.target.erase(0, 1);
  words.sources = std::move(paths);
  return words;
}

}  // namespace

absl::StatusOr<CopyWords> ReadCopyWords(const std::vector<std::string>& words) {
  if (words.empty()) return BothSides("", {});
  std::vector<std::string> paths(words.begin() + 1, words.end());
  if (std::any_of(paths.begin(), paths.end(), BeginsWithColon)) {
    return BothSides(words.front(), std::move(paths));
  }
  // No word says where it lies: one of them may name its device itself.
  std::string device;
  paths = words;
  for (std::string& word : paths) {
    const auto split = Split(word);
    if (!split) continue;
    if (!device.empty() && device != split->first) {
      return InvalidArgument(
          "\"{}\" and \"{}\" are two devices, and one side of a copy is local; "
          "copy through a local directory",
          device, split->first);
    }
    device = split->first;
    word = ":" + split->second;
  }
  if (!device.empty()) return BothSides(device, std::move(paths));
  return BothSides(words.front(),
                   std::vector<std::string>(words.begin() + 1, words.end()));
}

}  // namespace famfs
