// Copies between mappings whose pages are gone.
#include "dax/guarded_copy.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace famfs {
namespace {

constexpr std::size_t kSize = 1 << 20;

/// A file in memory, mapped whole, of which the second half is cut off.
class HalfFile {
 public:
  explicit HalfFile(char filling)
      : fd_(::memfd_create("half", MFD_CLOEXEC)),
        base_(Map(fd_.get(), filling)) {
    EXPECT_EQ(::ftruncate(fd_.get(), kSize / 2), 0);
  }
  ~HalfFile() { ::munmap(base_, kSize); }
  HalfFile(const HalfFile&) = delete;
  HalfFile& operator=(const HalfFile&) = delete;
  [[nodiscard]] std::byte* data() const { return base_; }

 private:
  static std::byte* Map(int fd, char filling) {
    EXPECT_EQ(::ftruncate(fd, kSize), 0);
    void* const base =
        ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    EXPECT_NE(base, MAP_FAILED);
    std::memset(base, filling, kSize);
    return static_cast<std::byte*>(base);
  }

  const UniqueFd fd_;
  std::byte* const base_;
};

TEST(GuardedCopy, TellsASourceThatBecameShorter) {
  const HalfFile source('s');
  std::vector<std::byte> target(kSize);
  EXPECT_EQ(GuardedStreamCopy(target.data(), source.data(), kSize / 2),
            CopyFault::kNone);
  EXPECT_EQ(std::memcmp(target.data(), source.data(), kSize / 2), 0);
  EXPECT_EQ(GuardedStreamCopy(target.data(), source.data(), kSize),
            CopyFault::kSource);
}

TEST(GuardedCopy, TellsATargetThatHasNoRoom) {
  const std::vector<std::byte> source(kSize);
  const HalfFile target('t');
  EXPECT_EQ(GuardedStreamCopy(target.data(), source.data(), kSize),
            CopyFault::kTarget);
}

TEST(GuardedCopy, EachThreadMeetsItsOwn) {
  const HalfFile half('h');
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&half, i] {
      std::vector<std::byte> other(kSize);
      for (int round = 0; round < 50; ++round) {
        if (i % 2 == 0) {
          EXPECT_EQ(GuardedStreamCopy(other.data(), half.data(), kSize),
                    CopyFault::kSource);
        } else {
          EXPECT_EQ(GuardedStreamCopy(other.data(), half.data(), kSize / 2),
                    CopyFault::kNone);
        }
      }
    });
  }
}

}  // namespace
}  // namespace famfs
