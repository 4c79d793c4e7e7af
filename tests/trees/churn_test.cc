// Files come, are written over, renamed and removed, and a database does
// transactions, for as long as it takes to fill the volume several times: its
// room comes back, and nothing gets slower.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <iostream>
#include <vector>

#include "tests/integration/support/wait.h"
#include "tests/trees/hosts.h"
#include "tests/trees/options.h"

namespace famfs::trees {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kParts = 10;  // of the time
constexpr std::uint64_t kMostFiles = 60;
constexpr std::uint64_t kMostLength = 6 << 20;  // bytes
constexpr double kStillAsFast = 0.8;

/// A program on the volume that does transactions until its input ends.
class Transactions {
 public:
  Transactions(const std::string& database, std::uint64_t seed) {
    std::array<int, 2> input{};
    std::array<int, 2> output{};
    if (::pipe2(input.data(), O_CLOEXEC) != 0 ||
        ::pipe2(output.data(), O_CLOEXEC) != 0) {
      return;
    }
    input_ = UniqueFd(input[1]);
    output_ = UniqueFd(output[0]);
    const UniqueFd his_input(input[0]);
    const UniqueFd his_output(output[1]);
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(his_input.get(), 0);
      ::dup2(his_output.get(), 1);
      ::execlp("python3", "python3", FAMFS_TRANSACTIONS, database.c_str(),
               std::to_string(seed).c_str(), nullptr);
      ::_exit(127);
    }
  }
  ~Transactions() { End(); }
  Transactions(const Transactions&) = delete;
  Transactions& operator=(const Transactions&) = delete;

  /// How many there were; -1: the database is not what it should be.
  long End() {
    if (child_ <= 0) return -1;
    input_.reset();
    std::array<char, 32> text{};
    [[maybe_unused]] const ssize_t got =
        ::read(output_.get(), text.data(), text.size() - 1);
    int status = 0;
    ::waitpid(child_, &status, 0);
    child_ = -1;
    return status == 0 ? std::atol(text.data()) : -1;
  }

 private:
  UniqueFd input_;
  UniqueFd output_;
  pid_t child_ = -1;
};

/// Random files of a directory.
class Churn {
 public:
  Churn(std::string root, std::uint64_t seed)
      : root_(std::move(root)), random_(seed), bytes_(kMostLength, 'c') {}

  /// One change; 0 or the errno.
  int Step() {
    const std::string path = Path(Between(random_, 0, kMostFiles - 1));
    switch (Between(random_, 0, 5)) {
      case 0:
      case 1:
        return Write(path, O_CREAT | O_TRUNC);
      case 2:
        return Write(path, O_CREAT);
      case 3: {
        const std::string temporary = root_ + "temporary";
        const int error = Write(temporary, O_CREAT);
        return error != 0 ? error
                          : Done(::rename(temporary.c_str(), path.c_str()));
      }
      case 4:
        return Done(::unlink(path.c_str()), ENOENT);
      default:
        return Done(::rename(path.c_str(),
                             Path(Between(random_, 0, kMostFiles - 1)).c_str()),
                    ENOENT);
    }
  }
  [[nodiscard]] std::uint64_t written() const { return written_; }

 private:
  std::string Path(std::uint64_t number) const {
    return root_ + std::to_string(number);
  }
  static int Done(int result, int also = 0) {
    return result == 0 || errno == also ? 0 : errno;
  }
  int Write(const std::string& path, int flags) {
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC | flags, 0644));
    if (!fd.valid()) return errno;
    // Most files are small.
    const std::uint64_t most =
        Between(random_, 0, 3) == 0 ? kMostLength : 65536;
    const std::uint64_t length = Between(random_, 1, most);
    const ssize_t stored = ::write(fd.get(), bytes_.data(), length);
    if (stored != static_cast<ssize_t>(length)) return stored < 0 ? errno : EIO;
    written_ += length;
    return Between(random_, 0, 3) == 0 ? Done(::fsync(fd.get())) : 0;
  }

  const std::string root_;
  Random random_;
  const std::string bytes_;
  std::uint64_t written_ = 0;
};

class ChurnTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string why = MissingFor("copy");
    if (!why.empty()) GTEST_SKIP() << why;
    auto pool =
        Pool::Make({.emulated = false, .size = 4 * kGiB, .capacity = 1 * kGiB});
    ASSERT_TRUE(pool.ok()) << pool.status();
    pool_ = *std::move(pool);
    controller_ = std::make_unique<Controller>(*pool_);
    absl::Status status = controller_->Start();
    ASSERT_TRUE(status.ok()) << status;
    host_ = std::make_unique<Host>(*pool_, "a", "copy");
    status = host_->Serve();
    ASSERT_TRUE(status.ok()) << status;
    // It is registered, and never opens the volume.
    silent_ = std::make_unique<Host>(*pool_, "silent", "copy");
    status = silent_->Serve();
    ASSERT_TRUE(status.ok()) << status;
  }

  std::unique_ptr<Pool> pool_;
  std::unique_ptr<Controller> controller_;
  std::unique_ptr<Host> host_;
  std::unique_ptr<Host> silent_;
};

TEST_F(ChurnTest, RoomComesBackAndNothingGetsSlower) {
  const std::chrono::milliseconds part(Told().nightly ? 30'000 : 1'500);
  Transactions transactions(host_->Root() + "database", Told().seed);
  Churn churn(host_->Root(), Told().seed);
  std::array<std::uint64_t, kParts> changes{};
  Clock::duration longest{0};
  for (std::size_t i = 0; i < kParts; ++i) {
    const Clock::time_point end = Clock::now() + part;
    for (Clock::time_point now = Clock::now(); now < end;) {
      const int error = churn.Step();
      ASSERT_EQ(error, 0) << std::strerror(error) << " in part " << i
                          << ", change " << changes[i] << ", seed "
                          << Told().seed << "\n"
                          << controller_->Log();
      ++changes[i];
      const Clock::time_point then = Clock::now();
      longest = std::max(longest, then - now);
      now = then;
    }
  }
  const long count = transactions.End();
  EXPECT_GT(count, 0) << "the database is not as it should be";
  std::string rates;
  for (const std::uint64_t one : changes) rates += fmt::format(" {}", one);
  std::cout << fmt::format(
      "churn: seed {}: changes in each tenth{}; {:.1f} GiB written, {} "
      "transactions, the longest change took {:.2f} s\n",
      Told().seed, rates,
      static_cast<double>(churn.written()) / static_cast<double>(kGiB), count,
      std::chrono::duration<double>(longest).count());
  // Other programs of the machine make a short run's figures a matter of luck.
  if (Told().nightly) {
    EXPECT_GE(static_cast<double>(changes[kParts - 1]),
              kStillAsFast * static_cast<double>(changes[0]));
  }
  EXPECT_TRUE(host_->Stop().ok());
  EXPECT_TRUE(silent_->Stop().ok());
  EXPECT_TRUE(controller_->Stop().ok());
  EXPECT_TRUE(pool_->Check().ok()) << pool_->Check();
}

}  // namespace
}  // namespace famfs::trees
