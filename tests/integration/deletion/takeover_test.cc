// Two writers without a lock: one is stopped at each store and write-back of an
// operation, another one takes the file system over and works, and the first
// one goes on. It acknowledges nothing, and what it overwrote is told.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "base/units.h"
#include "dax/image.h"
#include "instance/check/fsck.h"
#include "instance/check/mkfs.h"
#include "instance/writer/writer.h"
#include "tests/integration/deletion/stopping_device.h"
#include "tests/integration/support/rig.h"

namespace famfs::itest {
namespace {

using ::testing::HasSubstr;

VolumeAttributes Attributes(const std::string& name) {
  VolumeAttributes attributes;
  attributes.name = name;
  attributes.capacity = kAllocUnit;
  return attributes;
}

using Operation = std::function<absl::Status(Writer&)>;

// Exit statuses of the stale writer.
constexpr int kRefused = 0;       // Aborted, as it must be
constexpr int kAcknowledged = 1;  // it said that the operation succeeded
constexpr int kOtherwise = 2;     // another error

/// What the stale writer is at, and what happens while it is stopped.
struct Case {
  const char* operation;
  bool same_host = false;  // the successor is this host's, without its lock
  bool busy = false;       // it deletes, compacts and makes more, too
};

std::string NameOf(const Case& one) {
  return fmt::format("{}{}{}", one.operation, one.same_host ? "SameHost" : "",
                     one.busy ? "BusySuccessor" : "");
}

class TakeoverTest : public ::testing::TestWithParam<Case> {
 protected:
  void MakeImage() {
    path_ = memory_ / "pool.img";
    ::unlink(path_.c_str());
    ASSERT_TRUE(CreateImage(path_, 4 * kGiB).ok());
    MkfsOptions mkfs;
    mkfs.system_uuid = first_;
    mkfs.lock_directory = dir_ / "locks";
    const auto device = *OpenImage(path_, Access::kReadWrite);
    ASSERT_TRUE(Mkfs(*device, mkfs).ok());
    const auto writer =
        OpenWriter(first_, *OpenImage(path_, Access::kReadWrite));
    ASSERT_NE(writer, nullptr);
    ASSERT_TRUE(writer->CreateVolume("v1", Attributes("one"), {}).ok());
    ASSERT_TRUE(writer->CreateVolume("v2", Attributes("two"), {}).ok());
    ASSERT_TRUE(writer->DeleteVolume("v2").ok());
  }
  /// Without a lock, as if the orchestrator had failed.
  static std::unique_ptr<Writer> OpenWriter(const Uuid& host,
                                            std::shared_ptr<DaxDevice> device) {
    auto writer = Writer::Open(
        std::move(device),
        {.system_uuid = host, .lock_directory = "", .take_over = true});
    EXPECT_TRUE(writer.ok()) << writer.status();
    return writer.ok() ? *std::move(writer) : nullptr;
  }
  static Operation OperationNamed(const std::string& name) {
    if (name == "Create") {
      return [](Writer& writer) {
        return writer.CreateVolume("s1", Attributes("stale"), {});
      };
    }
    if (name == "Delete") {
      return [](Writer& writer) { return writer.DeleteVolume("v1"); };
    }
    if (name == "Mkdir") {
      return [](Writer& writer) { return writer.Mkdir("s2", {}); };
    }
    if (name == "Copy") return CopyIn;
    return [](Writer& writer) { return writer.Reclaim(); };
  }

