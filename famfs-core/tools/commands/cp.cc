// famfs cp: contents into an instance and out of it, without a mount.
//
// In: a file is in the log when its bytes are on the medium, never before.
// Out: a file has its name when it is whole.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "tools/commands/commands.h"
#include "tools/common/interrupt.h"
#include "tools/common/layout_options.h"
#include "tools/common/parallel.h"
#include "tools/common/tree_editor.h"
#include "tools/copy/copy_files.h"
#include "tools/copy/copy_plan.h"
#include "tools/copy/copy_words.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExamples = R"(
Into an instance:  famfs cp DEVICE SOURCE... :DEST
Out of it:         famfs cp DEVICE :SOURCE... DEST
A path with a colon before it lies in the instance; others are local files (a
local name that begins with a colon: write ./:NAME). One side is in the instance
and the other local. SOURCE... DEVICE:DEST and DEVICE:SOURCE... DEST are understood,
too.

Examples:
  famfs cp emulated:/dev/shm/pool model.bin :data/model.bin     into it
  famfs cp emulated:/dev/shm/pool a.bin b.bin :data             several
  famfs cp emulated:/dev/shm/pool -r models :models             a directory
  famfs cp emulated:/dev/shm/pool -r models/ :data              what it holds
  famfs cp emulated:/dev/shm/pool :data/model.bin copy.bin      out of it
  famfs cp emulated:/dev/shm/pool -r :models .
  famfs cp -r models emulated:/dev/shm/pool:datasets            a tree volume

A DEST that is a directory takes the sources under their own names. famfs files
are made once: a PATH that is used already is refused. Copying out needs no
ownership and works beside a writer; so does copying into a tree volume beside a
CSI controller, which is asked for it. In a tree volume a file has its name when it is
whole; what a killed copy left there is called .famfs-part.UUID (famfs rm).

-r: a directory goes to DEST itself when DEST is not there or has the directory's
own name, else below DEST under its own name; SOURCE/ (with a slash) always means
what it holds, to DEST itself. Run again after an interruption, the copy goes on:
files that are there, alike (--compare says how that is decided), are skipped, and
an interrupted file was never there. One that differs is an error; the others are
copied. Special files in a directory and, outside of tree volumes, symbolic links and
empty files cannot be in an instance: they are told and left out (exit code 1). In
a tree volume, and out of one, symbolic links are copied as links.

Of a damaged instance:  famfs cp DEVICE -r --salvage : DIR
copies what is whole. A directory whose own entry is damaged is there all the
same, with owner 0 and mode 0700.

Exit codes: 0 all is there; 1 something was refused, left out or damaged; 2 a
wrong command line, or a device that could not be opened.)";

struct Options {
  std::vector<std::string> words;  // as given
  CopyWords what;                  // as understood
  bool force = false;
  bool recursive = false;
  bool go_on = false;
  bool dereference = false;
  bool salvage = false;
  bool json = false;
  Compare compare = Compare::kSample;
  unsigned threads = 1;
  LayoutOptions layout;
  OwnerOptions owner;
  WriteOptions write;

  [[nodiscard]] PlanOptions plan() const {
    return {.recursive = recursive, .dereference = dereference};
  }
  [[nodiscard]] CopyChoices choices() const {
    return {
        .skip_alike = recursive || go_on, .compare = compare, .replace = force};
  }
};

/// `damage`: what a salvaging copy could not read; null: of no such copy.
ExitCode Tell(const CopyPlan& plan, const CopyResult& result,
              const Options& options, const Json& damage = nullptr) {
  for (const absl::Status& problem : result.problems) Report(problem);
  for (const std::string& sentence : plan.left_out) {
    std::fputs(fmt::format("famfs: left out: {}\n", sentence).c_str(), stderr);
  }
  if (options.json) {
    Json json = {{"copied", result.copied},
                 {"copied_bytes", result.copied_bytes},
                 {"skipped", result.skipped},
                 {"failed", result.problems.size()},
                 {"not_begun", result.not_begun},
                 {"directories", plan.directories.size()},
                 {"left_out", Json::array()},
                 {"problems", Json::array()}};
    for (const std::string& sentence : plan.left_out) {
      json["left_out"].push_back(JsonText(sentence));
    }
    for (const absl::Status& problem : result.problems) {
      json["problems"].push_back(JsonText(Message(problem)));
    }
    if (!damage.is_null()) json["damage"] = damage;
    PrintJson(json);
  } else if (options.recursive || options.go_on) {
    fmt::print(
        "{} files copied ({}), {} were there already, {} failed, {} not begun, "
        "{} left out\n",
        result.copied, FormatSize(result.copied_bytes), result.skipped,
        result.problems.size(), result.not_begun, plan.left_out.size());
  }
  const bool whole = result.problems.empty() && plan.left_out.empty() &&
                     (damage.is_null() || damage.empty());
  return whole ? ExitCode::kOk : ExitCode::kProblems;
}

