// Mapped memory whose pages are gone: what is left of the work, and of the
// process.
#include "dax/missing_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "base/units.h"
#include "dax/file_mapping.h"
#include "dax/image.h"
#include "dax/scrub.h"
#include "tests/unit/dax/dax_testing.h"

namespace famfs {
namespace {

using testing::AsBytes;
using testing::Holds;
using testing::MountPrivately;
using testing::TextAt;

constexpr std::size_t kPage = 4096;
constexpr std::size_t kSize = 1 << 20;

/// A file in memory, mapped whole.
class Memory {
 public:
  Memory() : fd_(::memfd_create("memory", MFD_CLOEXEC)) {
    EXPECT_EQ(::ftruncate(fd_.get(), kSize), 0);
    void* const base = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE,
                              MAP_SHARED, fd_.get(), 0);
    EXPECT_NE(base, MAP_FAILED);
    base_ = static_cast<std::byte*>(base);
    std::memset(base_, 'm', kSize);
  }
  ~Memory() { ::munmap(base_, kSize); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  void CutOffFrom(std::size_t at) const {
    EXPECT_EQ(::ftruncate(fd_.get(), static_cast<off_t>(at)), 0);
  }
  [[nodiscard]] std::byte* at(std::size_t offset) const {
    return base_ + offset;
  }
  [[nodiscard]] MemorySpan span() const { return {base_, kSize}; }

 private:
  const UniqueFd fd_;
  std::byte* base_ = nullptr;
};

/// As large as a huge page, and aligned as one.
class HugeMemory {
 public:
  static constexpr std::size_t kSize = 2 * kMiB;
  HugeMemory() {
    void* const base = ::mmap(nullptr, 2 * kSize, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(base, MAP_FAILED);
    base_ = static_cast<std::byte*>(base);
  }
  ~HugeMemory() { ::munmap(base_, 2 * kSize); }
  HugeMemory(const HugeMemory&) = delete;
  HugeMemory& operator=(const HugeMemory&) = delete;
  [[nodiscard]] std::byte* at(std::size_t offset) const {
    const auto address = reinterpret_cast<std::uintptr_t>(base_);
    return base_ + (kSize - address % kSize) % kSize + offset;
  }

 private:
  std::byte* base_ = nullptr;
};

char Load(const std::byte* at) {
  return static_cast<char>(*const_cast<const volatile std::byte*>(at));
}
void Store(std::byte* at, char value) {
  *const_cast<volatile std::byte*>(at) = static_cast<std::byte>(value);
}

TEST(Guarded, LeavesTheWorkAtTheFirstMissingByte) {
  const Memory memory;
  int done = 0;
  EXPECT_EQ(Guarded({memory.span()},
                    [&] {
                      Load(memory.at(0));
                      ++done;
                    }),
            nullptr);
  memory.CutOffFrom(kSize / 2);
  const std::byte* const missing = Guarded({memory.span()}, [&] {
    Load(memory.at(kSize / 2 - 1));
    ++done;
    Load(memory.at(kSize / 2 + 5));
    ++done;
  });
  EXPECT_EQ(missing, memory.at(kSize / 2 + 5));
  EXPECT_EQ(done, 2);
}

TEST(Guarded, TheOneWhoseMemoryItIsEnds) {
  const Memory inner;
  const Memory outer;
  outer.CutOffFrom(0);
  bool inner_returned = false;
  const std::byte* const missing = Guarded({outer.span()}, [&] {
    static_cast<void>(Guarded({inner.span()}, [&] { Load(outer.at(kPage)); }));
    inner_returned = true;
  });
  EXPECT_EQ(missing, outer.at(kPage));
  EXPECT_FALSE(inner_returned);
  inner.CutOffFrom(0);
  // And the inner one alone, where it is its own.
  EXPECT_EQ(Guarded({outer.span()},
                    [&] {
                      inner_returned = Guarded({inner.span()}, [&] {
                                         Load(inner.at(1));
                                       }) == inner.at(1);
                    }),
            nullptr);
  EXPECT_TRUE(inner_returned);
}

TEST(WatchedMemory, GivesZerosForWhatIsMissingAndSaysSo) {
  const Memory memory;
  const WatchedMemory watched(memory.at(0), kSize, true, "it");
  EXPECT_EQ(Load(memory.at(7)), 'm');
  EXPECT_FALSE(watched.lost());
  memory.CutOffFrom(kSize / 2);
  EXPECT_EQ(Load(memory.at(kSize / 2 + 7)), '\0');
  EXPECT_TRUE(watched.lost());
  EXPECT_EQ(watched.lost_at(), kSize / 2 + 7);
  // Stores are swallowed page by page; what is there stays there.
  Store(memory.at(kSize - 1), 'x');
  EXPECT_EQ(Load(memory.at(7)), 'm');
  EXPECT_EQ(watched.lost_at(), kSize / 2 + 7);
  EXPECT_EQ(FirstMissingMemory(), "it");
}

TEST(WatchedMemory, AGuardGoesFirst) {
  const Memory memory;
  const WatchedMemory watched(memory.at(0), kSize, true, "it");
  memory.CutOffFrom(0);
  EXPECT_EQ(Guarded({memory.span()}, [&] { Load(memory.at(0)); }),
            memory.at(0));
  EXPECT_FALSE(watched.lost());
}

/// Has the kernel tell this process of a failed page: as it does, by its codes
/// and fields, except that the page is well.
void TellFailure(int code, const std::byte* at, short bits_of_the_page) {
  siginfo_t info{};
  info.si_signo = SIGBUS;
  info.si_code = code;
  info.si_addr = const_cast<std::byte*>(at);
  info.si_addr_lsb = bits_of_the_page;
  const long told =
      ::syscall(SYS_rt_tgsigqueueinfo, ::getpid(), ::gettid(), SIGBUS, &info);
  if (told != 0) ADD_FAILURE() << "no signal was sent";
}

// A failed part of a huge page: the kernel names the part, the touch was
// elsewhere in the page.
TEST(Guarded, AFailedHugePageIsAllOfIt) {
  const HugeMemory memory;
  const MemorySpan touched{memory.at(7 * kPage), kPage};
  const auto fail = [&memory](short bits) {
    TellFailure(BUS_MCEERR_AR, memory.at(100 * kPage + 8), bits);
  };
  EXPECT_EQ(Guarded({touched}, [&] { fail(21); }), touched.data());
  const MemorySpan failed{memory.at(100 * kPage), kPage};
  EXPECT_EQ(Guarded({failed}, [&] { fail(21); }), memory.at(100 * kPage + 8));
  // Of a small page the touch was in that, and of its watcher's.
  const WatchedMemory watched(memory.at(0), HugeMemory::kSize, true, "it");
  EXPECT_EQ(Guarded({touched}, [&] { fail(12); }), nullptr);
  EXPECT_EQ(watched.lost_at(), 100 * kPage + 8);
}

TEST(WatchedMemory, AFailureThatNobodyMetYetIsPassedOver) {
  const Memory memory;
  const WatchedMemory watched(memory.at(0), kSize, true, "it");
  TellFailure(BUS_MCEERR_AO, memory.at(3 * kPage), 12);
  EXPECT_FALSE(watched.lost());
  EXPECT_EQ(Load(memory.at(3 * kPage)), 'm');
  // Also while the memory is guarded: the work goes on.
  bool done = false;
  EXPECT_EQ(Guarded({memory.span()},
                    [&] {
                      TellFailure(BUS_MCEERR_AO, memory.at(0), 12);
                      done = true;
                    }),
            nullptr);
  EXPECT_TRUE(done);
}

// A sanitizer has a handler of its own, which is the one that was to handle it.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr const char* kToldOfABusError = "Sanitizer: BUS";
bool EndedByABusError(int status) {
  return WIFEXITED(status) && WEXITSTATUS(status) != 0;
}
#else
constexpr const char* kToldOfABusError = "";
bool EndedByABusError(int status) {
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS;
}
#endif

TEST(WatchedMemory, AFailureOfOtherMemoryEndsTheProcess) {
  const Memory memory;
  const WatchedMemory watched(memory.at(0), kSize, true, "it");
  static const std::byte elsewhere{};
  EXPECT_EXIT(TellFailure(BUS_MCEERR_AO, &elsewhere, 12), EndedByABusError,
              kToldOfABusError);
}

const std::byte* failed_meanwhile = nullptr;
std::atomic<int> told_meanwhile = 0;

// They come from elsewhere, so also while this thread changes what is watched.
// Only a thread itself may send itself such a signal: it is interrupted to.
TEST(WatchedMemory, FailuresAreToldAtAnyTime) {
  const Memory memory;
  const WatchedMemory watched(memory.at(0), kSize, true, "it");
  failed_meanwhile = memory.at(0);
  struct sigaction interrupt {};
  struct sigaction before {};
  interrupt.sa_handler = [](int) {
    TellFailure(BUS_MCEERR_AO, failed_meanwhile, 12);
    ++told_meanwhile;
  };
  ASSERT_EQ(::sigaction(SIGALRM, &interrupt, &before), 0);
  const itimerval often{.it_interval = {.tv_sec = 0, .tv_usec = 20},
                        .it_value = {.tv_sec = 0, .tv_usec = 20}};
  ASSERT_EQ(::setitimer(ITIMER_REAL, &often, nullptr), 0);
  for (int i = 0; i < 20000 || told_meanwhile < 100; ++i) {
    const WatchedMemory brief(memory.at(kPage), kPage, true, "brief");
  }
  const itimerval never{};
  ASSERT_EQ(::setitimer(ITIMER_REAL, &never, nullptr), 0);
  ASSERT_EQ(::sigaction(SIGALRM, &before, nullptr), 0);
  EXPECT_FALSE(watched.lost());
}

// Where the kernel maps large units only, all of one is replaced.
TEST(WatchedMemory, AUnitIsLostAsAWhole) {
  const Memory memory;
  constexpr std::size_t kUnit = kSize / 4;
  const WatchedMemory watched(memory.at(0), kSize, true, "it", kUnit);
  memory.CutOffFrom(kUnit + kPage);
  EXPECT_EQ(Load(memory.at(2 * kUnit + 5)), '\0');
  EXPECT_EQ(watched.lost_at(), 2 * kUnit + 5);
  Store(memory.at(2 * kUnit + 3 * kPage), 'x');
  EXPECT_EQ(Load(memory.at(2 * kUnit + 3 * kPage)), 'x');
  EXPECT_EQ(Load(memory.at(kUnit)), 'm');  // another unit stays
  EXPECT_EQ(Load(memory.at(kUnit + kPage)), '\0');
  EXPECT_EQ(Load(memory.at(kUnit)), '\0');  // and now this one went
  EXPECT_EQ(Load(memory.at(kUnit - 1)), 'm');
}

TEST(WatchedMemory, ThreadsThatMissTheSamePagesAllGoOn) {
  for (int round = 0; round < 5; ++round) {
    const Memory memory;
    const WatchedMemory watched(memory.at(0), kSize, true, "it");
    memory.CutOffFrom(0);
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&memory] {
        for (std::size_t at = 0; at < kSize; at += kPage) {
          EXPECT_EQ(Load(memory.at(at)), '\0');
        }
      });
    }
    // Others come and go meanwhile.
    for (int i = 0; i < 10; ++i) {
      const Memory other;
      const WatchedMemory brief(other.at(0), kSize, false, "brief");
    }
    threads.clear();
    EXPECT_TRUE(watched.lost());
  }
}