  /// As `famfs cp` does it.
  static absl::Status CopyIn(Writer& writer) {
    FAMFS_ASSIGN_OR_RETURN(const auto file,
                           writer.BeginFile("s3", 3 * kAllocUnit, {}));
    const std::vector<std::byte> bytes(kAllocUnit, std::byte{0x5a});
    for (std::uint64_t at = 0; at < 3 * kAllocUnit; at += kAllocUnit) {
      file->Store(at, bytes);
      file->WriteBack(at, kAllocUnit);
    }
    return file->Commit();
  }
  /// Whether the successor found the operation's entries in the log: then its
  /// writer may say so, even late.
  static bool TookUp(const Writer& successor, const std::string& operation) {
    const Reader::View tree = successor.Tree();
    if (operation == "Create") return tree->volumes().contains("s1");
    if (operation == "Delete") return !tree->volumes().contains("v1");
    if (operation == "Mkdir") return tree->FindPath("s2") != nullptr;
    if (operation == "Copy") return tree->FindPath("s3") != nullptr;
    return false;
  }
  /// What the successor acknowledges while the stale writer is stopped.
  static void Work(Writer& successor, bool busy) {
    ASSERT_TRUE(successor.CreateVolume("n1", Attributes("new"), {}).ok());
    if (!busy) return;
    ASSERT_TRUE(successor.Mkdir("d1", {}).ok());
    ASSERT_TRUE(successor.CreateVolume("n3", Attributes("third"), {}).ok());
    ASSERT_TRUE(successor.DeleteVolume("n3").ok());
    ASSERT_TRUE(successor.Reclaim().ok());
    ASSERT_TRUE(successor.CreateVolume("n4", Attributes("fourth"), {}).ok());
  }

  /// A child that stops before change `step` of the operation. Its pid; 0 when
  /// the operation has fewer.
  pid_t StartStale(const Operation& operation, int step) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(RunStale(operation, step));
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, WUNTRACED), child);
    if (WIFSTOPPED(status)) return child;
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == kAcknowledged)
        << "without a stop it just succeeds";
    return 0;
  }
  int RunStale(const Operation& operation, int step) const {
    Stopper stopper{.armed = false, .left = step};
    auto writer =
        Writer::Open(std::make_shared<StoppingDevice>(
                         *OpenImage(path_, Access::kReadWrite), stopper),
                     {.system_uuid = first_, .lock_directory = ""});
    if (!writer.ok()) return kOtherwise;
    stopper.armed = true;
    const absl::Status status = operation(**writer);
    stopper.armed = false;
    if (status.ok()) return kAcknowledged;
    return absl::IsAborted(status) ? kRefused : kOtherwise;
  }
  static int Resume(pid_t child) {
    ::kill(child, SIGCONT);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  rig::TempDir dir_;
  rig::Tmpfs memory_{"1G"};
  std::string path_;
  const Uuid first_ = Uuid::Random();
  const Uuid second_ = Uuid::Random();
};

TEST_P(TakeoverTest, TheStaleWriterAcknowledgesNothingAndIsToldOf) {
  const auto [name, same_host, busy] = GetParam();
  const Operation operation = OperationNamed(name);
  int stops = 0;
  int told = 0;
  for (int step = 0;; ++step) {
    ASSERT_NO_FATAL_FAILURE(MakeImage());
    const pid_t stale = StartStale(operation, step);
    if (stale == 0) break;
    ++stops;
    // Another host takes over, and acknowledges a volume.
    const auto successor = OpenWriter(same_host ? first_ : second_,
                                      *OpenImage(path_, Access::kReadWrite));
    ASSERT_NE(successor, nullptr) << "step " << step;
    // Only what the successor took up with the log may be acknowledged late.
    const bool published = TookUp(*successor, name);
    ASSERT_NO_FATAL_FAILURE(Work(*successor, busy)) << "step " << step;
    const int result = Resume(stale);
    EXPECT_TRUE(result == kRefused || (published && result == kAcknowledged))
        << "step " << step << ": " << result;
    // Nothing was overwritten, or it is told before anything else is done.
    const absl::Status next =
        successor->CreateVolume("n2", Attributes("next"), {});
    if (next.ok()) {
      const Reader::View tree = successor->Tree();
      EXPECT_TRUE(tree->volumes().contains("n1"));
      EXPECT_EQ(tree->volumes().contains("n4"), busy);
      for (const Finding& finding : Fsck(*successor->device()).findings) {
        ADD_FAILURE() << "step " << step << ": " << finding.ToString();
      }
      continue;
    }
    ++told;
    EXPECT_TRUE(absl::IsAborted(next)) << "step " << step << ": " << next;
    EXPECT_THAT(std::string(Message(next)), HasSubstr("overwritten"));
    EXPECT_THAT(std::string(Message(next)), HasSubstr("famfs fsck"));
  }
  EXPECT_GE(stops, 4);
  EXPECT_GT(told, 0);
  std::cout << NameOf(GetParam()) << ": stopped at " << stops << " steps, "
            << told << " times something was overwritten and told\n";
}

