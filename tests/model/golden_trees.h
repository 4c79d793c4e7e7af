// The rules of tree volumes, straight from the bytes, for golden_rules.cc:
// written from docs/format.md ("Volume attributes", "Tree volumes") with no
// line of famfs-core in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace famfs::golden {

/// Follows the entries of a log in their order. A slot is 544 bytes whose
/// checksum and path were looked at.
class Trees {
 public:
  using Slot = std::span<const std::byte>;
  using Tell = std::function<void(const std::string&)>;
  explicit Trees(Tell tell) : tell_(std::move(tell)) {}

  /// Of a mkdir entry.
  void AddDirectory(Slot slot, const std::string& path);
  /// Of a file entry. `bytes`: of its extents.
  void AddFile(Slot slot, const std::string& path, std::uint64_t bytes);
  /// What only the whole log tells.
  void Finish();

  [[nodiscard]] std::uint64_t nodes() const;   // live ones
  [[nodiscard]] std::uint64_t pieces() const;  // of those

 private:
  using Id = std::uint64_t;
  struct Node {
    unsigned kind = 0;
    std::uint32_t revision = 0;
    Id parent = 0;
    std::string name;
    std::uint64_t size = 0;
    std::uint32_t truncation = 0;
    std::uint32_t kept = 0;
    std::uint32_t next_piece = 0;
    std::uint64_t deletion = 0;
    bool removed = false;
    std::uint64_t children = 0;
    /// Number and bytes of the live ones.
    std::vector<std::pair<std::uint32_t, std::uint64_t>> pieces;
  };
  struct Volume {
    bool tree = false;
    bool deleted = false;
    std::uint32_t revision = 0;
    std::map<Id, Node> nodes;
    std::map<std::pair<Id, std::string>, Id> names;
  };

  void AddVolume(Slot slot, const std::string& path);
  void AddNode(Slot slot, Volume& volume, const std::string& path);
  bool Decode(Slot slot, const std::string& path, Node& node);
  bool CheckText(std::string_view name, std::string_view target, unsigned kind,
                 const std::string& path);
  bool CheckPlace(const Volume& volume, Id id, const Node& node,
                  const std::string& path);
  bool CheckRevision(const Node& before, const Node& after,
                     const std::string& path);
  void Place(Volume& volume, Id id, Node node);
  void Problem(const std::string& path, const std::string& what) {
    tell_("'" + path + "' " + what);
  }

  Tell tell_;
  std::map<std::string, Volume> volumes_;
};

}  // namespace famfs::golden
