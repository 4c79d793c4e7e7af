// What a copy is made of, before anything is written: which directories and
// files, from where to where, and what has to be left out.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "instance/tree/namespace.h"
#include "tools/common/instance_file.h"

namespace famfs {

enum class PathKind { kMissing, kFile, kDirectory };

/// The side that is copied to, as far as the plan has to know it. Paths are
/// whole: "" is the root of an instance.
struct Destination {
  std::function<PathKind(const std::string& path)> kind;
  /// Whether it lies inside of a tree volume: then symbolic links and empty
  /// files can be there, and names are longer. Null: nowhere.
  std::function<bool(const std::string& path)> in_tree = nullptr;
  /// How to make a directory by hand, for messages.
  std::string make;

  [[nodiscard]] bool TakesAnything(const std::string& path) const {
    return in_tree != nullptr && in_tree(path);
  }
};

struct PlannedDirectory {
  std::string to;
  std::uint32_t mode = 0755;  // permission bits
};
struct PlannedFile {
  std::string from;     // of a copy in
  InstanceFile file{};  // of a copy out
  std::string to;
  std::uint64_t size = 0;     // bytes
  std::uint32_t mode = 0644;  // permission bits
};
struct PlannedLink {
  std::string to;
  std::string target;
};
struct CopyPlan {
  std::vector<PlannedDirectory> directories{};  // parents first
  std::vector<PlannedFile> files{};
  std::vector<PlannedLink> links{};  // symbolic ones, made last
  /// One sentence for each thing in a directory that cannot be copied.
  std::vector<std::string> left_out{};
};

struct PlanOptions {
  bool recursive = false;
  bool dereference = false;  // symbolic links in directories are followed
};

/// Local `sources` to `target` (a path of the instance as it was given, without
/// its colon). An error before anything is written: a source that is missing,
/// or a directory without `recursive`; two sources for one path; paths that an
/// instance cannot have.
absl::StatusOr<CopyPlan> PlanIn(const std::vector<std::string>& sources,
                                const std::string& target,
                                const Destination& destination,
                                const PlanOptions& options);

/// `sources`: paths of the instance without their colon.
absl::StatusOr<CopyPlan> PlanOut(const Namespace& tree,
                                 const std::vector<std::string>& sources,
                                 const std::string& target,
                                 const Destination& destination,
                                 const PlanOptions& options);

}  // namespace famfs