INSTANTIATE_TEST_SUITE_P(
    Operations, TakeoverTest,
    ::testing::Values(Case{"Create"}, Case{"Create", true},
                      Case{"Create", false, true}, Case{"Delete"},
                      Case{"Delete", true}, Case{"Delete", false, true},
                      Case{"Mkdir"}, Case{"Mkdir", false, true}, Case{"Copy"},
                      Case{"Copy", false, true}, Case{"Reclaim"},
                      Case{"Reclaim", true}, Case{"Reclaim", false, true}),
    [](const auto& one) { return NameOf(one.param); });

TEST_F(TakeoverTest, TheSuperblockNamesTheNewOwner) {
  ASSERT_NO_FATAL_FAILURE(MakeImage());
  {
    const auto refused =
        Writer::Open(*OpenImage(path_, Access::kReadWrite),
                     {.system_uuid = second_, .lock_directory = ""});
    EXPECT_TRUE(absl::IsPermissionDenied(refused.status()));
  }
  OpenWriter(second_, *OpenImage(path_, Access::kReadWrite)).reset();
  const auto former =
      Writer::Open(*OpenImage(path_, Access::kReadWrite),
                   {.system_uuid = first_, .lock_directory = ""});
  EXPECT_TRUE(absl::IsPermissionDenied(former.status())) << former.status();
  EXPECT_TRUE(Fsck(**OpenImage(path_, Access::kRead)).findings.empty());
}

TEST_F(TakeoverTest, ACrashWithinAChangeOfTheOwnerIsCompleted) {
  ASSERT_NO_FATAL_FAILURE(MakeImage());
  for (int step = 0;; ++step) {
    const Uuid next = Uuid::Random();
    const pid_t child = ::fork();
    if (child == 0) {
      Stopper stopper{.armed = true, .left = step};
      const auto writer = Writer::Open(
          std::make_shared<StoppingDevice>(
              *OpenImage(path_, Access::kReadWrite), stopper),
          {.system_uuid = next, .lock_directory = "", .take_over = true});
      ::_exit(writer.ok() ? kAcknowledged : kOtherwise);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
    if (!WIFSTOPPED(status)) {
      EXPECT_EQ(WEXITSTATUS(status), kAcknowledged);
      break;
    }
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    const auto again = OpenWriter(next, *OpenImage(path_, Access::kReadWrite));
    ASSERT_NE(again, nullptr) << "step " << step;
    EXPECT_TRUE(again->Tree()->volumes().contains("v1"));
    EXPECT_EQ(again->superblock().system_uuid, next);
  }
}

TEST_F(TakeoverTest, WhatALostEpochPromisedIsFreeWhenItsHostIsEvicted) {
  ASSERT_NO_FATAL_FAILURE(MakeImage());
  const pid_t child = ::fork();
  if (child == 0) {
    const auto writer =
        OpenWriter(first_, *OpenImage(path_, Access::kReadWrite));
    const auto file = writer->BeginFile("copy", 8 * kMiB, {});
    std::raise(file.ok() ? SIGSTOP : SIGABRT);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
  ASSERT_TRUE(WIFSTOPPED(status));
  const auto successor =
      OpenWriter(second_, *OpenImage(path_, Access::kReadWrite));
  ASSERT_NE(successor, nullptr);
  const PoolFigures before = successor->Figures();
  EXPECT_EQ(before.quarantined, 8 * kMiB);
  const auto reader = Reader::Open(successor->device());
  EXPECT_EQ((*reader)->Space().figures.quarantined, 8 * kMiB);
  ASSERT_TRUE(successor->EvictHost(first_).ok());
  EXPECT_EQ(successor->Figures().quarantined, 0U);
  EXPECT_EQ(successor->Figures().free, before.free + 8 * kMiB);
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, &status, 0), child);
}

}  // namespace
}  // namespace famfs::itest
