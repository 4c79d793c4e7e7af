#include "tests/crash/fixture.h"

#include <spdlog/spdlog.h>
#include <stdlib.h>

#include <filesystem>

namespace famfs::crash {

bool IsNightly() { return ::getenv("FAMFS_NIGHTLY") != nullptr; }

void CrashTest::SetUp() {
  spdlog::set_level(spdlog::level::off);
  std::string name = ::testing::TempDir() + "/famfs-crash-XXXXXX";
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  locks_ = name;
}

void CrashTest::TearDown() {
  std::filesystem::remove_all(locks_);
  spdlog::set_level(spdlog::level::info);
}

void CrashTest::MakeMedia(bool has_extent_files) {
  live_ = std::make_unique<Medium>(has_extent_files);
  crashed_ = std::make_unique<Medium>(has_extent_files);
}

Base CrashTest::MakeBase(bool used) {
  Base base;
  for (Medium* medium : {live_.get(), crashed_.get()}) {
    History history(*medium, Locks("live"));
    history.Mkfs();
    if (used) {
      history.AppendSuperseded();
      history.Open();
      history.CreateVolume(2);
      history.CreateVolume(1);
      history.CreateVolume(1);
      history.Do(Op::kCreateFile);
      history.Do(Op::kDelete);
    }
    base = {history.state(), history.names()};
  }
  return base;
}

void CrashTest::RunBaseScenario(History& history) {
  history.Mkfs();
  history.AppendSuperseded();
  history.Open();
  history.Do(Op::kRegister);
  history.CreateVolume(2);
  history.Do(Op::kMkdir);
  history.Do(Op::kCreateFile);
  history.Do(Op::kCommit);
  history.CreateVolume(1);
  history.Do(Op::kHold);  // the first one, which goes next
  history.Do(Op::kDelete);
  history.Do(Op::kAddDevice);
  history.Do(Op::kCompact);
  history.CreateVolume(1);
  history.Do(Op::kReclaim);  // nothing: the host has it open
  history.Do(Op::kHold);     // no longer
  history.Do(Op::kAcknowledge);
  history.Do(Op::kReclaim);
  history.CreateVolume(2);  // in its space, which is known to be zero
  history.Do(Op::kCreateSpread);
  history.Do(Op::kHold);  // three volumes, that one too
  history.Do(Op::kHold);
  history.Do(Op::kHold);
  history.Do(Op::kDelete);
  history.Do(Op::kDelete);
  history.Do(Op::kCompact);
  history.Do(Op::kReclaim);  // the reading host has not let go
  history.Do(Op::kEvict);
  history.Do(Op::kDelete);
  history.Do(Op::kReopen);  // on an emulated device this compacts, too
  history.Do(Op::kReclaim);
  history.Do(Op::kGiveUp);  // in space that is known to be zero
  history.Do(Op::kDelete);  // what lies on both devices
  history.CreateVolume(1);
  history.Do(Op::kTakeOver);
  history.CreateVolume(1);
  history.Do(Op::kCreateSpread);
  history.Mkfs(/*force=*/true);
  history.Open();
  history.Do(Op::kAddDevice);  // by force: it was the former instance's
  history.CreateVolume(3);
  history.Do(Op::kCreateSpread);
}

Base CrashTest::MakeTreeBase() {
  History history(*live_, Locks("live"));
  history.Mkfs();
  history.Open();
  for (const Op op :
       {Op::kTreeVolume, Op::kTreeDirectory, Op::kTreeFile, Op::kTreeFile,
        Op::kTreeFile, Op::kTreeLink, Op::kTreeExtend, Op::kTreeExtend,
        Op::kTreeExtend, Op::kTreeStore, Op::kTreeSettle, Op::kTreeSettle,
        Op::kTreeCut}) {
    history.Do(op);
  }
  history.Close();
  // Ids are random: the other medium gets the same ones.
  CrashSite site(*crashed_);
  for (const Event& event : history.events()) site.Advance(event);
  site.EvictAll();
  return {history.state(), history.names()};
}

void CrashTest::RunTreeScenario(History& history) {
  history.Mkfs();
  history.Open();
  constexpr Op kOps[] = {
      Op::kRegister,      Op::kTreeVolume,   Op::kTreeDirectory,
      Op::kTreeFile,      Op::kTreeExtend,   Op::kTreeStore,
      Op::kTreeSettle,    Op::kTreeLink,     Op::kTreeFile,
      Op::kTreeExtend,    Op::kTreeExtend,   Op::kTreeStore,
      Op::kTreeRename,    Op::kTreeReplace,  // pieces that a host has open
      Op::kTreeGrow,      Op::kTreeGrow,     Op::kTreeStore,
      Op::kTreeSettle,    Op::kTreeCut,      Op::kTreeCut,
      Op::kTreeGrow,      Op::kTreeExchange, Op::kTreeAttributes,
      Op::kTreeMode,
      Op::kCompact,  // with dead pieces, which the host has not let go of
      Op::kReclaim,  // nothing
      Op::kTreeFile,      Op::kTreeExtend,   Op::kTreeRemove,
      Op::kTreeRemove,
      Op::kHold,  // no longer
      Op::kAcknowledge,   Op::kReclaim,      Op::kTreeFile,
      Op::kTreeExtend,  // in space that is known to be zero
      Op::kTreeStore,     Op::kTreeRemove,   Op::kTreeRemove,
      Op::kTreeRemove,    Op::kTreeRemove,  // what is not zero any more, too
      Op::kTreeFile,      Op::kTreeExtend,   Op::kTreeStore,
      Op::kTreeSettle,    Op::kTreeCut,
      Op::kReopen,  // on an emulated device this compacts, too
      Op::kTreeDirectory, Op::kTreeRename,   Op::kTreeFile,
      Op::kTreeExtend,    Op::kTakeOver,     Op::kTreeStore,
      Op::kTreeRemove,    Op::kTreeVolume,   Op::kTreeDelete,
      Op::kTreeFile,      Op::kTreeExtend,   Op::kCompact,
      Op::kEvict,         Op::kReclaim,      Op::kCreateVolume,
      Op::kTreeDelete};
  for (const Op op : kOps) history.Do(op);
}

ExplorerOptions CrashTest::Options() const {
  return {.lock_directory = Locks("judge"), .subsets = IsNightly() ? 16U : 2U};
}

std::string CrashTest::First(const std::vector<std::string>& problems) {
  std::string text = std::to_string(problems.size()) + " problems\n";
  for (std::size_t i = 0; i < problems.size() && i < 10; ++i) {
    text += problems[i] + "\n";
  }
  return text;
}

}  // namespace famfs::crash
