#include "dax/device.h"

#include <emmintrin.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "dax/cacheline.h"
#include "dax/devdax.h"
#include "dax/emulated.h"
#include "dax/image.h"
#include "dax/streaming.h"

namespace famfs {
namespace {

constexpr std::size_t kZeroStep = 2 << 20;  // bytes between two looks

void CheckRange(std::size_t at, std::size_t length, std::size_t size) {
  if (at <= size && length <= size - at) return;
  spdlog::critical("bug: access to {} bytes at {} of a mapping of {} bytes",
                   length, at, size);
  std::abort();
}

absl::StatusOr<std::unique_ptr<DaxDevice>> OpenPath(const std::string& path,
                                                    Access access) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) {
      return NotFound("device {}: does not exist; create it with `famfs mkfs`",
                      path);
    }
    return ErrnoError(errno, fmt::format("device {}", path));
  }
  if (S_ISDIR(info.st_mode)) return OpenEmulatedDevice(path, access);
  if (S_ISREG(info.st_mode)) return OpenImage(path, access);
  if (S_ISCHR(info.st_mode)) return OpenDevdax(path, access);
  return InvalidArgument(
      "device {}: is neither a directory (emulated), a regular file (image) "
      "nor a character device (devdax)",
      path);
}

}  // namespace

void Mapping::Store(std::size_t at, std::span<const std::byte> bytes) {
  CheckRange(at, bytes.size(), size_);
  if (!bytes.empty() && !lost())
    std::memcpy(data_ + at, bytes.data(), bytes.size());
}

void Mapping::StoreZeros(std::size_t at, std::size_t length) {
  CheckRange(at, length, size_);
  if (!lost()) std::memset(data_ + at, 0, length);
}

void Mapping::ZeroStreaming(std::size_t at, std::size_t length) {
  CheckRange(at, length, size_);
  // In steps: zeros that go nowhere take memory of this process.
  for (std::size_t done = 0; done < length && !lost(); done += kZeroStep) {
    StreamZeros(data_ + at + done, std::min(kZeroStep, length - done));
  }
}

void Mapping::Store16(std::size_t at, std::uint64_t first,
                      std::uint64_t second) {
  CheckRange(at, 16, size_);
  auto* target = reinterpret_cast<__m128i*>(data_ + at);
  if (reinterpret_cast<std::uintptr_t>(target) % 16 != 0) {
    spdlog::critical("bug: a 16-byte store at {}, which is not aligned", at);
    std::abort();
  }
  if (lost()) return;
  // An aligned 16-byte store is atomic on every processor with AVX (Intel SDM
  // vol. 3A 9.1.1, AMD APM vol. 2 7.3.2). The barriers keep it one store that
  // stays where it is written.
  asm volatile("" ::: "memory");
  _mm_store_si128(target, _mm_set_epi64x(static_cast<std::int64_t>(second),
                                         static_cast<std::int64_t>(first)));
  asm volatile("" ::: "memory");
}

void Mapping::WriteBack(std::size_t at, std::size_t length) {
  CheckRange(at, length, size_);
  if (!lost()) WriteBackLines(data_ + at, length);
}

void Mapping::Invalidate(std::size_t at, std::size_t length) const {
  CheckRange(at, length, size_);
  InvalidateLines(data_ + at, length);
}

absl::Status Mapping::MissingError(std::size_t at) const {
  return DataLoss("byte {} of a mapping of {} bytes is missing", at, size_);
}

absl::Status CheckExtent(const DaxDevice& device, Range range) {
  if (range.length == 0 || range.offset % kExtentUnit != 0 ||
      range.length % kExtentUnit != 0) {
    return InvalidArgument(
        "{}: extent at {:#x} of {} bytes: both must be multiples of 2 MiB, and "
        "the length not zero",
        device.spec(), range.offset, range.length);
  }
  if (range.offset > device.size() ||
      range.length > device.size() - range.offset) {
    return OutOfRange(
        "{}: extent at {:#x} of {} bytes lies beyond the device's {} bytes",
        device.spec(), range.offset, range.length, device.size());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<DaxDevice>> OpenDevice(const DeviceSpec& spec,
                                                      Access access) {
  switch (spec.kind) {
    case DeviceSpec::Kind::kPath:
      return OpenPath(spec.path, access);
    case DeviceSpec::Kind::kEmulated:
      return OpenEmulatedDevice(spec.path, access);
    case DeviceSpec::Kind::kImage:
      return OpenImage(spec.path, access);
    case DeviceSpec::Kind::kDevdax:
      return OpenDevdax(spec.path, access);
    case DeviceSpec::Kind::kTag: {
      FAMFS_ASSIGN_OR_RETURN(const Uuid tag, Uuid::Parse(spec.path));
      return OpenTagged(tag, access);
    }
  }
  return Internal("no kind of device has the number {}",
                  static_cast<int>(spec.kind));
}

absl::StatusOr<std::unique_ptr<DaxDevice>> OpenDevice(std::string_view text,
                                                      Access access) {
  FAMFS_ASSIGN_OR_RETURN(const DeviceSpec spec, DeviceSpec::Parse(text));
  return OpenDevice(spec, access);
}

}  // namespace famfs
