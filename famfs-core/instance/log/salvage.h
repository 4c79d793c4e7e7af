// Plays of a damaged log what is whole, so that the files that are whole come
// out. A damaged entry takes with it what it alone named, and nothing else:
//   - an entry that breaks a rule is left out, as it breaks it;
//   - a directory whose entry is damaged is made up where a whole entry lies in
//     it: same path, owner root, mode 0700, as nobody knows better;
//   - of a volume's revisions the later one counts, also when the one before
//     it is damaged, and its deletion counts in any case;
//   - a device whose entry is damaged is known by its number alone
//     (DeviceSet finds it by its head, when it is the only one);
//   - inside of tree volumes salvage_tree.h has the rest.
// Never is an extent used by two files: of two entries the earlier one counts.
//
// What is free is not known while an entry is damaged. For reading alone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "dax/device.h"
#include "instance/log/finding.h"
#include "instance/log/layout.h"
#include "instance/log/log_player.h"

namespace famfs {

/// What is wrong, in words; the first so many of it.
class DamageList {
 public:
  static constexpr std::size_t kMax = 1000;
  void Add(Finding finding) {
    if (findings_.size() < kMax) findings_.push_back(std::move(finding));
    ++count_;
  }
  [[nodiscard]] const std::vector<Finding>& findings() const {
    return findings_;
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  std::vector<Finding> findings_;
  std::uint64_t count_ = 0;
};

struct Salvaged {
  std::unique_ptr<LogPlayer> player;
  DamageList damage;
};

/// Plays the slots [0, end) of `log`, which begins at a log's header, as far as
/// they lie in it. `counted`: the header can be believed, and `end` is how many
/// entries there are; else `end` bounds them, and they end at the first blank
/// slot.
[[nodiscard]] Salvaged Salvage(const Layout& layout, const Mapping& log,
                               std::uint64_t end, bool counted);

}  // namespace famfs
