#include "instance/devices/system_uuid.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/new_file.h"

namespace famfs {
namespace {

constexpr std::size_t kTextLength = 36;

absl::StatusOr<Uuid> Load(const std::string& path) {
  FAMFS_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  auto uuid = Uuid::Parse(std::string_view(text).substr(0, kTextLength));
  if (!uuid.ok()) {
    return InvalidArgument(
        "{}: does not begin with this host's uuid: {}; write one there, or "
        "remove the file to get a random one",
        path, Message(uuid.status()));
  }
  if (uuid->is_nil()) {
    return InvalidArgument(
        "{}: has the nil uuid, which is no host's; remove the file to get a "
        "random one",
        path);
  }
  return uuid;
}

std::string PathInUse() {
  const char* named = std::getenv("FAMFS_SYSTEM_UUID_FILE");
  const bool given = named != nullptr && *named != '\0';
  return given ? named : kSystemUuidFile;
}

/// Makes the file whole before it gets its name; of two processes that do so at
/// once one wins, and both read the winner's.
absl::Status Create(const std::string& path) {
  std::error_code error;
  const std::filesystem::path parent =
      std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (error) {
    return ErrnoError(error.value(),
                      fmt::format("create the folder {}", parent.string()));
  }
  const absl::Status made = WriteNewFile(
      path, Uuid::Random().ToString() + std::string(1, '\0'), 0444);
  return absl::IsAlreadyExists(made) ? absl::OkStatus() : made;
}

}  // namespace

absl::StatusOr<Uuid> LoadOrCreateSystemUuid() {
  return LoadOrCreateSystemUuid(PathInUse());
}

absl::StatusOr<Uuid> LoadSystemUuid() { return Load(PathInUse()); }

absl::StatusOr<Uuid> LoadOrCreateSystemUuid(const std::string& path) {
  auto uuid = Load(path);
  if (!absl::IsNotFound(uuid.status())) return uuid;
  FAMFS_RETURN_IF_ERROR(Create(path));
  return Load(path);
}

}  // namespace famfs
