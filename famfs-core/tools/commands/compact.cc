// famfs compact: drops dead entries from the log and frees what they held.
#include <nlohmann/json.hpp>

#include "base/mutex.h"
#include "base/thread.h"
#include "base/units.h"
#include "tools/commands/commands.h"
#include "tools/common/progress.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Example:
  famfs compact emulated:/dev/shm/pool
Writers do it by themselves when room is short; this does it now. On devices that
hosts share, the space of deleted volumes that every host has let go of is zeroed
first; what a host may still have mapped stays pending (famfs df, famfs hosts).
Readers and mounts follow without a pause. Interrupted, it is begun again.
Exit codes: 0 done, also when there was nothing to drop; 1 refused, and nothing is
changed; 2 a wrong command line, or a device that could not be opened.)";

struct Options {
  std::string device;
  bool json = false;
  WriteOptions write;
};

/// Draws how far the scrub is, while it lives.
class ScrubBar {
 public:
  explicit ScrubBar(const Writer& writer)
      : thread_(1, [this, &writer] { Draw(writer); }) {}
  ~ScrubBar() {
    {
      const MutexLock lock(mutex_);
      ended_ = true;
    }
    end_.NotifyAll();
  }
  ScrubBar(const ScrubBar&) = delete;
  ScrubBar& operator=(const ScrubBar&) = delete;

 private:
  void Draw(const Writer& writer) {
    ProgressBar bar("zeroing");
    const MutexLock lock(mutex_);
    for (;;) {
      const auto next =
          std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
      while (!ended_ && end_.WaitUntil(mutex_, next)) {
      }
      if (ended_) return;
      const Writer::Scrubbing scrub = writer.ScrubProgress();
      if (scrub.total > 0) bar.Update(scrub.done, scrub.total);
    }
  }

  Mutex mutex_;
  CondVar end_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  // Last: it uses what stands above. Without a thread there is no bar.
  const Helpers thread_;
};

absl::StatusOr<ExitCode> Run(const Options& options) {
  // Before the writer opens: its opening may compact already.
  FAMFS_ASSIGN_OR_RETURN(const auto reader, OpenReader(options.device));
  const PoolFigures before = reader->Figures();
  FAMFS_ASSIGN_OR_RETURN(const auto writer,
                         OpenWriter(options.device, options.write));
  {
    const ScrubBar bar(*writer);
    FAMFS_RETURN_IF_ERROR(writer->Reclaim());
  }
  FAMFS_RETURN_IF_ERROR(reader->Refresh().status());
  const PoolFigures after = reader->Figures();
  if (options.json) {
    PrintJson({{"device", JsonText(reader->device()->spec())},
               {"entries_before", before.entries},
               {"entries", after.entries},
               {"slots", after.slots},
               {"free_before", before.free},
               {"free", after.free},
               {"pending", after.pending}});
    return ExitCode::kOk;
  }
  fmt::print(
      "{}: {} entries before, {} now, of {}\n"
      "  {} free before, {} now; {} of deleted volumes pending\n",
      reader->device()->spec(), before.entries, after.entries, after.slots,
      FormatSize(before.free), FormatSize(after.free),
      FormatSize(after.pending));
  return ExitCode::kOk;
}

}  // namespace

void AddCompact(Command& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  Command* command = app.add_subcommand(
      "compact", "Drop dead entries, and free what they held");
  command->footer(kExamples);
  AddDevice(command, options->device);
  command->add_flag("--json", options->json, "Answer in JSON");
  AddWriteOptions(command, options->write);
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
