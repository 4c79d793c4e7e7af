// famfs verify: whether a file holds the stream that famfs creat --seed made.
#include <nlohmann/json.hpp>

#include "base/mutex.h"
#include "base/text.h"
#include "tools/commands/commands.h"
#include "tools/common/instance_file.h"
#include "tools/common/mounted_file.h"
#include "tools/common/parallel.h"
#include "tools/common/progress.h"
#include "tools/copy/seeded_stream.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Examples:
  famfs verify emulated:/dev/shm/pool :data/test --seed 42   on the device
  famfs verify /mnt/pool/data/test --seed 42                 through its mapping
Every byte is compared with the stream of famfs creat --seed. Cache lines are
invalidated first, so what another host wrote back is seen.
Exit codes: 0 all bytes are right; 1 some is not (the first is told), the file
cannot be read, or something is damaged (--salvage); 2 a wrong command line, or a device that could not be opened.)";

struct Options {
  std::vector<std::string> words;  // [DEVICE] FILE
  std::uint64_t seed = 0;
  unsigned threads = 1;
  bool salvage = false;
  bool json = false;
};

/// The first wrong byte of all parts, found by several threads.
class Verdict {
 public:
  Verdict(std::string name, std::uint64_t seed, std::uint64_t size)
      : name_(std::move(name)), seed_(seed), size_(size), bar_("verifying") {}

  void Check(std::uint64_t at, std::span<const std::byte> bytes) {
    const auto difference = FirstDifference(seed_, at, bytes);
    const MutexLock lock(mutex_);
    bar_.Update(done_ += bytes.size(), size_);
    if (!difference || (wrong_ && *wrong_ < at + *difference)) return;
    wrong_ = at + *difference;
    found_ = bytes[*difference];
  }

  [[nodiscard]] ExitCode Tell(bool json) const {
    const MutexLock lock(mutex_);
    if (json) {
      Json shown;
      PutText(shown, "file", name_);
      shown["size"] = size_;
      shown["seed"] = seed_;
      shown["ok"] = !wrong_;
      shown["first_difference"] = wrong_ ? Json(*wrong_) : Json(nullptr);
      PrintJson(shown);
    } else if (wrong_) {
      fmt::print(
          "{}: differs from seed {} at byte {} ({:#x}): {:#04x} is there, "
          "{:#04x} belongs there\n",
          Printable(name_), seed_, *wrong_, *wrong_,
          static_cast<unsigned>(found_),
          static_cast<unsigned>(SeededByte(seed_, *wrong_)));
    } else {
      fmt::print("{}: {} bytes are the stream of seed {}\n", Printable(name_),
                 size_, seed_);
    }
    return wrong_ ? ExitCode::kProblems : ExitCode::kOk;
  }

 private:
  const std::string name_;
  const std::uint64_t seed_;
  const std::uint64_t size_;
  mutable Mutex mutex_;
  ProgressBar bar_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t done_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<std::uint64_t> wrong_ ABSL_GUARDED_BY(mutex_);
  std::byte found_ ABSL_GUARDED_BY(mutex_){};
};

absl::StatusOr<ExitCode> VerifyOnDevice(const Options& options) {
  FAMFS_ASSIGN_OR_RETURN(const auto reader,
                         OpenReader(options.words[0], options.salvage));
  FAMFS_ASSIGN_OR_RETURN(const InstanceFile file,
                         InstanceFile::Find(*reader->Tree(), options.words[1]));
  Verdict verdict(file.path, options.seed, file.size);
  FAMFS_RETURN_IF_ERROR(RunParallel(
      options.threads, file.parts.size(), [&](std::size_t i) -> absl::Status {
        const FilePart& part = file.parts[i];
        FAMFS_ASSIGN_OR_RETURN(
            const auto mapping,
            file.Map(*reader->devices(), part, Access::kRead));
        mapping->Invalidate(0, part.length);
        verdict.Check(part.at, mapping->bytes());
        return mapping->Check();
      }));
  FAMFS_RETURN_IF_ERROR(file.CheckStillThere(*reader));
  const ExitCode whole = WholeOrDamaged(*reader);
  const ExitCode right = verdict.Tell(options.json);
  return whole == ExitCode::kOk ? right : whole;
}

absl::StatusOr<ExitCode> VerifyMounted(const Options& options) {
  FAMFS_ASSIGN_OR_RETURN(const MountedFile file,
                         MountedFile::Open(options.words[0], Access::kRead));
  const std::uint64_t size = file.bytes().size();
  constexpr std::uint64_t kStep = InstanceFile::kMaxPart;
  Verdict verdict(file.path(), options.seed, size);
  FAMFS_RETURN_IF_ERROR(RunParallel(
      options.threads, (size + kStep - 1) / kStep, [&](std::size_t i) {
        const std::uint64_t at = i * kStep;
        const auto bytes = file.bytes().subspan(at, std::min(kStep, size - at));
        file.Invalidate(at, bytes.size());
        verdict.Check(at, bytes);
        return file.Check();
      }));
  return verdict.Tell(options.json);
}

absl::StatusOr<ExitCode> Run(const Options& options) {
  return options.words.size() == 2 ? VerifyOnDevice(options)
                                   : VerifyMounted(options);
}

}  // namespace

void AddVerify(Command& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  Command* command = app.add_subcommand(
      "verify", "Check that a file holds what creat --seed wrote");
  command->footer(kExamples);
  command
      ->add_option(
          "FILE", options->words,
          "A mounted file; or a DEVICE and then a path in the instance")
      ->required()
      ->expected(1, 2)
      ->type_name("");
  command->add_option("-S,--seed", options->seed, "The seed it was made with")
      ->required()
      ->type_name("NUMBER");
  AddThreads(command, options->threads);
  AddSalvage(command, options->salvage);
  command->add_flag("--json", options->json, "Answer in JSON");
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
