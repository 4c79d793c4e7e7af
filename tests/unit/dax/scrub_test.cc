// Zeroing of large ranges: all of it, nothing else, and no holes filled.
#include "dax/scrub.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "dax/image.h"
#include "dax/streaming.h"
#include "dax_testing.h"
#include "tests/unit/base/no_threads.h"

namespace famfs {
namespace {

constexpr std::uint64_t kUnit = 2ULL << 20;
constexpr auto kMark = std::byte{0xa5};

TEST(StreamZerosTest, EveryStartAndLengthWithinThreeLines) {
  for (std::size_t start = 0; start < 130; ++start) {
    for (std::size_t length = 0; length < 200; length += 7) {
      alignas(64) std::array<std::byte, 384> bytes{};
      bytes.fill(kMark);
      StreamZeros(bytes.data() + start, length);
      for (std::size_t i = 0; i < bytes.size(); ++i) {
        const bool inside = i >= start && i < start + length;
        ASSERT_EQ(bytes[i], inside ? std::byte{0} : kMark)
            << start << " " << length << " " << i;
      }
    }
  }
}

TEST(StreamCopyTest, EveryStartAndLengthWithinThreeLines) {
  std::array<std::byte, 384> source{};
  for (std::size_t i = 0; i < source.size(); ++i) {
    source[i] = static_cast<std::byte>(i * 7 + 1);
  }
  for (std::size_t start = 0; start < 130; ++start) {
    for (std::size_t length = 0; length < 200; length += 7) {
      const std::size_t from = (start * 3 + length) % 130;
      alignas(64) std::array<std::byte, 384> bytes{};
      bytes.fill(kMark);
      StreamCopy(bytes.data() + start, source.data() + from, length);
      for (std::size_t i = 0; i < bytes.size(); ++i) {
        const bool inside = i >= start && i < start + length;
        ASSERT_EQ(bytes[i], inside ? source[from + i - start] : kMark)
            << start << " " << length << " " << i;
      }
    }
  }
}

class ScrubTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = ::testing::TempDir() + "/famfs-scrub.img";
    ::unlink(path_.c_str());
    ASSERT_TRUE(CreateImage(path_, 64 * kUnit).ok());
    device_ = *OpenImage(path_, Access::kReadWrite);
  }
  void TearDown() override { ::unlink(path_.c_str()); }
  void Fill(Range range) {
    const auto mapping =
        *device_->Map(range.offset, range.length, Access::kReadWrite);
    std::memset(mapping->mutable_data(), 0xa5, range.length);
  }
  [[nodiscard]] std::uint64_t Count(Range range, std::byte value) const {
    const auto mapping =
        *device_->Map(range.offset, range.length, Access::kRead);
    return static_cast<std::uint64_t>(
        std::count(mapping->bytes().begin(), mapping->bytes().end(), value));
  }
  std::string path_;
  std::unique_ptr<DaxDevice> device_;
};

TEST_F(ScrubTest, SeveralThreadsZeroTheRangeAndNothingElse) {
  Fill({0, 16 * kUnit});
  ASSERT_TRUE(
      Scrub(*device_, {kUnit, 13 * kUnit}, {.threads = 4, .chunk = kUnit / 2})
          .ok());
  EXPECT_EQ(Count({kUnit, 13 * kUnit}, std::byte{0}), 13 * kUnit);
  EXPECT_EQ(Count({0, kUnit}, kMark), kUnit);
  EXPECT_EQ(Count({14 * kUnit, 2 * kUnit}, kMark), 2 * kUnit);
}

TEST_F(ScrubTest, WithoutAnotherThreadItDoesAllByItself) {
  Fill({0, 8 * kUnit});
  EXPECT_TRUE(testing::WithoutThreads([this] {
    return Scrub(*device_, {0, 8 * kUnit}, {.threads = 4, .chunk = kUnit}).ok();
  }));
  EXPECT_EQ(Count({0, 8 * kUnit}, std::byte{0}), 8 * kUnit);
}

TEST_F(ScrubTest, HolesStayHoles) {
  Fill({4 * kUnit, kUnit});
  struct stat before {};
  ASSERT_EQ(::stat(path_.c_str(), &before), 0);
  ASSERT_TRUE(Scrub(*device_, {0, 64 * kUnit}).ok());
  struct stat after {};
  ASSERT_EQ(::stat(path_.c_str(), &after), 0);
  EXPECT_EQ(before.st_blocks, after.st_blocks);
  EXPECT_EQ(Count({0, 8 * kUnit}, std::byte{0}), 8 * kUnit);
}

TEST_F(ScrubTest, AStepThatFailsEndsIt) {
  Fill({0, 8 * kUnit});
  std::uint64_t steps = 0;
  const absl::Status status =
      Scrub(*device_, {0, 8 * kUnit},
            {.threads = 1, .chunk = kUnit, .step = [&](std::uint64_t done) {
               EXPECT_EQ(done, steps * kUnit);
               return ++steps == 4 ? Aborted("enough") : absl::OkStatus();
             }});
  EXPECT_TRUE(absl::IsAborted(status));
  EXPECT_EQ(Count({0, 8 * kUnit}, std::byte{0}), 3 * kUnit);
}

}  // namespace
}  // namespace famfs
