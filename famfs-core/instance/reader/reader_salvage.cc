// A Reader of a damaged instance: the whole log is played again whenever it has
// changed, and each pass tells anew what it could not read.
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "instance/reader/reader.h"

namespace famfs {
namespace {

// A compaction under way needs patience; after so many passes it is one that
// ended half done.
constexpr int kPasses = 200;
constexpr std::chrono::microseconds kPause{100};

template <typename T>
bool SameBytes(const T& a, const T& b) {
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

Finding Damage(const char* rule, const absl::Status& status) {
  return {.rule = rule, .message = std::string(Message(status))};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Reader>> Reader::OpenSalvaged(
    std::shared_ptr<DeviceSet> devices) {
  absl::Status superblock;
  FAMFS_ASSIGN_OR_RETURN(Layout layout,
                         Layout::OpenDamaged(*devices->primary(), superblock));
  std::unique_ptr<Reader> reader(
      new Reader(std::move(devices), std::move(layout)));
  SalvageState state;
  state.superblock = superblock;
  state.tells_identity =
      !IsReplaced(reader->layout_.identity().CheckSuperblock());
  reader->salvage_ = std::move(state);
  FAMFS_RETURN_IF_ERROR(reader->Refresh().status());
  return reader;
}

absl::Status Reader::CheckIdentity() const {
  absl::Status same;
  // Set when it was opened, and never again.
  if (!salvage_) {
    same = layout_.identity().CheckSuperblock();
  } else if (salvage_->tells_identity) {
    same = layout_.identity().CheckSuperblock();
    if (!IsReplaced(same)) same = absl::OkStatus();
  }
  return same;
}

DamageList Reader::Damage() const {
  const ReaderMutexLock lock(mutex_);
  return salvage_ ? salvage_->damage : DamageList();
}

MediaEntry Reader::LastEntry(const MediaLogHeader& header) const {
  const std::uint64_t slots = LastIndex(layout_.superblock().log_length) + 1;
  if (header.next_index == 0 || header.next_index > slots) return {};
  return layout_.LoadEntry(header.next_index - 1);
}

absl::StatusOr<std::vector<Change>> Reader::RefreshSalvaged() {
  if (salvage_->tells_identity) {
    const absl::Status same = layout_.identity().Check();
    if (IsReplaced(same)) return same;
  }
  for (int attempt = 0;; ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(kPause);
    const bool last = attempt == kPasses;
    const absl::StatusOr<Moment> before = LoadMoment();
    const Moment moment = before.value_or(Moment());
    const MediaLogHeader header = layout_.LoadLogHeader();
    const MediaEntry tail = LastEntry(header);
    if (player_ != nullptr && moment == moment_ &&
        SameBytes(header, salvage_->header) &&
        SameBytes(tail, salvage_->tail)) {
      return std::vector<Change>{};
    }
    absl::StatusOr<Source> source = OpenSource(moment, last);
    if (absl::IsUnavailable(source.status()) && !last) continue;
    Salvaged salvaged = PlaySalvaged(source);
    if (!last && LoadMoment().value_or(Moment()) != moment) continue;

    if (!before.ok())
      salvaged.damage.Add(::famfs::Damage("region", before.status()));
    if (!salvage_->superblock.ok()) {
      salvaged.damage.Add(::famfs::Damage("superblock", salvage_->superblock));
    }
    {
      const WriterMutexLock lock(mutex_);
      salvage_->damage = std::move(salvaged.damage);
    }
    salvage_->header = header;
    salvage_->tail = tail;
    Pass pass;
    pass.player = std::move(salvaged.player);
    return Commit(moment, std::move(pass));
  }
}

/// Without a header that can be believed, the slots tell how many there are.
Salvaged Reader::PlaySalvaged(const absl::StatusOr<Source>& source) const {
  if (source.ok()) {
    return Salvage(layout_, *source->bytes, source->header.next_index, true);
  }
  const std::uint64_t slots = LastIndex(layout_.superblock().log_length) + 1;
  Salvaged salvaged = Salvage(layout_, layout_.log(), slots, false);
  salvaged.damage.Add(::famfs::Damage("log_header", source.status()));
  return salvaged;
}

}  // namespace famfs
