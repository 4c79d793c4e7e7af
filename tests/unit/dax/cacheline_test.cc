#include "dax/cacheline.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/unit/dax/dax_testing.h"

namespace famfs {
namespace {

// The kernel's opinion, which does not come from our CPUID code.
bool KernelLists(const std::string& flag) {
  std::ifstream cpuinfo("/proc/cpuinfo");
  std::string line;
  while (std::getline(cpuinfo, line)) {
    if (line.rfind("flags", 0) != 0) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      if (word == flag) return true;
    }
    return false;
  }
  return false;
}

TEST(CachelineTest, TheBestInstructionOfThisProcessorIsChosen) {
  std::string best = "clflush";
  if (KernelLists("clflushopt")) best = "clflushopt";
  if (KernelLists("clwb")) best = "clwb";
  EXPECT_EQ(WriteBackInstruction(), best);
}

class GuardedPagesTest : public ::testing::Test {
 protected:
  // One page, and inaccessible ones before and behind it: an instruction on a
  // line outside of the range would fault there.
  void SetUp() override {
    page_ = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    void* area = ::mmap(nullptr, 3 * page_, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(area, MAP_FAILED);
    area_ = static_cast<char*>(area);
    middle_ = area_ + page_;
    ASSERT_EQ(::mprotect(middle_, page_, PROT_READ | PROT_WRITE), 0);
    std::fill(middle_, middle_ + page_, 'x');
  }
  void TearDown() override { ::munmap(area_, 3 * page_); }

  std::size_t page_ = 0;
  char* area_ = nullptr;
  char* middle_ = nullptr;
};

TEST_F(GuardedPagesTest, NoLineOutsideOfTheRangeIsTouched) {
  for (const auto& operation : {WriteBackLines, InvalidateLines}) {
    operation(middle_, page_);
    operation(middle_, 1);
    operation(middle_ + page_ - 1, 1);
    operation(middle_ + 63, page_ - 63);
    operation(middle_ + page_ - 65, 65);
    operation(middle_ + page_, 0);
    operation(middle_, 0);
    operation(area_ + 17, 0);
  }
  EXPECT_TRUE(
      std::all_of(middle_, middle_ + page_, [](char c) { return c == 'x'; }));
}

TEST_F(GuardedPagesTest, TheWholeRangeIsTouched) {
  // The guard page proves that the last line is not left out: it faults.
  const auto killed = ::testing::KilledBySignal(SIGSEGV);
  EXPECT_EXIT(
      {
        testing::LetFaultsKill();
        WriteBackLines(middle_ + page_ - 1, 2);
      },
      killed, "");
  EXPECT_EXIT(
      {
        testing::LetFaultsKill();
        InvalidateLines(middle_ - 1, 2);
      },
      killed, "");
}

TEST_F(GuardedPagesTest, ReadOnlyMemoryCanBeWrittenBackAndInvalidated) {
  ASSERT_EQ(::mprotect(middle_, page_, PROT_READ), 0);
  WriteBackLines(middle_, page_);
  InvalidateLines(middle_, page_);
  EXPECT_EQ(middle_[page_ / 2], 'x');
}

}  // namespace
}  // namespace famfs
