#include "dax/use_mark.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <cerrno>

namespace famfs {
namespace {

constexpr std::uint64_t kNumbers = 1ULL << 32;
constexpr std::uint64_t kMarksAt = 1ULL << 62;  // bytes; each use has kNumbers

struct flock Lock(short type, Use use, std::uint64_t number,
                  std::uint64_t length) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start =
      static_cast<off_t>(kMarksAt + static_cast<std::uint64_t>(use) * kNumbers +
                         number % kNumbers);
  lock.l_len = static_cast<off_t>(length);
  return lock;
}

/// As who would only read, whom no reader's lock stands in the way.
std::optional<bool> IsLocked(int fd, Use use, std::uint64_t number,
                             std::uint64_t length) {
  struct flock lock = Lock(F_RDLCK, use, number, length);
  if (::fcntl(fd, F_OFD_GETLK, &lock) != 0) return std::nullopt;
  return lock.l_type != F_UNLCK;
}

absl::StatusOr<UniqueFd> OpenMarked(DaxDevice& device, Use use, Access access) {
  // The first extent's own file, where it has one: device.yaml may be replaced
  // while the device is used. When it is made that may not be there yet.
  if (device.capabilities().can_pass_through && use != Use::kMaking) {
    return device.OpenExtent(0);
  }
  return device.OpenKnownFile(access);
}

std::optional<bool> Ask(DaxDevice& device, Use use, std::uint64_t number,
                        std::uint64_t length) {
  const auto file = OpenMarked(device, use, Access::kRead);
  if (!file.ok()) return std::nullopt;
  return IsLocked(file->get(), use, number, length);
}

}  // namespace

absl::StatusOr<UseMark> UseMark::Set(DaxDevice& device, Use use,
                                     std::uint64_t number) {
  auto file = OpenMarked(device, use, Access::kReadWrite);
  if (!file.ok()) return UseMark();
  struct flock lock = Lock(F_WRLCK, use, number, 1);
  while (::fcntl(file->get(), F_OFD_SETLK, &lock) != 0) {
    if (errno == EINTR) continue;
    const int error = errno;
    if ((error == EAGAIN || error == EACCES) &&
        IsLocked(file->get(), use, number, 1).value_or(false)) {
      return Unavailable("{}: another process has it already", device.spec());
    }
    spdlog::warn("{}: others cannot be told that it is in use: {}",
                 device.spec(), Message(ErrnoError(error, "fcntl")));
    return UseMark();
  }
  return UseMark(*std::move(file));
}

std::optional<bool> UseMark::SeesAnother(Use use, std::uint64_t number) const {
  if (!held()) return std::nullopt;
  return IsLocked(fd_.get(), use, number, 1);
}

std::optional<bool> IsMarked(DaxDevice& device, Use use, std::uint64_t number) {
  return Ask(device, use, number, 1);
}

std::optional<bool> IsMarked(DaxDevice& device, Use use) {
  return Ask(device, use, 0, kNumbers);
}

std::optional<bool> IsBeingMade(int device_yaml) {
  return IsLocked(device_yaml, Use::kMaking, 0, kNumbers);
}

}  // namespace famfs
