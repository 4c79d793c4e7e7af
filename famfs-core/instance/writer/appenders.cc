#include "instance/writer/appenders.h"

#include <algorithm>

#include "instance/devices/mailbox_store.h"

namespace famfs {
namespace {

/// So long after two hosts have asked in turn, each append asks.
constexpr std::chrono::seconds kSharedFor{1};
/// A host sees within its poll interval that it is to stop.
constexpr std::chrono::seconds kLongForAHost{5};
}  // namespace

void Appenders::LookAtClaims() {
  if (has_looked_) return;
  has_looked_ = true;
  const Uuid& fs_uuid = layout_.superblock().fs_uuid;
  for (const HostRow& row : LoadHosts(layout_.head(), fs_uuid)) {
    if (!row.damaged && row.record.state != HostState::kLive) continue;
    const auto claims = LoadAppendClaims(layout_.head(), row.row, fs_uuid);
    if (claims.ok() && (!claims->has_value() || (*claims)->files.empty())) {
      continue;
    }
    if (row.damaged) {  // whose it is they tell, too
      if (claims.ok()) earlier_.push_back((*claims)->session);
      continue;
    }
    if (claims.ok() && (*claims)->session != row.record.session) continue;
    earlier_.push_back(row.record.session);
  }
}

Appenders::File& Appenders::FindOrAdd(std::string_view volume, TreeId node) {
  LookAtClaims();
  if (files_.size() >= forgets_at_) {
    absl::erase_if(files_, [&](auto& entry) {
      return !IsTaken(entry.second, entry.first.second);
    });
    // Those that stay may be many: a host's bit is that of other files, too.
    forgets_at_ = std::max(kMostFiles, 2 * files_.size());
  }
  const auto [it, is_new] = files_.try_emplace(Key(volume, node));
  if (is_new) it->second.earlier = earlier_;
  return it->second;
}

const Appenders::File* Appenders::Find(std::string_view volume,
                                       TreeId node) const {
  const auto found = files_.find(Key(volume, node));
  return found == files_.end() ? nullptr : &found->second;
}

// What cannot be read counts as claimed: everything waits for such a row.
bool Appenders::MayAppend(const std::vector<HostRow>& rows,
                          std::uint32_t session, TreeId node) const {
  bool is_unknown = false;  // it may be that host's
  for (const HostRow& row : rows) {
    is_unknown = is_unknown || row.damaged;
    if (row.damaged || row.record.state != HostState::kLive ||
        row.record.session != session) {
      continue;
    }
    const auto claims =
        LoadAppendClaims(layout_.head(), row.row, layout_.superblock().fs_uuid);
    if (!claims.ok()) return true;
    return claims->has_value() && (*claims)->session == session &&
           (*claims)->files.Contains(node);
  }
  return is_unknown;
}

bool Appenders::IsTaken(File& file, TreeId node) const {
  if (file.alone == 0 && file.earlier.empty()) return false;
  const std::vector<HostRow> rows =
      LoadHosts(layout_.head(), layout_.superblock().fs_uuid);
  if (file.alone != 0 && !MayAppend(rows, file.alone, node)) file.alone = 0;
  std::erase_if(file.earlier, [&](std::uint32_t session) {
    return !MayAppend(rows, session, node);
  });
  return file.alone != 0 || !file.earlier.empty();
}

Appenders::Verdict Appenders::Ask(std::string_view volume, TreeId node,
                                  std::uint32_t session, std::uint32_t revision,
                                  Clock::time_point now) {
  File& file = FindOrAdd(volume, node);
  if (file.alone == session) file.alone = 0;
  std::erase(file.earlier, session);
  const bool is_taken = IsTaken(file, node);
  const bool in_turn =
      file.last_asker != session && now - file.last_asked < kSharedFor;
  if (is_taken || in_turn) file.shared_until = now + kSharedFor;
  file.last_asker = session;
  file.last_asked = now;
  if (is_taken) return Verdict::kWait;
  if (session == 0 || now < file.shared_until) return Verdict::kShared;
  file.alone = session;
  file.alone_from = revision;
  return Verdict::kAlone;
}

bool Appenders::HasToRevise(std::string_view volume, TreeId node) const {
  const File* const file = Find(volume, node);
  if (file == nullptr) return false;
  return file->revised == 0 ||
         (file->alone != 0 && file->revised <= file->alone_from);
}

void Appenders::Revised(std::string_view volume, TreeId node,
                        std::uint32_t revision, Clock::time_point now) {
  File& file = FindOrAdd(volume, node);
  file.revised = revision;
  file.revised_at = now;
}

// What it was given later it may have.
void Appenders::GiveUp(std::string_view volume, TreeId node,
                       std::uint32_t session, std::uint64_t revision) {
  File& file = FindOrAdd(volume, node);
  if (file.alone == session && file.alone_from < revision) file.alone = 0;
  std::erase(file.earlier, session);
}

std::uint32_t Appenders::WaitsFor(std::string_view volume, TreeId node,
                                  Clock::time_point now) const {
  const File* const file = Find(volume, node);
  if (file == nullptr || now - file->revised_at < kLongForAHost) return 0;
  if (file->alone != 0) return file->alone;
  return file->earlier.empty() ? 0 : file->earlier.front();
}

}  // namespace famfs
