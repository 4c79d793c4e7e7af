// Where a case of the POSIX table runs: an empty directory on one file system,
// and what was seen there. The table is run on tmpfs and on a tree volume, and
// what was seen is compared line by line.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace famfs::posix {

/// Users of the table. A case that needs others than its own is run by root.
inline constexpr uid_t kUser = 1000;
inline constexpr uid_t kOther = 2000;

/// "0", or the errno's name.
std::string NameOf(int error);

class Room {
 public:
  explicit Room(std::string path) : path_(std::move(path)) {}

  [[nodiscard]] const std::string& path() const { return path_; }
  /// The path of a name in it.
  std::string operator/(std::string_view name) const;

  // What a case needs. Each ends the program when it cannot be made: then
  // nothing that follows means anything.

  void File(std::string_view name, std::string_view text = "",
            mode_t mode = 0644) const;
  void Directory(std::string_view name, mode_t mode = 0755) const;
  void Link(std::string_view target, std::string_view name) const;
  void Own(std::string_view name, uid_t user, gid_t group) const;
  void Mode(std::string_view name, mode_t mode) const;

  // What is seen.

  void Saw(std::string_view what, std::string value);
  /// A call that returns -1 and sets errno when it fails, and a number that
  /// matters to nobody otherwise.
  void Call(std::string_view what, long result);
  /// The same where the number matters.
  void Number(std::string_view what, long result);
  /// What lies below the room: kinds, modes, owners, sizes, targets.
  void After();
  /// One name: the same, and how many links it has.
  void Look(std::string_view name);

  struct Seen {
    std::string what;
    std::string value;
  };
  [[nodiscard]] const std::vector<Seen>& seen() const { return seen_; }

 private:
  std::string path_;
  std::vector<Seen> seen_;
};

struct Case {
  std::string name;
  std::function<void(Room&)> run;
  bool needs_root = false;
  /// One of very many of its kind: a short run makes a part of them.
  bool of_many = false;
};
using Cases = std::vector<Case>;

/// Marks those from `first` on as `of_many`.
void MarkMany(Cases& cases, std::size_t first);

void AddPathCases(Cases& cases);
void AddOpenCases(Cases& cases);
void AddNameCases(Cases& cases);
void AddPermissionCases(Cases& cases);
void AddPrivilegeCases(Cases& cases);
void AddTimeCases(Cases& cases);
void AddIoCases(Cases& cases);

/// Effective user, group and no further groups until the end of the scope; root
/// before and after.
class As {
 public:
  As(uid_t user, gid_t group);
  ~As();
  As(const As&) = delete;
  As& operator=(const As&) = delete;
};

/// umask(2) until the end of the scope.
class Umask {
 public:
  explicit Umask(mode_t mask);
  ~Umask();
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;

 private:
  mode_t before_;
};

}  // namespace famfs::posix