void CountLink(bool there, const absl::Status& made, CopyResult& result) {
  if (!made.ok()) {
    result.problems.push_back(made);
  } else {
    ++(there ? result.skipped : result.copied);
  }
}

// ---- into the instance

absl::Status MakeDirectories(Changer& changer, const CopyPlan& plan,
                             const OwnerOptions& owner) {
  OwnerOptions own = owner;
  own.mode.reset();  // --mode is the files'
  for (const PlannedDirectory& directory : plan.directories) {
    {
      const auto tree = changer.Tree();
      const Node* const node = tree->FindPath(directory.to);
      if (node != nullptr && node->is_directory) continue;
    }
    FAMFS_RETURN_IF_ERROR(
        MkdirAt(changer, directory.to, own.Resolve(directory.mode)));
  }
  return absl::OkStatus();
}

/// In tree volumes; the plan has links nowhere else.
void MakeLinks(Changer& changer, const CopyPlan& plan,
               const OwnerOptions& owner, CopyResult& result) {
  TreeEditor editor(changer);
  for (const PlannedLink& link : plan.links) {
    bool there = false;
    {
      const auto tree = changer.Tree();
      const Node* const node = tree->FindPath(link.to);
      there = node != nullptr && node->is_symlink() &&
              node->tree->record.target == link.target;
    }
    absl::Status made;
    if (!there) made = editor.Symlink(link.to, link.target, owner.Resolve(0));
    CountLink(there, made, result);
  }
}

absl::StatusOr<ExitCode> RunIn(const Options& options) {
  CopyChoices choices = options.choices();
  FAMFS_ASSIGN_OR_RETURN(choices.layout, options.layout.Resolve());
  FAMFS_ASSIGN_OR_RETURN(const auto changer,
                         OpenChanger(options.what.device, options.write));
  const Destination destination{
      .kind =
          [&](const std::string& path) {
            const auto tree = changer->Tree();
            const Node* const node = tree->FindPath(path);
            if (node == nullptr) return PathKind::kMissing;
            return node->is_directory ? PathKind::kDirectory : PathKind::kFile;
          },
      .in_tree =
          [&](const std::string& path) {
            return IsInTree(*changer->Tree(), path);
          },
      .make = "famfs mkdir"};
  FAMFS_ASSIGN_OR_RETURN(const CopyPlan plan,
                         PlanIn(options.what.sources, options.what.target,
                                destination, options.plan()));
  FAMFS_RETURN_IF_ERROR(MakeDirectories(*changer, plan, options.owner));
  std::vector<std::unique_ptr<FileCopy>> copies;
  copies.reserve(plan.files.size());
  for (const PlannedFile& file : plan.files) {
    copies.push_back(NewCopyIn(*changer, file.from, file.size, file.to,
                               options.owner.Resolve(file.mode), choices));
  }
  CopyResult result =
      RunCopies(std::move(copies), options.threads, "copying in");
  MakeLinks(*changer, plan, options.owner, result);
  return Tell(plan, result, options);
}

// ---- out of the instance

PathKind LocalKind(const std::string& path) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  if (!fs::exists(status)) return PathKind::kMissing;
  return fs::is_directory(status) ? PathKind::kDirectory : PathKind::kFile;
}

/// Local directories of a copy; what they may do is set when all is in them.
class LocalDirectories {
 public:
  absl::Status Make(const CopyPlan& plan) {
    for (const PlannedDirectory& directory : plan.directories) {
      if (::mkdir(directory.to.c_str(), directory.mode | S_IRWXU) == 0) {
        made_.push_back(&directory);
      } else if (errno != EEXIST ||
                 LocalKind(directory.to) != PathKind::kDirectory) {
        return ErrnoError(errno, directory.to);
      }
    }
    return absl::OkStatus();
  }
  absl::Status SetModes() const {
    for (auto i = made_.rbegin(); i != made_.rend(); ++i) {
      if (::chmod((*i)->to.c_str(), (*i)->mode) != 0) {
        return ErrnoError(errno, (*i)->to);
      }
    }
    return absl::OkStatus();
  }

