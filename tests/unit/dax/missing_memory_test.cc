// Mapped memory whose pages are gone: what is left of the work, and of the
// process.
#include "dax/missing_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
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