TEST(MissingMemoryDeathTest, AnotherBusErrorEndsTheProcess) {
  const Memory memory;
  memory.CutOffFrom(0);
  const Memory other;
  const WatchedMemory watched(other.at(0), kSize, true, "it");
  EXPECT_DEATH(Store(memory.at(0), 'x'), "");
  EXPECT_DEATH(static_cast<void>(
                   Guarded({other.span()}, [&] { Load(memory.at(kPage)); })),
               "");
  // One that is sent is no page's.
  EXPECT_DEATH(::raise(SIGBUS), "");
}

/// An image of 64 MiB on a file system of 8 MiB.
class FullFileSystem : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "famfs-full-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    const std::string missing = MountPrivately("tmpfs", name, "size=8m");
    if (!missing.empty()) GTEST_SKIP() << missing;
    image_ = directory_ + "/image";
    ASSERT_TRUE(CreateImage(image_, 64 * kMiB).ok());
    auto device = OpenImage(image_, Access::kReadWrite);
    ASSERT_TRUE(device.ok()) << device.status();
    device_ = *std::move(device);
  }
  void TearDown() override {
    device_.reset();
    ::umount2(directory_.c_str(), MNT_DETACH);
    ::rmdir(directory_.c_str());
  }
  void FillUp() const {
    const UniqueFd fd(::open((directory_ + "/filling").c_str(),
                             O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const std::vector<char> bytes(64 << 10, 'f');
    while (::write(fd.get(), bytes.data(), bytes.size()) > 0) {
    }
  }
  std::unique_ptr<Mapping> MapIt(std::uint64_t at = 0) {
    auto mapping = device_->Map(at, kExtentUnit, Access::kReadWrite);
    EXPECT_TRUE(mapping.ok()) << mapping.status();
    return *std::move(mapping);
  }

  std::string directory_;
  std::string image_;
  std::unique_ptr<DaxDevice> device_;
};

TEST_F(FullFileSystem, AMappingThatHasNoRoomIsLostAndSaysWhy) {
  const auto mapping = MapIt();
  mapping->Store(0, AsBytes("there"));
  FillUp();
  mapping->Store(0, AsBytes("There"));
  EXPECT_TRUE(mapping->Check().ok());
  // One store: a copy of fewer bytes may begin with the last ones.
  mapping->Store(5 * kPage, AsBytes("nowhere!"));
  const absl::Status status = mapping->Check();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_NE(Message(status).find(image_ + ": there is no memory for its byte " +
                                 std::to_string(5 * kPage)),
            std::string::npos)
      << status;
}

TEST_F(FullFileSystem, NothingIsStoredAfterWhatWentNowhere) {
  const auto mapping = MapIt();
  mapping->Store(0, AsBytes("before"));
  FillUp();
  mapping->StoreZeros(5 * kPage, 8);
  mapping->Store(0, AsBytes("after!"));
  mapping->Store16(64, 1, 2);
  mapping->ZeroStreaming(0, kPage);
  mapping->WriteBack(0, kExtentUnit);
  EXPECT_EQ(TextAt(*MapIt(), 0, 6), "before");
  EXPECT_EQ(TextAt(*MapIt(), 64, 1), std::string(1, '\0'));
}

TEST_F(FullFileSystem, WhenThereIsRoomAgainAMappingCanBeRenewed) {
  const auto mapping = MapIt();
  const std::byte* const address = mapping->data();
  mapping->Store(0, AsBytes("before"));
  FillUp();
  mapping->Store(5 * kPage, AsBytes("nowhere!"));
  ASSERT_FALSE(mapping->Check().ok());
  std::filesystem::remove(directory_ + "/filling");
  ASSERT_TRUE(mapping->Renew().ok());
  EXPECT_TRUE(mapping->Check().ok());
  mapping->Store(5 * kPage, AsBytes("here now"));
  EXPECT_TRUE(mapping->Check().ok());
  EXPECT_EQ(mapping->data(), address);
  EXPECT_EQ(TextAt(*MapIt(), 0, 6), "before");
  EXPECT_EQ(TextAt(*MapIt(), 5 * kPage, 8), "here now");
}

TEST_F(FullFileSystem, AFileThatWasMadeShorterIsNotRenewed) {
  const auto mapping = MapIt();
  mapping->Store(0, AsBytes("before"));
  ASSERT_EQ(::truncate(image_.c_str(), kPage), 0);
  EXPECT_TRUE(Holds(*mapping, 3 * kPage, kPage, std::byte{0}));
  for (const absl::Status& status : {mapping->Check(), mapping->Renew()}) {
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_NE(Message(status).find("made shorter, to 4096 bytes"),
              std::string::npos)
        << status;
  }
  // Neither is another file of the same name.
  std::filesystem::remove(image_);
  ASSERT_TRUE(CreateImage(image_, 64 * kMiB).ok());
  EXPECT_TRUE(absl::IsDataLoss(mapping->Renew()));
  EXPECT_TRUE(Holds(*mapping, 3 * kPage, kPage, std::byte{0}));
}

TEST_F(FullFileSystem, AScrubTellsWhatItCouldNotZero) {
  MapIt()->Store(0, AsBytes("dirty"));
  ASSERT_EQ(::truncate(image_.c_str(), 4 * kMiB), 0);
  ASSERT_EQ(::truncate(image_.c_str(), 64 * kMiB), 0);
  // The chunk that is zeroed first shortens the file under the rest.
  ScrubOptions options;
  options.threads = 1;
  options.chunk = kExtentUnit;
  const auto pages = device_->Map(0, 4 * kMiB, Access::kReadWrite);
  ASSERT_TRUE(pages.ok());
  (*pages)->StoreZeros(0, 4 * kMiB);
  options.step = [&](std::uint64_t done) {
    EXPECT_TRUE(done == 0 || ::truncate(image_.c_str(), kExtentUnit) == 0);
    return absl::OkStatus();
  };
  const absl::Status status = Scrub(*device_, {0, 4 * kMiB}, options);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
}

}  // namespace
}  // namespace famfs
