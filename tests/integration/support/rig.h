// What integration tests share: scratch places, mount namespaces, processes,
// waiting for events. Nothing here sleeps: everything waits for an event
// (inotify, pidfd, poll) or asks again at short ppoll intervals until a
// deadline.
//
//   TEST(Plugin, Answers) {
//     rig::TempDir dir;
//     rig::MountNamespace host = rig::MountNamespace::Create().value();
//     auto plugin = rig::Process::Start(
//         {.argv = {rig::Binary("famfs-csi-node"), "--endpoint", ...},
//          .mount_namespace = host.fd()}).value();
//     ASSERT_TRUE(rig::WaitForSocket(dir / "csi.sock", plugin.get()).ok());
//     auto channel = rig::Connect(dir / "csi.sock");         // support/rpc.h
//     host.Run([&] { EXPECT_TRUE(...); });  // in the namespace of the plugin
//   }
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"

namespace famfs::rig {

using Duration = std::chrono::milliseconds;
/// Long enough for a loaded machine: a test that meets it has failed.
inline constexpr Duration kPatience{30'000};

/// The project's program `name`: in $FAMFS_BIN_DIR, else in ../bin beside the
/// running test.
std::string Binary(std::string_view name);

/// Asks until `done` answers true; false after `patience`. For conditions that
/// no descriptor announces.
bool Eventually(const std::function<bool()>& done,
                Duration patience = kPatience);

/// A directory under $TMPDIR (/tmp), removed with all it holds. What is mounted
/// below must be unmounted before (Tmpfs and MountNamespace do so).
class TempDir {
 public:
  explicit TempDir(std::string_view prefix = "famfs-test");
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};
std::string operator/(const TempDir& dir, std::string_view name);

/// A tmpfs with huge=always on a directory of its own: the memory of emulated
/// devices. Namespaces made afterwards see it too. Unmounted lazily at the end.
class Tmpfs {
 public:
  /// `size`: as mount(8) takes it ("2G"); empty: half of the machine.
  explicit Tmpfs(std::string_view size = "");
  ~Tmpfs();
  Tmpfs(const Tmpfs&) = delete;
  Tmpfs& operator=(const Tmpfs&) = delete;
  [[nodiscard]] const std::string& path() const { return dir_.path(); }

 private:
  TempDir dir_;
};
std::string operator/(const Tmpfs& tmpfs, std::string_view name);

void WriteFile(const std::string& path, std::string_view content);
/// Empty when there is none.
std::string ReadWholeFile(const std::string& path);

/// Gives the whole test program a mount namespace of its own, private to it, so
/// that whatever it leaves mounted goes with it. Register it once, in one .cc:
///   const auto* const kIsolation =
///       ::testing::AddGlobalTestEnvironment(new famfs::rig::Isolation);
class Isolation : public ::testing::Environment {
 public:
  void SetUp() override;
};

/// A mount namespace, a private copy of the caller's. Lives as long as this
/// object or a process in it. A node of a cluster, for our purposes.
class MountNamespace {
 public:
  static absl::StatusOr<MountNamespace> Create();
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Runs `body` in the namespace, in a thread of its own, and waits for it.
  /// Assertions of gtest work inside; /proc/self is another thread's view: use
  /// /proc/thread-self. Start no process from within: Process takes fd().
  void Run(const std::function<void()>& body) const;

 private:
  explicit MountNamespace(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

/// A child process in a session of its own; stdout and stderr go to one file.
/// The destructor kills it (SIGKILL) and waits. Children of its own that
/// outlive it are not touched: see SubreapOrphans.
class Process {
 public:
  struct Options {
    std::vector<std::string> argv;           // [0] is a path
    std::vector<std::string> environment{};  // "K=V", added to ours
    int mount_namespace = -1;                // of a MountNamespace
    std::string working_directory{};         // in that namespace; empty: ours
    uid_t uid = 0;             // other than 0: runs as this user and group
    unsigned descriptors = 0;  // other than 0: RLIMIT_NOFILE, soft and hard
  };
  static absl::StatusOr<std::unique_ptr<Process>> Start(Options options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void Signal(int number) const;
  [[nodiscard]] bool Running();
  /// Exit status, or 128 + signal, as a shell tells it. DeadlineExceeded.
  absl::StatusOr<int> Wait(Duration patience = kPatience);
  /// SIGTERM, then Wait.
  absl::StatusOr<int> Stop(Duration patience = kPatience);
  /// SIGKILL, then Wait.
  void Kill();

  [[nodiscard]] std::string output() const;
  /// Until the output holds `text`. Errors show the whole output.
  [[nodiscard]] absl::Status WaitForOutput(std::string_view text,
                                           Duration patience = kPatience);

 private:
  Process(pid_t pid, UniqueFd pidfd, std::unique_ptr<TempDir> dir);
  pid_t pid_;
  UniqueFd pidfd_;
  std::unique_ptr<TempDir> dir_;  // holds `output`
  bool reaped_ = false;
  int status_ = 0;
};

/// Orphaned grandchildren become this process' children, so that a test can
/// wait for them (pidfd, waitpid) instead of leaving them to init.
void SubreapOrphans();
/// Waits until no process has this pid, reaping it if it is ours. False after
/// `patience`.
bool WaitForExit(pid_t pid, Duration patience = kPatience);

/// Stops the process (SIGSTOP) and waits until each of its threads stands
/// still, which a busy machine may take its time for. False after `patience`.
bool StandStill(pid_t pid, Duration patience = kPatience);

/// Until somebody accepts connections on the Unix socket. Ends early, with its
/// output, when `process` (may be null) ends.
[[nodiscard]] absl::Status WaitForSocket(const std::string& path,
                                         Process* process,
                                         Duration patience = kPatience);

}  // namespace famfs::rig
