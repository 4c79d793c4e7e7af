#include "tests/model/model.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/units.h"
#include "instance/check/fsck.h"
#include "instance/check/mkfs.h"
#include "instance/log/tree_promises.h"
#include "tests/model/golden_rules.h"

namespace famfs::model {
namespace {

constexpr std::uint64_t kBatch = 500;
constexpr std::size_t kMostByHand = 300;
constexpr std::uint64_t kReserveUnits = kMinLogLength / kAllocUnit;
constexpr std::uint64_t kSlots = LastIndex(kMinLogLength) + 1;
constexpr std::uint64_t kUnits =
    (crash::kPrimarySize - kSuperblockRegion - kMinLogLength) / kAllocUnit -
    kReserveUnits;
constexpr std::uint64_t kSecondaryUnits =
    (crash::kSecondarySize - kSuperblockRegion) / kAllocUnit;

std::string Text(const absl::Status& status) {
  return std::string(Message(status));
}

std::span<const std::byte> Junk() {
  static const std::vector<std::byte> kBytes(64, std::byte{0xd5});
  return kBytes;
}

/// A pending file's memory.
template <typename File>
const std::byte* StartOf(File& file) {
  if constexpr (requires { file.At(0); }) {
    return file.At(0).data();
  } else {
    return file.mapping().data();
  }
}

#define MODEL_OK(expression)                              \
  do {                                                    \
    const absl::Status model_status = (expression);       \
    ASSERT_TRUE(model_status.ok()) << Text(model_status); \
  } while (false)

}  // namespace

ModelRun::ModelRun(bool has_extent_files, std::uint64_t seed,
                   std::string lock_directory)
    : random_(seed),
      lock_directory_(std::move(lock_directory)),
      medium_(has_extent_files),
      has_secondary_(seed % 2 == 0),
      units_(kUnits + (has_secondary_ ? kSecondaryUnits : 0)),
      device_(std::make_shared<crash::RecordingDevice>(medium_, nullptr)) {}

void ModelRun::Open() {
  writer_.reset();
  Uuid host;
  host.bytes.fill(0x33);
  auto writer =
      Writer::Open(crash::MakeDevices(medium_, nullptr),
                   {.system_uuid = host, .lock_directory = lock_directory_});
  ASSERT_TRUE(writer.ok()) << Text(writer.status());
  writer_ = *std::move(writer);
  auto layout = Layout::Open(*device_, Access::kRead);
  ASSERT_TRUE(layout.ok()) << Text(layout.status());
  layout_ = *std::move(layout);
}

void ModelRun::Run(std::uint64_t operations) {
  Uuid host;
  host.bytes.fill(0x33);
  MkfsOptions options;
  options.system_uuid = host;
  options.lock_directory = lock_directory_;
  MODEL_OK(Mkfs(*device_, options));
  Open();
  if (has_secondary_) {
    MODEL_OK(writer_->AddDevice(std::make_shared<crash::RecordingDevice>(
                                    medium_, nullptr, crash::kSecondary),
                                {.only_blank = true}));
  }
  auto reader = Reader::Open(device_);
  ASSERT_TRUE(reader.ok()) << Text(reader.status());
  reader_ = *std::move(reader);
  for (std::uint8_t i = 1; i <= 2 && !medium_.has_extent_files(); ++i) {
    HostIdentity identity;
    identity.session = i;
    identity.host.bytes.fill(static_cast<std::uint8_t>(0x70 + i));
    auto session = HostSession::Register(*device_, identity);
    ASSERT_TRUE(session.ok()) << Text(session.status());
    hosts_.push_back(*std::move(session));
  }
  // Each aim holds for a while; a full log or device for a short one, because
  // each creation in it waits for a compaction.
  constexpr Aim kAims[] = {
      Aim::kMixed, Aim::kMixed,   Aim::kFillDevice, Aim::kHold,  Aim::kEmpty,
      Aim::kMixed, Aim::kFillLog, Aim::kHold,       Aim::kEmpty, Aim::kMixed};
  std::size_t at = 0;
  std::uint64_t in_aim = 0;
  while (statistics_.operations < operations) {
    const Aim aim = kAims[at % std::size(kAims)];
    const std::uint64_t full = statistics_.full;
    ASSERT_NO_FATAL_FAILURE(RunBatch(aim, aim == Aim::kHold ? 100 : kBatch));
    const bool filled = statistics_.full > full + 3;
    const bool over = aim == Aim::kFillDevice || aim == Aim::kFillLog ? filled
                      : aim == Aim::kEmpty ? volumes_.size() < 50
                      : aim == Aim::kHold  ? true
                                           : ++in_aim % 16 == 0;
    if (over) ++at;
  }
}

void ModelRun::RunBatch(Aim aim, std::uint64_t operations) {
  for (std::uint64_t i = 0; i < operations; ++i) {
    ++statistics_.operations;
    ASSERT_NO_FATAL_FAILURE(Step(aim));
  }
  const auto changes = reader_->Refresh();
  ASSERT_TRUE(changes.ok()) << Text(changes.status());
  ASSERT_NO_FATAL_FAILURE(CompareTree(*writer_->Tree(), "the writer's"));
  ASSERT_NO_FATAL_FAILURE(CompareTree(*reader_->Tree(), "the reader's"));
  if (Chance(20)) {
    ASSERT_NO_FATAL_FAILURE(CheckQuiescent());
  }
  if (Chance(10)) {
    ASSERT_NO_FATAL_FAILURE(Open());
    // A reopening of a device with extent files compacts.
    if (medium_.has_extent_files()) NoteReclaim();
    ++statistics_.reopened;
    ASSERT_NO_FATAL_FAILURE(CompareTree(*writer_->Tree(), "a new writer's"));
  }
}

void ModelRun::Step(Aim aim) {
  const std::uint64_t create_percent = aim == Aim::kMixed   ? 50
                                       : aim == Aim::kHold  ? 50
                                       : aim == Aim::kEmpty ? 10
                                                            : 95;
  if (aim != Aim::kFillLog && Chance(60)) return ChangeTree();
  const std::uint64_t dice = random_() % 1000;
  if (dice < 3) return MakeByHand();
  if (dice < 30) return GiveUp();
  if (dice < 60) return CreateTaken();
  if (dice < 80) return DeleteMissing();
  if (dice < 110) return Acknowledge();
  if (dice < 111) return Reclaim();
  if (dice < 113) return Compact();
  if (!Chance(create_percent)) return DeleteVolume();
  if (aim == Aim::kFillLog) return CreateVolume(0);
  if (aim == Aim::kFillDevice) return CreateVolume(1 + random_() % 3);
  constexpr std::size_t kMostTrees = 12;  // the log is promised to them
  if (trees_.size() < kMostTrees && Chance(30)) return CreateVolume(0);
  // Now and then a large one.
  if (Chance(1)) return CreateVolume(1 + random_() % 200);
  CreateVolume(1 + random_() % 3);
}

std::string ModelRun::NewName() {
  return "pvc-" + std::to_string(++names_) + "-" +
         std::to_string(random_() % 1000);
}

absl::Status ModelRun::TryCreateVolume(const std::string& name,
                                       std::uint64_t units) {
  VolumeAttributes attributes;
  attributes.name = "claim " + name;
  attributes.capacity = units * kAllocUnit;
  if (const auto tree = volumes_.find(name); tree->second.units == 0) {
    attributes.layout = VolumeLayout::kTree;
  }
  return writer_->CreateVolume(name, attributes, {});
}

/// 0: a tree volume.
void ModelRun::CreateVolume(std::uint64_t units) {
  const std::string name = NewName();
  const std::uint64_t capacity = units == 0 ? 1 + random_() % 24 : 0;
  volumes_[name] = {.units = units, .capacity = capacity};
  const absl::Status status = TryCreateVolume(name, std::max(units, capacity));
  if (!status.ok()) {
    volumes_.erase(name);
    const std::uint64_t slots =
        units > 0 ? 2 : 1 + TreeSlots(capacity * kAllocUnit);
    return ExpectFull(status, std::max(units, capacity), slots);
  }
  ++statistics_.created;
  order_.push_back(name);
  if (units == 0) trees_.push_back(name);
  if (units > 0) Fill(name + "/data");
}

/// The file has to be zero; then it gets bytes that nobody else may see.
void ModelRun::Fill(const std::string& path) {
  const Reader::View tree = writer_->Tree();
  const Node* node = tree->FindPath(path);
  ASSERT_NE(node, nullptr) << path;
  for (const MediaExtent& extent : node->extents) {
    const std::uint64_t start =
        extent.offset + extent.device_index * crash::kPrimarySize;
    ASSERT_TRUE(medium_.IsZero({start, extent.length}))
        << path << " has somebody else's bytes";
    const std::uint64_t at = random_() % (extent.length / 64) * 64;
    medium_.Put(start + at, Junk());
  }
}

/// A refused creation must have had a reason: with all that can be given back
/// given back, there is too little.
void ModelRun::ExpectFull(const absl::Status& status, std::uint64_t units,
                          std::uint64_t slots) {
  ASSERT_TRUE(absl::IsResourceExhausted(status)) << Text(status);
  ++statistics_.full;
  std::uint64_t used_units = 0;
  std::uint64_t used_slots =
      directories_.size() + files_.size() + (has_secondary_ ? 1 : 0);
  for (const auto& [path, file_units] : files_) used_units += file_units;
  for (const auto& [name, volume] : volumes_) {
    // What it is promised, too.
    used_units += std::max(volume.used(), volume.capacity);
    used_slots += volume.entries();
    if (volume.units > 0) continue;
    const std::uint64_t promised = TreeSlots(volume.capacity * kAllocUnit);
    used_slots += promised - std::min(promised, volume.entries() - 1);
  }
  for (const ModelPending& pending : pending_) {
    if (pending.number <= LetGo()) continue;
    used_units += pending.units;
    used_slots += pending.entries;
  }
  const bool no_slots = used_slots + slots + kStateSlots > kSlots;
  const bool no_units = units > 0 && used_units + units > units_;
  // Or there is enough, in too many pieces; then the capacity says so.
  const auto capacity = writer_->GetAvailableSpace();
  ASSERT_TRUE(capacity.ok()) << Text(capacity.status());
  const bool in_pieces = units > 1 && capacity->largest < units * kAllocUnit;
  ASSERT_TRUE(no_slots || no_units || in_pieces)
      << Text(status) << "; but the model has " << used_slots << " slots and "
      << used_units << " units in use";
  NoteReclaim();
}

void ModelRun::DeleteVolume() {
  if (order_.empty()) return;
  std::swap(order_[random_() % order_.size()], order_.back());
  const std::string name = order_.back();
  const std::uint64_t entries = writer_->Figures().entries;
  const std::uint64_t used = writer_->UsageOf(name).bytes / kAllocUnit;
  const absl::Status status = writer_->DeleteVolume(name);
  if (absl::IsResourceExhausted(status)) {
    // Only where hosts hold back what a compaction would drop.
    ASSERT_FALSE(medium_.has_extent_files()) << Text(status);
    ASSERT_GT(deletions_, LetGo()) << Text(status);
    ++statistics_.full;
    return;
  }
  MODEL_OK(status);
  order_.pop_back();
  // To find room, it may have reclaimed.
  if (writer_->Figures().entries <= entries) NoteReclaim();
  MoveToPending(name, used);
  ++statistics_.deleted;
}

/// `used`: units that a tree volume had, with those of its dead pieces that no
/// call in between has reclaimed; they wait with the volume from now on.
void ModelRun::MoveToPending(const std::string& name, std::uint64_t used) {
  const ModelVolume& volume = volumes_.at(name);
  ModelPending dead{.number = LastDeletion(),
                    .name = name,
                    .units = volume.used(),
                    .entries = volume.units > 0 ? 3 : 2 + volume.pieces()};
  std::uint64_t least = dead.units;
  std::erase_if(pending_, [&](const ModelPending& pending) {
    if (pending.is_volume || pending.name != name) return false;
    if (pending.number > LetGo()) least += pending.units;
    dead.units += pending.units;
    dead.entries += pending.entries;
    return true;
  });
  if (volume.units == 0) {
    ASSERT_GE(used, least) << name;
    dead.units = std::min(dead.units, used);
  }
  deletions_ = dead.number;
  pending_.push_back(dead);
  volumes_.erase(name);
  std::erase(trees_, name);
}

void ModelRun::CreateTaken() {
  VolumeAttributes attributes;
  attributes.capacity = kAllocUnit;
  std::string name;
  if (!order_.empty() && Chance(50)) {
    name = order_[random_() % order_.size()];
    attributes.name = "another claim";
  } else if (!order_.empty()) {
    name = NewName();
    attributes.name = "claim " + order_[random_() % order_.size()];
  } else {
    return;
  }
  const absl::Status status = writer_->CreateVolume(name, attributes, {});
  ASSERT_TRUE(absl::IsAlreadyExists(status)) << Text(status);
  ++statistics_.refused;
}

void ModelRun::DeleteMissing() {
  const bool was_there = !pending_.empty() && pending_.back().is_volume;
  const std::string name = was_there ? pending_.back().name : "nothing";
  const absl::Status status = writer_->DeleteVolume(name);
  ASSERT_TRUE(absl::IsNotFound(status)) << Text(status);
  ++statistics_.refused;
}

void ModelRun::MakeByHand() {
  if (files_.size() + directories_.size() >= kMostByHand) return;
  std::string path = NewName();
  if (!directories_.empty() && Chance(30)) {
    path = *directories_.begin() + "/" + path;
  }
  if (Chance(50)) {
    const absl::Status status = writer_->Mkdir(path, {});
    if (!status.ok()) return ExpectFull(status, 0, 1);
    directories_.insert(path);
    return;
  }
  const absl::Status status = writer_->CreateFile(path, kAllocUnit, {});
  if (!status.ok()) return ExpectFull(status, 1, 1);
  files_[path] = 1;
  Fill(path);
}

/// A copy that ended: its bytes stay behind, and its space comes back.
void ModelRun::GiveUp() {
  const auto file = writer_->BeginFile(NewName(), kAllocUnit, {});
  if (!file.ok()) return ExpectFull(file.status(), 1, 1);
  const std::byte* start = StartOf(**file);
  medium_.Put(static_cast<std::uint64_t>(start - medium_.data()), Junk());
}

void ModelRun::Acknowledge() {
  if (hosts_.empty()) return;
  HostSession& session = *hosts_[random_() % hosts_.size()];
  // Mostly everything; a host that lags keeps what is above.
  const std::uint64_t number =
      Chance(80) ? deletions_ : random_() % (deletions_ + 1);
  MODEL_OK(session.Acknowledge(number));
}

std::uint64_t ModelRun::LetGo() const {
  std::uint64_t number = ~std::uint64_t{0};
  for (const auto& session : hosts_) {
    number = std::min(number, session->acknowledged());
  }
  return number;
}

/// All that every host has let go of may be gone from the log.
void ModelRun::NoteReclaim() {
  std::erase_if(pending_, [&](const ModelPending& pending) {
    return pending.number <= LetGo();
  });
}

void ModelRun::Reclaim() {
  MODEL_OK(writer_->Reclaim());
  ++statistics_.reclaimed;
  NoteReclaim();
  CompareSpace();
}

/// Drops what it may, and changes nothing that a user sees.
void ModelRun::Compact() {
  MODEL_OK(writer_->Compact());
  ++statistics_.compacted;
  CompareTree(*writer_->Tree(), "a compacted");
}

void ModelRun::CompareTree(const Namespace& tree, const char* whose) {
  ++statistics_.compared;
  std::size_t nodes = directories_.size() + files_.size();
  for (const auto& [name, volume] : volumes_) {
    nodes += volume.units > 0 ? 2 : 1 + volume.nodes.size();
    const auto found = tree.volumes().find(name);
    ASSERT_NE(found, tree.volumes().end()) << whose << " tree lacks " << name;
    if (volume.units == 0) {
      ASSERT_NO_FATAL_FAILURE(CompareTreeVolume(tree, name, whose));
      continue;
    }
    const Node* data = tree.Lookup(found->second, "data");
    ASSERT_NE(data, nullptr) << whose << " tree lacks the data of " << name;
    ASSERT_EQ(data->size, volume.units * kAllocUnit) << whose << " " << name;
  }
  for (const std::string& path : directories_) {
    ASSERT_NE(tree.FindDirectory(path), nullptr) << whose << " " << path;
  }
  for (const auto& [path, units] : files_) {
    const Node* node = tree.FindPath(path);
    ASSERT_NE(node, nullptr) << whose << " " << path;
    ASSERT_EQ(node->size, units * kAllocUnit) << whose << " " << path;
  }
  // The root, .meta and its two files.
  ASSERT_EQ(tree.size(), nodes + 4) << whose;
  ASSERT_EQ(tree.volumes().size(), volumes_.size()) << whose;
}

/// After a Reclaim: exact, in units.
void ModelRun::CompareSpace() {
  std::uint64_t used = 0;
  std::uint64_t pending = 0;
  for (const auto& [name, volume] : volumes_) used += volume.used();
  for (const auto& [path, units] : files_) used += units;
  for (const ModelPending& dead : pending_) pending += dead.units;
  CompareUsage();
  const PoolFigures figures = writer_->Figures();
  ASSERT_EQ(figures.pending, pending * kAllocUnit);
  const std::uint64_t free = units_ - used - pending;
  // The room for a compaction's image is given up for nothing else.
  ASSERT_TRUE(figures.free == free * kAllocUnit ||
              figures.free == (free + kReserveUnits) * kAllocUnit)
      << figures.free << " bytes are free, not " << free * kAllocUnit;
}

void ModelRun::CheckQuiescent() {
  ++statistics_.checked;
  const golden::Report report =
      golden::CheckRules({medium_.data(), crash::kPrimarySize});
  ASSERT_TRUE(report.problems.empty())
      << report.problems.size()
      << " rules of upstream's are broken; first: " << report.problems.front();
  ASSERT_EQ(report.entries, writer_->Figures().entries);
  std::uint64_t nodes = 0;
  std::uint64_t pieces = 0;
  for (const auto& [name, volume] : volumes_) {
    nodes += volume.nodes.size();
    pieces += volume.pieces();
  }
  ASSERT_EQ(report.nodes, nodes);
  ASSERT_EQ(report.pieces, pieces);
  if (!Chance(5)) return;
  const auto devices = crash::MakeDevices(medium_, nullptr);
  for (const Finding& finding : Fsck(*devices).findings) {
    FAIL() << "fsck: " << finding.ToString();
  }
}

}  // namespace famfs::model
