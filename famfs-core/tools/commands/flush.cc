// famfs flush: what this host's caches hold of a file goes to memory, and is
// dropped, so that this host sees what others have written back.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "tools/commands/commands.h"
#include "tools/common/instance_file.h"
#include "tools/common/mounted_file.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Examples:
  famfs flush /mnt/pool/data/model.bin          a mounted file
  famfs flush emulated:/dev/shm/pool :data/a :data/b
Run it on the host that wrote, then on the host that reads, where the memory is
not kept coherent between hosts: it writes back the file's cache lines and drops
them. Of a mounted file it also syncs the mount's page cache to the device and
drops it (data path copy).
Exit codes: 0 flushed; 1 a file could not be flushed; 2 a wrong command line, or a
device that could not be opened.)";

struct Options {
  std::vector<std::string> words;  // [DEVICE] FILE...
};

absl::Status FlushOnDevice(Reader& reader, const std::string& path) {
  FAMFS_ASSIGN_OR_RETURN(const InstanceFile file,
                         InstanceFile::Find(*reader.Tree(), path));
  for (const FilePart& part : file.parts) {
    FAMFS_ASSIGN_OR_RETURN(const auto mapping,
                           file.Map(*reader.devices(), part, Access::kRead));
    mapping->WriteBack(0, part.length);
    mapping->Invalidate(0, part.length);
    FAMFS_RETURN_IF_ERROR(mapping->Check());
  }
  return absl::OkStatus();
}

absl::Status FlushMounted(const std::string& path) {
  FAMFS_ASSIGN_OR_RETURN(const auto origin, OriginOf(path));
  if (!origin) {
    return InvalidArgument(
        "{}: does not lie on a famfs mount, so no memory is shared by it; "
        "without a mount: famfs flush DEVICE :PATH",
        path);
  }
  FAMFS_ASSIGN_OR_RETURN(MountedFile file,
                         MountedFile::Open(path, Access::kRead));
  // Through the page cache, where the mount has one; then the lines of what is
  // mapped, which is the device's memory where it has none.
  if (::fsync(file.fd()) != 0) return ErrnoError(errno, path);
  file.Invalidate(0, file.bytes().size());
  FAMFS_RETURN_IF_ERROR(file.Check());
  file.Unmap();  // mapped pages cannot be dropped
  if (const int error = ::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED);
      error != 0) {
    return ErrnoError(error, path);
  }
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> Run(const Options& options) {
  const bool on_device =
      options.words.size() > 1 && options.words[1].starts_with(':');
  std::unique_ptr<Reader> reader;
  if (on_device) {
    FAMFS_ASSIGN_OR_RETURN(reader, OpenReader(options.words[0]));
  }
  ExitCode exit = ExitCode::kOk;
  for (std::size_t i = on_device ? 1 : 0; i < options.words.size(); ++i) {
    const absl::Status flushed = on_device
                                     ? FlushOnDevice(*reader, options.words[i])
                                     : FlushMounted(options.words[i]);
    if (!flushed.ok()) exit = Report(flushed);
  }
  return exit;
}

}  // namespace

void AddFlush(Command& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  Command* command =
      app.add_subcommand("flush", "Write back and drop a file's cache lines");
  command->footer(kExamples);
  command
      ->add_option("FILES", options->words,
                   "Mounted files; or a DEVICE and then paths in the instance, "
                   "each after a colon")
      ->required()
      ->type_name("");
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