 private:
  std::vector<const PlannedDirectory*> made_;
};

/// Last of all, so that no file is written through one.
void MakeLocalLinks(const CopyPlan& plan, bool replace, CopyResult& result) {
  for (const PlannedLink& link : plan.links) {
    std::error_code error;
    const bool is_link = fs::is_symlink(fs::symlink_status(link.to, error));
    const bool there =
        is_link && fs::read_symlink(link.to, error) == link.target;
    absl::Status made;
    if (!there) {
      if (is_link && replace) ::unlink(link.to.c_str());
      if (::symlink(link.target.c_str(), link.to.c_str()) != 0) {
        made = ErrnoError(errno, fmt::format("symbolic link {}", link.to));
      }
    }
    CountLink(there, made, result);
  }
}

absl::StatusOr<ExitCode> RunOut(const Options& options) {
  FAMFS_ASSIGN_OR_RETURN(const auto reader,
                         OpenReader(options.what.device, options.salvage));
  const Destination destination{.kind = LocalKind, .make = "mkdir"};
  FAMFS_ASSIGN_OR_RETURN(
      const CopyPlan plan,
      PlanOut(*reader->Tree(), options.what.sources, options.what.target,
              destination, options.plan()));
  LocalDirectories directories;
  FAMFS_RETURN_IF_ERROR(directories.Make(plan));
  std::vector<std::unique_ptr<FileCopy>> copies;
  copies.reserve(plan.files.size());
  for (const PlannedFile& file : plan.files) {
    copies.push_back(
        NewCopyOut(*reader, file.file, file.to, options.choices()));
  }
  CopyResult result =
      RunCopies(std::move(copies), options.threads, "copying out");
  MakeLocalLinks(plan, options.force, result);
  FAMFS_RETURN_IF_ERROR(directories.SetModes());
  return Tell(plan, result, options,
              options.salvage ? DamageJson(*reader) : Json(nullptr));
}

absl::StatusOr<ExitCode> Run(const Options& given) {
  Options options = given;
  auto what = ReadCopyWords(options.words);
  if (!what.ok()) return AsUsage(what.status());
  options.what = *std::move(what);
  if (options.what.into && options.salvage) {
    return AsUsage(InvalidArgument(
        "--salvage is for copies out of an instance; nothing is written to a "
        "damaged one"));
  }
  const InterruptScope interrupts;
  return options.what.into ? RunIn(options) : RunOut(options);
}

void AddHow(Command* command, Options& options) {
  static const std::map<std::string, Compare> kCompare = {
      {"full", Compare::kFull},
      {"sample", Compare::kSample},
      {"size", Compare::kSize}};
  command->add_flag("-r,--recursive", options.recursive,
                    "Copy directories with what they hold");
  command->add_flag("-c,--continue", options.go_on,
                    "Skip files that are there, alike; -r does so always");
  command
      ->add_option_function(
          "--compare",
          [&options](const std::string& text) {
            options.compare = kCompare.at(text);
            return absl::OkStatus();
          },
          "How a file that is there is compared: its size and 64 pages spread "
          "over it (sample), every byte (full), or the size alone. Default: "
          "sample")
      ->one_of({"sample", "full", "size"})
      ->type_name("HOW");
  command->add_flag("-L,--dereference", options.dereference,
                    "Follow symbolic links in directories (copying in)");
  AddThreads(command, options.threads);
  command->add_flag("-f,--force", options.force,
                    "Replace a local file that is there (copying out)");
  AddSalvage(command, options.salvage);
  command->add_flag("--json", options.json, "Tell the outcome in JSON");
}

}  // namespace

void AddCp(Command& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  Command* command = app.add_subcommand(
      "cp", "Copy local files into an instance, or out of it");
  command->footer(kExamples);
  command
      ->add_option("WORDS", options->words,
                   "A device, sources, then the destination; a colon marks "
                   "those in the instance")
      ->required()
      ->type_name("");
  AddHow(command, *options);
  AddLayoutOptions(command, options->layout);
  AddOwnerOptions(command, options->owner, "the source's");
  AddChangeOptions(command, options->write);
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
