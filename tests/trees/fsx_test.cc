// Random operations on files of their own over two mounts, and on one file that
// is handed from mount to mount.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <vector>

#include "tests/integration/support/wait.h"
#include "tests/trees/fsx.h"
#include "tests/trees/hosts.h"

namespace famfs::trees {
namespace {

constexpr std::uint64_t kBatch = 50;  // operations

struct Way {
  const char* name;
  bool emulated;
  const char* data_path;
};

class FsxTest : public ::testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    const std::string why = MissingFor(GetParam().data_path);
    if (!why.empty()) GTEST_SKIP() << why;
    auto pool = Pool::Make({.emulated = GetParam().emulated,
                            .size = 4 * kGiB,
                            .capacity = 512 * kMiB});
    ASSERT_TRUE(pool.ok()) << pool.status();
    pool_ = *std::move(pool);
    ASSERT_TRUE(owner_.Start(*pool_).ok());
    for (const char* const name : {"a", "b"}) {
      hosts_.push_back(
          std::make_unique<Host>(*pool_, name, GetParam().data_path));
      const absl::Status served = hosts_.back()->Serve();
      ASSERT_TRUE(served.ok()) << served;
    }
  }

  /// So long each test runs.
  [[nodiscard]] static rig::Duration Time() {
    return std::chrono::seconds(Told().nightly ? 150 : 8);
  }

  /// What a process of its own does with a file; the count of operations, or
  /// the error on cerr.
  template <typename Body>
  static pid_t Fork(const Body& body) {
    const pid_t child = ::fork();
    if (child == 0) {
      const absl::Status status = body();
      if (!status.ok()) std::cerr << Message(status) << std::endl;
      ::_exit(status.ok() ? 0 : 1);
    }
    return child;
  }

  static void Await(const std::vector<pid_t>& children) {
    for (const pid_t child : children) {
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      EXPECT_EQ(status, 0) << "seed " << Told().seed;
    }
  }

  std::unique_ptr<Pool> pool_;
  OwnerHere owner_;
  std::vector<std::unique_ptr<Host>> hosts_;
};

INSTANTIATE_TEST_SUITE_P(Ways, FsxTest,
                         ::testing::Values(Way{"passthrough", true,
                                               "passthrough"},
                                           Way{"copy", false, "copy"}),
                         [](const auto& way) { return way.param.name; });

TEST_P(FsxTest, FilesHoldWhatWasWritten) {
  std::vector<pid_t> children;
  for (std::uint64_t i = 0; i < 4; ++i) {
    const std::string path = hosts_[i % 2]->Root() + fmt::format("file-{}", i);
    children.push_back(Fork([&]() -> absl::Status {
      const rig::Deadline end(Time());
      Fsx fsx(path, Told().seed + i);
      while (!end.Passed()) {
        if (absl::Status status = fsx.Go(kBatch); !status.ok()) return status;
      }
      std::cout << fmt::format("fsx: {}: {} operations\n", path, fsx.done())
                << std::flush;
      return absl::OkStatus();
    }));
  }
  Await(children);
  EXPECT_TRUE(pool_->Check().ok()) << pool_->Check();
}

TEST_P(FsxTest, AFileIsHandedFromMountToMount) {
  const rig::Deadline end(Time());
  std::uint64_t handed = 0;
  Fsx fsx(hosts_[0]->Root() + "handed", Told().seed + 100);
  while (!end.Passed()) {
    const absl::Status status = fsx.Go(1 + handed % 8);
    ASSERT_TRUE(status.ok()) << Message(status) << "\nseed " << Told().seed;
    fsx.Move(hosts_[++handed % 2]->Root() + "handed");
  }
  std::cout << fmt::format("fsx: handed {} times in {} operations\n", handed,
                           fsx.done());
}

}  // namespace
}  // namespace famfs::trees
