// famfs cp: contents into an instance and out of it, without a mount.
//
// In: the file is in the log when its bytes are on the medium, never before.
// Out: the file has its name when it is whole.
#include <cstring>
#include <filesystem>

#include "tools/commands.h"
#include "tools/local_file.h"
#include "tools/progress.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExamples = R"(
Into an instance:  famfs cp DEVICE SOURCE... :DEST
Out of it:         famfs cp DEVICE :SOURCE... DEST
A path with a colon before it lies in the instance; others are local files (a
local name that begins with a colon: write ./:NAME). One side is in the instance
and the other local.

Examples:
  famfs cp emulated:/dev/shm/pool model.bin :data/model.bin     into it
  famfs cp emulated:/dev/shm/pool a.bin b.bin :data             several
  famfs cp emulated:/dev/shm/pool :data/model.bin copy.bin      out of it
  famfs cp emulated:/dev/shm/pool :data/model.bin .

A DEST that is a directory takes the sources under their own names. famfs files
are made once: a PATH that is used already is refused. Copying out needs no
ownership and works beside a writer.)";

constexpr std::uint64_t kStep = 4ULL << 20;  // bytes between two reports

struct Options {
  std::string device;
  std::vector<std::string> paths;  // sources, then the destination
  bool force = false;
  OwnerOptions owner;
  WriteOptions write;
};

bool InInstance(const std::string& path) { return path.starts_with(':'); }

/// Where `source` goes: `target` itself, or its name below it.
std::string Below(const std::string& target, bool is_directory,
                  const std::string& source) {
  if (!is_directory) return target;
  const std::string name = fs::path(source).filename().string();
  return target.empty() ? name : target + "/" + name;
}

// ---- into the instance

absl::Status CopyIn(Writer& writer, const LocalSource& source,
                    const std::string& path, const OwnerOptions& owner,
                    const std::function<void(std::uint64_t)>& advance) {
  FAMFS_ASSIGN_OR_RETURN(
      const auto file,
      writer.BeginFile(path, source.size(), owner.Resolve(source.mode())));
  Mapping& mapping = file->mapping();
  for (std::uint64_t at = 0; at < source.size();) {
    const std::uint64_t step = std::min(kStep, source.size() - at);
    FAMFS_RETURN_IF_ERROR(source.Read(at, {mapping.mutable_data() + at, step}));
    mapping.WriteBack(at, step);
    at += step;
    advance(step);
  }
  return file->Commit();
}

absl::StatusOr<ExitCode> RunIn(const Options& options) {
  const std::vector<std::string> names(options.paths.begin(),
                                       options.paths.end() - 1);
  const std::string& given = options.paths.back();
  const std::string target = InstancePath(given.substr(1));
  // Every source is opened before anything is written.
  std::vector<LocalSource> sources;
  std::uint64_t total = 0;
  for (const std::string& name : names) {
    FAMFS_ASSIGN_OR_RETURN(LocalSource source, LocalSource::Open(name));
    total += source.size();
    sources.push_back(std::move(source));
  }
  FAMFS_ASSIGN_OR_RETURN(const auto writer,
                         OpenWriter(options.device, options.write));
  bool is_directory = false;
  {
    const auto tree = writer->Tree();
    const Node* const node = tree->FindPath(target);
    is_directory = node != nullptr && node->is_directory;
  }
  if (!is_directory && (names.size() > 1 || given.ends_with('/'))) {
    return NotFound(
        "{}: is no directory of the instance; make it with famfs "
        "mkdir",
        Printable(given));
  }
  ProgressBar bar("copying in");
  std::uint64_t done = 0;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const std::string path = Below(target, is_directory, names[i]);
    FAMFS_RETURN_IF_ERROR(CopyIn(*writer, sources[i], path, options.owner,
                                 [&](std::uint64_t step) {
                                   done += step;
                                   bar.Update(done, total);
                                 }));
  }
  return ExitCode::kOk;
}

// ---- out of the instance

/// What is copied out, taken from the tree so that no lock is held meanwhile.
struct InstanceFile {
  std::string path;
  std::uint64_t size = 0;  // bytes
  std::uint32_t mode = 0;
  std::vector<Location> pieces;  // in the file's order
};

