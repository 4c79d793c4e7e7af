#include "instance/mailbox/orphans.h"

#include <absl/container/flat_hash_set.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <optional>
#include <vector>

#include "base/text.h"
#include "instance/tree/hidden_name.h"

namespace famfs {
namespace {

/// Of the hosts that live; nullopt: a row cannot be read and may be anybody's.
std::optional<absl::flat_hash_set<std::uint32_t>> LiveSessions(
    const Writer& writer) {
  absl::flat_hash_set<std::uint32_t> live;
  for (const HostStatus& host : writer.Hosts()) {
    if (host.standing == HostStanding::kDamaged) return std::nullopt;
    if (host.standing == HostStanding::kAcknowledged ||
        host.standing == HostStanding::kBehind) {
      live.insert(host.session);
    }
  }
  return live;
}

}  // namespace

std::size_t Orphans::Remove(Writer& writer) {
  const auto live = LiveSessions(writer);
  if (!live.has_value()) return 0;
  decltype(seen_) seen;
  const Clock::time_point now = Clock::now();
  {
    const Reader::View tree = writer.Tree();
    for (const auto& [directory, id] : tree->volumes()) {
      const Node* const volume = tree->Find(id);
      if (volume == nullptr || volume->tree == nullptr) continue;
      for (const Node& node : tree->Children(*volume)) {
        const auto session = SessionOfHiddenName(node.name);
        if (!session.has_value() || live->contains(*session)) continue;
        std::pair key(directory, std::string(node.name));
        const auto known = seen_.find(key);
        seen.emplace(std::move(key),
                     known == seen_.end() ? now : known->second);
      }
    }
  }
  std::size_t removed = 0;
  for (const auto& [key, since] : seen) {
    if (now - since < grace_) continue;
    TreeRequest remove;
    remove.op = TreeOp::kRemove;
    remove.volume = key.first;
    remove.name = key.second;
    if (writer.ChangeTree(remove, {}).error == 0) ++removed;
  }
  seen_ = std::move(seen);
  if (removed > 0) {
    spdlog::info("{}: {} removed files of hosts that are gone are given back",
                 writer.device()->spec(), removed);
  }
  return removed;
}

}  // namespace famfs
