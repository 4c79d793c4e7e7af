// A file in memory in the place of a dax device: what is cut off meets SIGBUS
// as a device does that is taken away.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "dax/devdax.h"

namespace famfs::testing {

/// The memory, and the kernel's view of it.
struct StandIn {
  UniqueFd fd{::memfd_create("dax", MFD_CLOEXEC)};
  std::uint64_t size = 64 << 20;  // bytes
  DaxDevice::Medium medium{.device = 1, .inode = 2, .number = 3};
  absl::Status gone;
  UniqueFd kept{};  // its contents, while it is away

  [[nodiscard]] absl::StatusOr<UniqueFd> Open() const {
    return OpenFile(fmt::format("/proc/self/fd/{}", fd.get()), O_RDWR);
  }
  void Cut(std::uint64_t at) const {
    EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(at)), 0);
  }
  /// From whoever has it mapped, as by an unbind; its bytes stay.
  void TakeAway() {
    gone = NotFound("there is no dax device dax0.0 on this host");
    kept.reset(::memfd_create("dax", MFD_CLOEXEC));
    EXPECT_EQ(::ftruncate(kept.get(), static_cast<off_t>(size)), 0);
    std::vector<char> bytes(1 << 20);
    off_t at = ::lseek(fd.get(), 0, SEEK_DATA);
    while (at >= 0) {
      const ssize_t n = ::pread(fd.get(), bytes.data(), bytes.size(), at);
      if (n <= 0) break;
      EXPECT_EQ(
          ::pwrite(kept.get(), bytes.data(), static_cast<std::size_t>(n), at),
          n);
      at = ::lseek(fd.get(), at + n, SEEK_DATA);
    }
    Cut(0);
  }
  void GiveBack() {
    fd = std::move(kept);
    gone = absl::OkStatus();
  }
};

inline absl::StatusOr<std::unique_ptr<DaxDevice>> OpenStandIn(
    const std::shared_ptr<StandIn>& memory, Access access, std::uint64_t align,
    const Uuid& tag = {}) {
  FAMFS_ASSIGN_OR_RETURN(UniqueFd fd, memory->Open());
  return AdoptDevdax({.spec = "devdax:/dev/dax0.0",
                      .name = "devdax:/dev/dax0.0",
                      .fd = std::move(fd),
                      .align = align,
                      .tag = tag,
                      .access = access,
                      .look = [memory]() -> absl::StatusOr<DevdaxMemory::Now> {
                        if (!memory->gone.ok()) return memory->gone;
                        return DevdaxMemory::Now{memory->medium, memory->size};
                      },
                      .open = [memory](Access) { return memory->Open(); }});
}

}  // namespace famfs::testing
