// Processes on two hosts that want the same names at the same moment: one gets
// each, and everybody sees whose it is.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <new>

#include "tests/integration/support/wait.h"
#include "tests/trees/hosts.h"
#include "tests/trees/options.h"

namespace famfs::trees {
namespace {

constexpr std::size_t kRacers = 8;  // four on each host
constexpr std::size_t kNames = 16;  // of a round

enum class Kind { kOpen, kMkdir, kSymlink, kRename };
constexpr std::array kKinds = {Kind::kOpen, Kind::kMkdir, Kind::kSymlink,
                               Kind::kRename};

/// What all racers share, in memory of their own.
struct Course {
  pthread_barrier_t barrier{};
  std::atomic<bool> over = false;
  std::atomic<bool> failed = false;  // besides what is judged
  // Of each racer and name, the errno; and what it saw afterwards.
  std::array<std::array<int, kNames>, kRacers> errors{};
  std::array<std::array<bool, kNames>, kRacers> seen{};

  Course() {
    pthread_barrierattr_t attributes;
    ::pthread_barrierattr_init(&attributes);
    ::pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    ::pthread_barrier_init(&barrier, &attributes, kRacers + 1);
  }
  void Meet() { ::pthread_barrier_wait(&barrier); }
};

std::string NameOf(std::size_t name) { return fmt::format("n{}", name); }
std::string SourceOf(std::size_t racer, std::size_t name) {
  return fmt::format("source-{}-{}", racer, name);
}

class Racer {
 public:
  Racer(Course& course, std::size_t number, std::string root)
      : course_(course), number_(number), root_(std::move(root)) {}

  /// Until the course is over.
  void Run() {
    for (std::uint64_t round = 0;; ++round) {
      const Kind kind = kKinds[round % kKinds.size()];
      if (kind == Kind::kRename) MakeSources();
      course_.Meet();  // the names are free
      if (course_.over) return;
      for (std::size_t i = 0; i < kNames; ++i) {
        // Half of them from the other end, so that all meet somewhere.
        const std::size_t name = number_ % 4 < 2 ? i : kNames - 1 - i;
        course_.errors[number_][name] = Try(kind, name);
      }
      course_.Meet();  // all have tried
      for (std::size_t name = 0; name < kNames; ++name) {
        struct stat info = {};
        course_.seen[number_][name] =
            ::lstat((root_ + NameOf(name)).c_str(), &info) == 0;
      }
      course_.Meet();  // all have looked
      for (std::size_t name = 0; name < kNames; ++name) {
        if (course_.errors[number_][name] == 0) CleanUp(kind, name);
      }
      course_.Meet();  // the judge has looked, too
    }
  }

 private:
  void MakeSources() const {
    for (std::size_t name = 0; name < kNames; ++name) {
      const int fd = ::open((root_ + SourceOf(number_, name)).c_str(),
                            O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
      if (fd < 0 || ::close(fd) != 0) Fail("a source");
    }
  }

  [[nodiscard]] int Try(Kind kind, std::size_t name) const {
    const std::string path = root_ + NameOf(name);
    int result = -1;
    switch (kind) {
      case Kind::kOpen:
        result =
            ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (result >= 0) ::close(result);
        break;
      case Kind::kMkdir:
        result = ::mkdir(path.c_str(), 0755);
        break;
      case Kind::kSymlink:
        result = ::symlink(std::to_string(number_).c_str(), path.c_str());
        break;
      case Kind::kRename:
        result =
            ::renameat2(AT_FDCWD, (root_ + SourceOf(number_, name)).c_str(),
                        AT_FDCWD, path.c_str(), RENAME_NOREPLACE);
        break;
    }
    return result < 0 ? errno : 0;
  }

  void CleanUp(Kind kind, std::size_t name) const {
    const std::string path = root_ + NameOf(name);
    const int done =
        kind == Kind::kMkdir ? ::rmdir(path.c_str()) : ::unlink(path.c_str());
    if (done != 0) Fail("the removal of what was won");
  }

  /// It goes on, so that nobody waits for it.
  void Fail(const char* what) const {
    std::perror(what);
    course_.failed = true;
  }

  Course& course_;
  const std::size_t number_;
  const std::string root_;
};

class RaceTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string path = GetParam();
    if (const std::string why = MissingFor(path); !why.empty()) {
      GTEST_SKIP() << why;
    }
    auto pool = Pool::Make({.emulated = path == "passthrough",
                            .size = 4 * kGiB,
                            .capacity = 1 * kGiB});
    ASSERT_TRUE(pool.ok()) << pool.status();
    pool_ = *std::move(pool);
    ASSERT_TRUE(owner_.Start(*pool_).ok());
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
      hosts_[i] = std::make_unique<Host>(*pool_, i == 0 ? "a" : "b", path);
      const absl::Status served = hosts_[i]->Serve();
      ASSERT_TRUE(served.ok()) << served;
    }
    void* const shared = ::mmap(nullptr, sizeof(Course), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(shared, MAP_FAILED);
    course_ = new (shared) Course();
  }
  void TearDown() override {
    if (course_ != nullptr) ::munmap(course_, sizeof(Course));
  }

  void StartRacers() {
    for (std::size_t i = 0; i < kRacers; ++i) {
      racers_[i] = ::fork();
      if (racers_[i] == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        Racer(*course_, i, hosts_[i % hosts_.size()]->Root()).Run();
        ::_exit(0);
      }
    }
  }

  /// Whether each name has one winner, whom all see.
  void Judge() {
    EXPECT_FALSE(course_->failed);
    for (std::size_t name = 0; name < kNames; ++name) {
      std::size_t winners = 0;
      for (std::size_t racer = 0; racer < kRacers; ++racer) {
        const int error = course_->errors[racer][name];
        winners += error == 0 ? 1 : 0;
        EXPECT_TRUE(error == 0 || error == EEXIST) << strerrorname_np(error);
        EXPECT_TRUE(course_->seen[racer][name]) << "racer " << racer;
      }
      EXPECT_EQ(winners, 1U) << NameOf(name);
      ++races_;
    }
  }

  std::unique_ptr<Pool> pool_;
  OwnerHere owner_;
  std::array<std::unique_ptr<Host>, 2> hosts_;
  Course* course_ = nullptr;
  std::array<pid_t, kRacers> racers_{};
  std::uint64_t races_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Paths, RaceTest,
                         ::testing::Values("passthrough", "copy"),
                         [](const auto& path) { return path.param; });

TEST_P(RaceTest, OneWinsEachName) {
  const rig::Deadline end(std::chrono::seconds(Told().nightly ? 3600 : 8));
  const std::uint64_t enough = Told().nightly ? 50'000 : ~std::uint64_t{0};
  StartRacers();
  for (;;) {
    course_->over = end.Passed() || races_ >= enough || HasFailure();
    course_->Meet();
    if (course_->over) break;
    course_->Meet();
    course_->Meet();
    Judge();
    course_->Meet();
  }
  for (const pid_t racer : racers_) {
    int status = 0;
    ASSERT_EQ(::waitpid(racer, &status, 0), racer);
    EXPECT_EQ(status, 0);
  }
  if (Told().nightly) {
    EXPECT_GE(races_, enough);
  }
  std::cout << fmt::format("races: {}: {} names, {} racers on two hosts\n",
                           GetParam(), races_, kRacers);
}

}  // namespace
}  // namespace famfs::trees
