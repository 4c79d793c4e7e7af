// famfs creat: makes a file of zeros, to be filled through a mount, or of a
// stream that famfs verify knows.
#include <atomic>

#include "base/mutex.h"
#include "tools/commands/commands.h"
#include "tools/common/interrupt.h"
#include "tools/common/layout_options.h"
#include "tools/common/parallel.h"
#include "tools/common/progress.h"
#include "tools/common/tree_editor.h"
#include "tools/copy/seeded_stream.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Examples:
  famfs creat emulated:/dev/shm/pool data/buffer --size 1G
  famfs creat emulated:/dev/shm/pool data/test --size 1G --seed 42
  famfs creat image:/tmp/a --device image:/tmp/b wide --size 8G --strips 2
  famfs verify emulated:/dev/shm/pool :data/test --seed 42
The file is made of zeros, or with --seed of a pseudo random stream that can be
verified from any host (SplitMix64; docs/tools.md has the formula). It has its
size for life, as famfs files are allocated once; in a tree volume it may grow. A file with a seed is in the log
when its bytes are there, never before. To make a file with contents of your own
use famfs cp.
Exit codes: 0 made; 1 refused, and nothing is changed; 2 a wrong command line, or
a device that could not be opened.)";

constexpr std::uint64_t kStep = 8ULL << 20;  // bytes

struct Options {
  std::string device;
  std::string path;
  std::optional<std::uint64_t> size;  // bytes
  std::optional<std::uint64_t> seed;
  unsigned threads = 1;
  LayoutOptions layout;
  OwnerOptions owner;
  WriteOptions write;
};

/// Draws how far all threads are together.
class Filling {
 public:
  explicit Filling(std::uint64_t size) : size_(size), bar_("filling") {}

  void Advance(std::uint64_t bytes) {
    const MutexLock lock(mutex_);
    bar_.Update(done_ += bytes, size_);
  }

 private:
  const std::uint64_t size_;
  Mutex mutex_;
  ProgressBar bar_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t done_ ABSL_GUARDED_BY(mutex_) = 0;
};

absl::Status CreateSeeded(Changer& changer, const Options& options,
                          const FileLayout& layout) {
  const std::uint64_t size = options.size.value_or(0);
  FAMFS_ASSIGN_OR_RETURN(const auto file,
                         BeginFileAt(changer, WithoutColon(options.path), size,
                                     options.owner.Resolve(0644), layout));
  Filling filling(size);
  const absl::Status filled = RunParallel(
      options.threads, (size + kStep - 1) / kStep, [&](std::size_t index) {
        FAMFS_RETURN_IF_ERROR(CheckInterrupted());
        FAMFS_RETURN_IF_ERROR(file->CheckStanding());
        const std::uint64_t at = index * kStep;
        const std::uint64_t length = std::min(kStep, size - at);
        // Extents and strips begin at multiples of 8 bytes in the file.
        for (std::uint64_t from = at; from < at + length;) {
          std::span<std::byte> memory = file->At(from);
          memory = memory.first(
              std::min<std::uint64_t>(memory.size(), at + length - from));
          FillSeeded(*options.seed, from, memory);
          from += memory.size();
        }
        // Here, by all threads; Commit would do it alone.
        file->WriteBack(at, length);
        filling.Advance(length);
        return file->Check();
      });
  FAMFS_RETURN_IF_ERROR(filled);
  return file->Commit();
}

absl::StatusOr<ExitCode> Run(const Options& options) {
  const InterruptScope interrupts;
  FAMFS_ASSIGN_OR_RETURN(const FileLayout layout, options.layout.Resolve());
  FAMFS_ASSIGN_OR_RETURN(const auto changer,
                         OpenChanger(options.device, options.write));
  if (options.seed) {
    FAMFS_RETURN_IF_ERROR(CreateSeeded(*changer, options, layout));
    return ExitCode::kOk;
  }
  const std::string path = WithoutColon(options.path);
  const std::uint64_t size = options.size.value_or(0);
  const Ownership owner = options.owner.Resolve(0644);
  if (IsInTree(*changer->Tree(), path)) {
    FAMFS_ASSIGN_OR_RETURN(const auto file,
                           BeginFileAt(*changer, path, size, owner, layout));
    FAMFS_RETURN_IF_ERROR(file->Commit());
  } else {
    FAMFS_ASSIGN_OR_RETURN(Writer* const writer, changer->WriterFor(path));
    FAMFS_RETURN_IF_ERROR(writer->CreateFile(path, size, owner, layout));
  }
  return ExitCode::kOk;
}

}  // namespace

void AddCreat(Command& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  Command* command =
      app.add_subcommand("creat", "Make a file of zeros of a given size");
  command->footer(kExamples);
  AddDevice(command, options->device);
  command->add_option("PATH", options->path, "The new file")
      ->required()
      ->type_name("");
  AddSize(command, "-s,--size", options->size,
          "Size of the file: 4096, 512M...")
      ->required();
  command
      ->add_option("-S,--seed", options->seed,
                   "Fill it with the pseudo random stream of this seed")
      ->type_name("NUMBER");
  AddThreads(command, options->threads);
  AddLayoutOptions(command, options->layout);
  AddOwnerOptions(command, options->owner, "0644");
  AddChangeOptions(command, options->write);
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