absl::StatusOr<InstanceFile> FindFile(const Namespace& tree,
                                      const std::string& given) {
  InstanceFile file;
  file.path = InstancePath(given.substr(1));
  const Node* const node = tree.FindPath(file.path);
  if (node == nullptr) {
    return NotFound("{}: is not in the instance; famfs ls -R shows what is",
                    Printable(given));
  }
  if (node->is_directory) {
    return InvalidArgument("{}: is a directory; name the files in it",
                           Printable(given));
  }
  file.size = node->size;
  file.mode = node->owner.mode;
  for (std::uint64_t at = 0; at < node->size;) {
    file.pieces.push_back(Locate(*node, at));
    at += file.pieces.back().length;
  }
  return file;
}

absl::Status CopyOut(DaxDevice& device, const InstanceFile& file,
                     const std::string& to, bool force,
                     const std::function<void(std::uint64_t)>& advance) {
  FAMFS_ASSIGN_OR_RETURN(LocalTarget target, LocalTarget::Create(to, force));
  std::uint64_t left = file.size;
  for (const Location& piece : file.pieces) {
    if (piece.device_index != 0) {
      return Unimplemented(
          "{}: lies on device {} of the instance; only the primary can be read",
          Printable(file.path), piece.device_index);
    }
    const std::uint64_t length = std::min(piece.length, left);
    FAMFS_ASSIGN_OR_RETURN(
        const auto mapping,
        device.Map(piece.device_offset, length, Access::kRead));
    for (std::uint64_t at = 0; at < length;) {
      const std::uint64_t step = std::min(kStep, length - at);
      mapping->Invalidate(at, step);
      FAMFS_RETURN_IF_ERROR(target.Append(mapping->bytes().subspan(at, step)));
      at += step;
      advance(step);
    }
    left -= length;
  }
  return target.Finish(file.mode);
}

absl::StatusOr<ExitCode> RunOut(const Options& options) {
  const std::string& target = options.paths.back();
  const bool is_directory = fs::is_directory(target);
  if (!is_directory && (options.paths.size() > 2 || target.ends_with('/'))) {
    return NotFound("{}: is no directory", target);
  }
  FAMFS_ASSIGN_OR_RETURN(const auto reader, OpenReader(options.device));
  std::vector<InstanceFile> files;
  std::uint64_t total = 0;
  {
    const auto tree = reader->Tree();
    for (std::size_t i = 0; i + 1 < options.paths.size(); ++i) {
      FAMFS_ASSIGN_OR_RETURN(InstanceFile file,
                             FindFile(*tree, options.paths[i]));
      total += file.size;
      files.push_back(std::move(file));
    }
  }
  ProgressBar bar("copying out");
  std::uint64_t done = 0;
  for (const InstanceFile& file : files) {
    FAMFS_RETURN_IF_ERROR(CopyOut(*reader->device(), file,
                                  Below(target, is_directory, file.path),
                                  options.force, [&](std::uint64_t step) {
                                    done += step;
                                    bar.Update(done, total);
                                  }));
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Run(const Options& options) {
  if (options.paths.size() < 2) {
    return AsUsage(InvalidArgument("cp needs a source and a destination"));
  }
  const bool into = InInstance(options.paths.back());
  for (std::size_t i = 0; i + 1 < options.paths.size(); ++i) {
    if (InInstance(options.paths[i]) == into) {
      return AsUsage(InvalidArgument(
          "\"{}\" and \"{}\" are both {}; a colon before a path says that it "
          "lies in the instance, and exactly one side does",
          options.paths[i], options.paths.back(),
          into ? "in the instance" : "local"));
    }
  }
  return into ? RunIn(options) : RunOut(options);
}

}  // namespace

void AddCp(CLI::App& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "cp", "Copy local files into an instance, or out of it");
  command->footer(kExamples);
  AddDevice(command, options->device);
  command
      ->add_option("PATHS", options->paths,
                   "Sources, then the destination; a colon marks those in the "
                   "instance")
      ->required()
      ->type_name("");
  command->add_flag("-f,--force", options->force,
                    "Replace a local file that is there (copying out)");
  AddOwnerOptions(command, options->owner, "the source's");
  AddWriteOptions(command, options->write);
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
