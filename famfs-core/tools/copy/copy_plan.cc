#include "tools/copy/copy_plan.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <utility>

#include "base/new_file.h"
#include "base/text.h"
#include "media/rules.h"
#include "tools/common/local_file.h"
#include "tools/common/tree.h"

namespace famfs {
namespace {

namespace fs = std::filesystem;

/// In a tree volume; as long as a path of the kernel's. Ends a link that names
/// a directory above itself.
constexpr std::size_t kMaxPath = 4096;

std::string Join(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : directory + "/" + name;
}

std::string WithoutSlashes(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

/// A source as it was given: "dir/", "." and ".." mean what the directory
/// holds, and so does the root of an instance.
struct Source {
  std::string name;  // last component; empty: its contents are meant
  bool is_directory = false;
  std::vector<std::string> top{};  // names in it, of a directory

  static Source Of(const std::string& given, bool is_directory) {
    Source source{.name = fs::path(given).filename().string(),
                  .is_directory = is_directory};
    if (source.name == "." || source.name == "..") source.name.clear();
    return source;
  }
};

/// Decides where each source goes; the same for both directions.
class Placer {
 public:
  Placer(const std::string& given, std::string target, bool many,
         const Destination& destination)
      : given_(given),
        target_(std::move(target)),
        slash_(given.empty() || given.ends_with('/')),
        many_(many),
        destination_(destination),
        kind_(destination.kind(target_)) {}

  absl::StatusOr<std::string> PlaceOf(const Source& source) const {
    if (kind_ != PathKind::kDirectory && (many_ || slash_)) {
      return NotFound("{}: is no directory; make it with {}", Printable(given_),
                      destination_.make);
    }
    if (!source.is_directory) {
      return kind_ == PathKind::kDirectory ? Join(target_, source.name)
                                           : target_;
    }
    if (kind_ == PathKind::kFile) {
      return InvalidArgument("{}: is a file, and cannot take a directory",
                             Printable(given_));
    }
    if (source.name.empty() || kind_ == PathKind::kMissing) return target_;
    return PlaceBeside(source);
  }

 private:
  /// A directory for a directory that is there: below it, as cp(1) does. But a
  /// copy that is run again must find what its first run made.
  absl::StatusOr<std::string> PlaceBeside(const Source& source) const {
    const std::string below = Join(target_, source.name);
    if (slash_ || many_ || destination_.kind(below) == PathKind::kDirectory) {
      return below;
    }
    if (fs::path(target_).filename() == source.name) return target_;
    for (const std::string& name : source.top) {
      if (destination_.kind(Join(target_, name)) == PathKind::kMissing) {
        continue;
      }
      return FailedPrecondition(
          "{} holds {} already: to go on with a copy into it write the source "
          "with a slash at its end ({}/); to put a new copy below it write the "
          "destination so ({}/)",
          Printable(given_), Printable(name), Printable(source.name),
          Printable(given_));
    }
    return below;
  }

  const std::string given_;
  const std::string target_;
  const bool slash_;
  const bool many_;
  const Destination& destination_;
  const PathKind kind_;
};

absl::Status CheckUnique(const CopyPlan& plan) {
  std::set<std::string> seen;
  const auto check = [&seen](const std::string& to) {
    if (seen.insert(to).second) return absl::OkStatus();
    return InvalidArgument("{}: two sources would go there", Printable(to));
  };
  for (const PlannedFile& file : plan.files) {
    FAMFS_RETURN_IF_ERROR(check(file.to));
  }
  for (const PlannedLink& link : plan.links) {
    FAMFS_RETURN_IF_ERROR(check(link.to));
  }
  return absl::OkStatus();
}

/// Told all at once, so that nobody mends a tree path by path.
absl::Status CheckPaths(const CopyPlan& plan, const Destination& destination) {
  std::string told;
  std::size_t bad = 0;
  const auto check = [&](const std::string& path) {
    // What a tree volume does not take it says itself.
    if (destination.TakesAnything(path)) return;
    const absl::Status status = CheckPath(path);
    if (status.ok()) return;
    if (++bad <= 10) told += fmt::format("\n  {}", Message(status));
  };
  for (const PlannedDirectory& directory : plan.directories) {
    if (!directory.to.empty()) check(directory.to);
  }
  for (const PlannedFile& file : plan.files) check(file.to);
  if (bad == 0) return absl::OkStatus();
  return InvalidArgument(
      "{} path{} cannot be in an instance, so nothing is copied:{}{}", bad,
      bad == 1 ? "" : "s", told, bad > 10 ? "\n  ..." : "");
}

/// Walks local directories into the plan.
class LocalWalk {
 public:
  LocalWalk(const PlanOptions& options, const Destination& destination,
            CopyPlan& plan)
      : options_(options), destination_(destination), plan_(plan) {}

  absl::Status Directory(const std::string& from, const std::string& to,
                         std::uint32_t mode) {
    plan_.directories.push_back({.to = to, .mode = mode});
    FAMFS_ASSIGN_OR_RETURN(const auto names, NamesIn(from));
    for (const std::string& name : names) {
      FAMFS_RETURN_IF_ERROR(Entry(from + "/" + name, Join(to, name)));
    }
    return absl::OkStatus();
  }

  static absl::StatusOr<std::vector<std::string>> NamesIn(
      const std::string& directory) {
    std::error_code error;
    std::vector<std::string> names;
    for (fs::directory_iterator i(directory, error), end; !error && i != end;
         i.increment(error)) {
      names.push_back(i->path().filename().string());
    }
    if (error) return ErrnoError(error.value(), directory);
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  absl::Status Entry(const std::string& from, const std::string& to) {
    struct stat info {};
    if (::lstat(from.c_str(), &info) != 0) return ErrnoError(errno, from);
    if (S_ISLNK(info.st_mode)) {
      if (!options_.dereference && destination_.TakesAnything(to)) {
        return Link(from, to);
      }
      if (!options_.dereference) {
        LeaveOut(from, "a symbolic link (-L copies what it names)");
        return absl::OkStatus();
      }
      if (::stat(from.c_str(), &info) != 0) {
        LeaveOut(from, "a symbolic link to nothing");
        return absl::OkStatus();
      }
    }
    const std::uint32_t mode = info.st_mode & 0777;
    if (S_ISDIR(info.st_mode)) {
      // Also ends a link that names a directory above itself.
      const bool in_tree = destination_.TakesAnything(to);
      if (to.size() > (in_tree ? kMaxPath : kMaxPathLength)) {
        plan_.directories.push_back({.to = to, .mode = mode});
        return absl::OkStatus();
      }
      return Directory(from, to, mode);
    }
    if (!S_ISREG(info.st_mode)) {
      LeaveOut(from, "no regular file");
    } else if (IsPartName(fs::path(from).filename().string())) {
      LeaveOut(from, "an unfinished copy");
    } else if (info.st_size == 0 && !destination_.TakesAnything(to)) {
      LeaveOut(from,
               "empty, and outside of tree volumes there are no files of 0 "
               "bytes");
    } else {
      plan_.files.push_back({.from = from,
                             .to = to,
                             .size = static_cast<std::uint64_t>(info.st_size),
                             .mode = mode});
    }
    return absl::OkStatus();
  }

  absl::Status Link(const std::string& from, const std::string& to) {
    std::error_code error;
    const fs::path target = fs::read_symlink(from, error);
    if (error) return ErrnoError(error.value(), from);
    plan_.links.push_back({.to = to, .target = target.string()});
    return absl::OkStatus();
  }

  void LeaveOut(const std::string& from, const char* why) {
    plan_.left_out.push_back(fmt::format("{}: is {}", Printable(from), why));
  }

  const PlanOptions& options_;
  const Destination& destination_;
  CopyPlan& plan_;
};

/// What lies at and below a directory. Not deeper than a local path can be.
void WalkInstance(const Namespace& tree, const Node& top,
                  const std::string& place, CopyPlan& plan) {
  std::vector<std::pair<const Node*, std::string>> next = {{&top, place}};
  while (!next.empty()) {
    const auto [node, to] = std::move(next.back());
    next.pop_back();
    if (to.size() >= kMaxPath) {
      plan.left_out.push_back(
          fmt::format("{}: its local path would be longer than {} bytes",
                      Printable(tree.PathOf(*node)), kMaxPath));
    } else if (node->is_directory) {
      plan.directories.push_back({.to = to, .mode = node->owner.mode & 0777});
      const std::vector<const Node*> below = tree.SortedChildren(*node);
      for (auto child = below.rbegin(); child != below.rend(); ++child) {
        if ((*child)->is_meta) continue;
        next.emplace_back(*child, Join(to, std::string((*child)->name)));
      }
    } else if (node->is_symlink()) {
      plan.links.push_back({.to = to, .target = node->tree->record.target});
    } else {
      plan.files.push_back({.from = "",
                            .file = InstanceFile::Of(tree, *node),
                            .to = to,
                            .size = node->size,
                            .mode = node->owner.mode & 0777});
    }
  }
}

}  // namespace

absl::StatusOr<CopyPlan> PlanIn(const std::vector<std::string>& sources,
                                const std::string& target,
                                const Destination& destination,
                                const PlanOptions& options) {
  const Placer placer(target, InstancePath(target), sources.size() > 1,
                      destination);
  CopyPlan plan;
  for (const std::string& given : sources) {
    struct stat info {};
    if (::stat(given.c_str(), &info) != 0) return ErrnoError(errno, given);
    const bool is_directory = S_ISDIR(info.st_mode);
    Source source = Source::Of(given, is_directory);
    if (is_directory && options.recursive) {
      FAMFS_ASSIGN_OR_RETURN(source.top, LocalWalk::NamesIn(given));
      FAMFS_ASSIGN_OR_RETURN(const std::string to, placer.PlaceOf(source));
      FAMFS_RETURN_IF_ERROR(
          LocalWalk(options, destination, plan)
              .Directory(WithoutSlashes(given), to, info.st_mode & 0777));
      continue;
    }
    // What is no file is told before where it would go.
    FAMFS_ASSIGN_OR_RETURN(const LocalSource file,
                           LocalSource::Open(given, /*may_be_empty=*/true));
    FAMFS_ASSIGN_OR_RETURN(std::string to, placer.PlaceOf(source));
    if (file.size() == 0 && !destination.TakesAnything(to)) {
      FAMFS_RETURN_IF_ERROR(LocalSource::Open(given).status());
    }
    plan.files.push_back({.from = given,
                          .to = std::move(to),
                          .size = file.size(),
                          .mode = file.mode()});
  }
  FAMFS_RETURN_IF_ERROR(CheckUnique(plan));
  FAMFS_RETURN_IF_ERROR(CheckPaths(plan, destination));
  return plan;
}

absl::StatusOr<CopyPlan> PlanOut(const Namespace& tree,
                                 const std::vector<std::string>& sources,
                                 const std::string& target,
                                 const Destination& destination,
                                 const PlanOptions& options) {
  const Placer placer(target, WithoutSlashes(target), sources.size() > 1,
                      destination);
  CopyPlan plan;
  for (const std::string& given : sources) {
    FAMFS_ASSIGN_OR_RETURN(const Node* const node, FindNode(tree, given));
    Source source = Source::Of(given, node->is_directory);
    if (node->is_directory && options.recursive) {
      ForEachChild(tree, *node, [&](const Node& child) {
        if (!child.is_meta) source.top.emplace_back(child.name);
      });
      FAMFS_ASSIGN_OR_RETURN(const std::string to, placer.PlaceOf(source));
      WalkInstance(tree, *node, to, plan);
      continue;
    }
    if (node->is_symlink() && options.recursive) {
      FAMFS_ASSIGN_OR_RETURN(std::string to, placer.PlaceOf(source));
      plan.links.push_back(
          {.to = std::move(to), .target = node->tree->record.target});
      continue;
    }
    FAMFS_ASSIGN_OR_RETURN(InstanceFile file, InstanceFile::Find(tree, given));
    FAMFS_ASSIGN_OR_RETURN(std::string to, placer.PlaceOf(source));
    const std::uint64_t size = file.size;
    const std::uint32_t mode = file.mode;
    plan.files.push_back({.from = "",
                          .file = std::move(file),
                          .to = std::move(to),
                          .size = size,
                          .mode = mode});
  }
  FAMFS_RETURN_IF_ERROR(CheckUnique(plan));
  return plan;
}

}  // namespace famfs
