// Tree volumes at their limits: full ones, very large ones, changes that fail
// half-way, and logs whose numbers are at their ends.
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <map>
#include <random>
#include <sstream>
#include <string>

#include "dax/emulated.h"
#include "fixture.h"
#include "hook_device.h"
#include "instance/deletion/host_session.h"
#include "instance/log/tree_promises.h"
#include "instance/tree/new_entry.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;

VolumeAttributes TreeOf(const std::string& name, std::uint64_t capacity) {
  VolumeAttributes attributes = Attributes(name, capacity);
  attributes.layout = VolumeLayout::kTree;
  return attributes;
}

constexpr std::uint64_t kMostCapacity =
    (~std::uint64_t{0} >> 1) / kAllocUnit * kAllocUnit;

class LimitsTest : public WriteTest {
 protected:
  void TearDown() override {
    writer_.reset();  // before the hooks
    WriteTest::TearDown();
  }
  /// The same writer on a device that fails where `hooks_` say.
  void Hook() {
    Close();
    auto hooked = Writer::Open(
        std::make_shared<HookDevice>(device_, hooks_),
        {.system_uuid = system_uuid_, .lock_directory = Path("locks")});
    ASSERT_OK(hooked);
    writer_ = *std::move(hooked);
  }
  TreeRequest Request(TreeOp op, const std::string& volume = "v1") {
    TreeRequest request;
    request.op = op;
    request.volume = volume;
    return request;
  }
  TreeId MustCreate(const std::string& name, const std::string& volume = "v1") {
    TreeRequest request = Request(TreeOp::kCreate, volume);
    request.name = name;
    request.mode = 0644;
    const TreeAnswer answer = writer_->ChangeTree(request);
    EXPECT_EQ(answer.error, 0) << name;
    return answer.node;
  }
  TreeAnswer Extend(TreeId node, std::uint64_t size,
                    const std::string& volume = "v1",
                    std::uint32_t flags = kExtendExactly) {
    TreeRequest request = Request(TreeOp::kExtend, volume);
    request.node = node;
    request.size = size;
    request.flags = flags;
    return writer_->ChangeTree(request);
  }
  int Truncate(TreeId node, std::uint64_t size) {
    TreeRequest request = Request(TreeOp::kSetAttributes);
    request.node = node;
    request.set = kSetSize;
    request.size = size;
    return writer_->ChangeTree(request).error;
  }
  int Remove(const std::string& name) {
    TreeRequest request = Request(TreeOp::kRemove);
    request.name = name;
    return writer_->ChangeTree(request).error;
  }
  std::uint64_t AllocatedOf(const std::string& path) {
    return writer_->Tree()->FindPath(path)->tree->allocated;
  }

  Hooks hooks_;
};

class ImageLimitsTest : public LimitsTest {};

class BothLimitsTest : public LimitsTest,
                       public ::testing::WithParamInterface<Kind> {};

INSTANTIATE_TEST_SUITE_P(Kinds, BothLimitsTest,
                         ::testing::Values(Kind::kImage, Kind::kEmulated),
                         NameOfKind);

/// What a fallocate left that ended half-way, say.
TEST_P(BothLimitsTest, ATruncateToItsOwnSizeGivesBackWhatLiesBehind) {
  Start(GetParam());
  ASSERT_OK(writer_->CreateVolume("v1", TreeOf("a", 16 * kMiB), {}));
  const TreeId file = MustCreate("f");
  ASSERT_EQ(Extend(file, 2 * kMiB).error, 0);
  ASSERT_EQ(Truncate(file, 5), 0);
  ASSERT_EQ(Extend(file, 12 * kMiB).error, 0);
  ASSERT_EQ(AllocatedOf("v1/f"), 12 * kMiB);
  ASSERT_EQ(Truncate(file, 5), 0);
  EXPECT_EQ(AllocatedOf("v1/f"), 2 * kMiB);
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->UsageOf("v1").bytes, 2 * kMiB);
  EXPECT_EQ(Fsck(), "");
}

/// More extents than there are rows to promise them.
TEST_F(ImageLimitsTest, AVolumeOfThousandsOfFilesIsScrubbed) {
  constexpr int kFiles = 2100;
  ASSERT_NO_FATAL_FAILURE(MakeDevice(Kind::kImage, 6 * kGiB));
  ASSERT_NO_FATAL_FAILURE(Mkfs());
  ASSERT_NO_FATAL_FAILURE(Open());
  const std::uint64_t fresh = writer_->Figures().free;
  ASSERT_OK(writer_->CreateVolume("v1", TreeOf("a", kFiles * 2 * kMiB), {}));
  for (int i = 0; i < kFiles; ++i) {
    const TreeId file = MustCreate(std::to_string(i));
    ASSERT_EQ(Extend(file, 1).error, 0) << i;
  }
  ASSERT_OK(writer_->DeleteVolume("v1"));
  ASSERT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().pending, 0U);
  EXPECT_EQ(writer_->Figures().free, fresh);
  EXPECT_EQ(Fsck(), "");
}

TEST_F(ImageLimitsTest, WhatCannotBeScrubbedHoldsNothingElseUp) {
  Start(Kind::kImage);
  ASSERT_OK(CreateVolume("bad", 2 * kMiB));
  ASSERT_OK(CreateVolume("good", 4 * kMiB));
  const MediaExtent bad = writer_->Tree()->FindPath("bad/data")->extents[0];
  ASSERT_OK(writer_->DeleteVolume("bad"));
  ASSERT_OK(writer_->DeleteVolume("good"));
  ASSERT_NO_FATAL_FAILURE(Hook());
  hooks_.map = [&](Range range) {
    return range.offset == bad.offset ? DataLoss("poison") : absl::OkStatus();
  };
  EXPECT_THAT(Say(writer_->Reclaim()), HasSubstr("poison"));
  EXPECT_EQ(writer_->Figures().pending, 2 * kMiB);
  hooks_.map = {};
  EXPECT_OK(writer_->Reclaim());
  EXPECT_EQ(writer_->Figures().free, kFreshFree);
  EXPECT_EQ(Fsck(), "");
}

/// Hosts hold pieces, not the nodes that had none.
TEST_F(ImageLimitsTest, NodesOfADeletedVolumeGoWhileHostsHoldIt) {
  Start(Kind::kImage);
  Uuid other;
  other.bytes.fill(7);
  const auto host =
      HostSession::Register(*OpenAgain(), {.host = other, .session = 7});
  ASSERT_OK(host);
  ASSERT_OK(writer_->CreateVolume("v1", TreeOf("a", 4 * kMiB), {}));
  const TreeId file = MustCreate("with a piece");
  ASSERT_EQ(Extend(file, 1).error, 0);
  for (int i = 0; i < 50; ++i) MustCreate(std::to_string(i));
  ASSERT_OK(writer_->DeleteVolume("v1"));
  ASSERT_OK(writer_->Compact());
  // Its directory, the piece and the deletion.
  EXPECT_EQ(writer_->Figures().entries, 3U);
  EXPECT_EQ(Fsck(), "");
}

TEST_F(ImageLimitsTest, SpaceThatMayComeBackLaterIsNoEnospc) {
  Start(Kind::kImage);
  ASSERT_OK(writer_->CreateVolume("v1", TreeOf("a", 4 * kMiB), {}));
  ASSERT_EQ(Extend(MustCreate("f"), 4 * kMiB).error, 0);
  const TreeId g = MustCreate("g");
  const MediaExtent dead = writer_->Tree()->FindPath("v1/f")->extents[0];
  ASSERT_EQ(Remove("f"), 0);
  ASSERT_NO_FATAL_FAILURE(Hook());
  hooks_.map = [&](Range range) {
    return range.offset == dead.offset ? Unavailable("away") : absl::OkStatus();
  };
  EXPECT_EQ(Extend(g, 2 * kMiB).error, EAGAIN);
  hooks_.map = {};
  EXPECT_EQ(Extend(g, 2 * kMiB).error, 0);
}

TEST_F(ImageLimitsTest, ALongGrowthComesInSteps) {
  Start(Kind::kImage);
  ASSERT_OK(writer_->CreateVolume("v1", TreeOf("a", 3 * kGiB), {}));
  const TreeId f = MustCreate("f");
  ASSERT_EQ(Extend(f, 5 * kGiB / 2).error, 0);
  EXPECT_EQ(AllocatedOf("v1/f"), 5 * kGiB / 2);
  {
    const Reader::View tree = writer_->Tree();
    const Node& node = *tree->FindPath("v1/f");
    EXPECT_EQ(node.tree->pieces.size(), 3U);
    for (const MediaExtent& extent : node.extents) {
      EXPECT_LE(extent.length, kGiB);
    }
  }
  EXPECT_EQ(Truncate(f, 5 * kGiB / 2 + 1), 0);
  EXPECT_EQ(Fsck(), "");
}

/// At its own claim a volume waits for nothing, and asks nobody to compact.
TEST_F(ImageLimitsTest, AFullVolumeKeepsThePoolInPeace) {
  Start(Kind::kImage);
  ASSERT_OK(writer_->CreateVolume("v1", TreeOf("a", 4 * kMiB), {}));
  ASSERT_OK(writer_->CreateVolume("v2", TreeOf("b", 2 * kMiB), {}));
  ASSERT_EQ(Extend(MustCreate("f"), 2 * kMiB).error, 0);
  ASSERT_EQ(Remove("f"), 0);  // there is something to compact
  const TreeId full = MustCreate("full", "v2");
  const std::uint64_t generation = Extend(full, 2 * kMiB, "v2").generation;
  std::ostringstream text;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "limits", std::make_shared<spdlog::sinks::ostream_sink_st>(text)));
  for (int i = 0; i < 20; ++i) {
    const TreeAnswer answer = Extend(full, 2 * kMiB + 1, "v2", 0);
    EXPECT_EQ(answer.error, ENOSPC);
    EXPECT_EQ(answer.generation, generation);
  }
  spdlog::set_default_logger(before);
  const std::string lines = text.str();
  const std::size_t first = lines.find("volume_id=v2: is full");
  ASSERT_NE(first, std::string::npos) << lines;
  EXPECT_EQ(lines.find("is full", first + 20), std::string::npos) << lines;
  EXPECT_THAT(lines, HasSubstr("delete files, or make a larger claim"));
}

TEST_F(ImageLimitsTest, PromisesBeyondAllMeasureAreRefusedNotWrapped) {
  Start(Kind::kImage);
  Close();
  AppendRaw({VolumeEntry("a", TreeOf("a", kMostCapacity)),
             VolumeEntry("b", TreeOf("b", kMostCapacity)),
             VolumeEntry("d", TreeOf("d", kMostCapacity))});
  ASSERT_NO_FATAL_FAILURE(Open());
  const auto space =
      writer_->AvailableSpaceNow({.layout = VolumeLayout::kTree});
  ASSERT_OK(space);
  EXPECT_EQ(space->free, 0U);
  EXPECT_EQ(writer_->Figures().promised, ~std::uint64_t{0});
  EXPECT_TRUE(absl::IsResourceExhausted(CreateVolume("c", 2 * kMiB)));
  EXPECT_TRUE(absl::IsResourceExhausted(
      writer_->CreateVolume("c", TreeOf("c", 2 * kMiB), {})));
}

/// Of a device whose files have memory of their own.
class NodeFileTest : public LimitsTest {
 protected:
  void SetUp() override {
    WriteTest::SetUp();
    kind_ = Kind::kEmulated;
    ASSERT_OK(CreateEmulatedDevice(Path("pool"), {.size = kDeviceSize,
                                                  .tag = Uuid::Random(),
                                                  .hosts = {},
                                                  .sparse = false}));
    device_ = OpenAgain();
    ASSERT_NO_FATAL_FAILURE(Mkfs());
    ASSERT_NO_FATAL_FAILURE(Open());
    ASSERT_OK(writer_->CreateVolume("v1", TreeOf("a", 32 * kMiB), {}));
  }
  std::uint64_t MemoryOf(TreeId node) {
    const auto files = device_->ListNodeFiles();
    EXPECT_OK(files);
    for (const DaxDevice::NodeFile& file : *files) {
      if (file.name == NodeFileName("v1", node)) return file.allocated;
    }
    ADD_FAILURE() << "no node file";
    return 0;
  }
};

TEST_F(NodeFileTest, AGrowthThatFailsLeavesNoMemory) {
  const TreeId f = MustCreate("f");
  ASSERT_EQ(Extend(f, 4 * kMiB).error, 0);
  ASSERT_EQ(Truncate(f, 4 * kMiB), 0);
  ASSERT_NO_FATAL_FAILURE(Hook());
  hooks_.after_allocate_node_file = [&](std::string_view) {
    hooks_.after_allocate_node_file = {};
    EXPECT_EQ(Truncate(f, 1), 0);
  };
  EXPECT_EQ(Extend(f, 16 * kMiB).error, EAGAIN) << "it was cut meanwhile";
  const std::uint64_t allocated = AllocatedOf("v1/f");
  EXPECT_LE(MemoryOf(f), allocated);
  EXPECT_EQ(Extend(f, 16 * kMiB).error, 0);
  EXPECT_EQ(Fsck(), "");
}

TEST_F(NodeFileTest, NoMemoryIsMadeForWhatTheVolumeMayNotHold) {
  const TreeId f = MustCreate("f");
  ASSERT_EQ(Extend(f, 2 * kMiB).error, 0);
  ASSERT_NO_FATAL_FAILURE(Hook());
  bool made = false;
  hooks_.after_allocate_node_file = [&](std::string_view) { made = true; };
  EXPECT_EQ(Extend(f, 34 * kMiB).error, ENOSPC);
  for (int i = 0; i < 200; ++i) {
    TreeRequest request = Request(TreeOp::kCreate);
    request.kind = NodeKind::kDirectory;
    request.name = "d" + std::to_string(i);
    if (writer_->ChangeTree(request).error != 0) break;
  }
  EXPECT_EQ(Extend(f, 4 * kMiB).error, ENOSPC) << "no slot for its piece";
  EXPECT_FALSE(made);
}

TEST_F(NodeFileTest, AnOpeningTrimsWhatTheRecordDoesNotSay) {
  const TreeId f = MustCreate("f");
  ASSERT_EQ(Extend(f, 2 * kMiB).error, 0);
  Close();
  ASSERT_OK(device_->AllocateNodeFile(NodeFileName("v1", f), {0, 8 * kMiB}));
  ASSERT_GT(MemoryOf(f), 2 * kMiB);
  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_EQ(MemoryOf(f), 2 * kMiB);
}

/// A range that was given to an append is the file's before anybody stores
/// there, and who stores does so while an owner opens, too.
TEST_F(NodeFileTest, AnOpeningCutsNothingThatIsStoredMeanwhile) {
  constexpr std::uint64_t kGiven = 5000;
  const TreeId f = MustCreate("f");
  ASSERT_EQ(Extend(f, 2 * kMiB).error, 0);
  TreeRequest append = Request(TreeOp::kAppend);
  append.node = f;
  append.size = kGiven;
  ASSERT_EQ(writer_->ChangeTree(append).error, 0);
  const std::string file = NodeFileName("v1", f);
  auto fd = device_->OpenNodeFile(file, Access::kReadWrite);
  ASSERT_OK(fd);
  hooks_.after_list_node_files = [&] {
    EXPECT_EQ(::pwrite(fd->get(), "stored", 6, kGiven + 10), 6);
  };
  ASSERT_NO_FATAL_FAILURE(Hook());
  hooks_.after_list_node_files = {};
  std::array<char, 16> bytes{};
  EXPECT_EQ(::pread(fd->get(), bytes.data(), bytes.size(), kGiven + 10), 6);
  EXPECT_STREQ(bytes.data(), "stored");
  fd->reset();
  EXPECT_OK(device_->EndServingNodeFile(file));
}

TEST_F(NodeFileTest, AnOpeningMakesAFileAsLongAsItsRecordSays) {
  const TreeId f = MustCreate("f");
  ASSERT_EQ(Extend(f, 2 * kMiB).error, 0);
  TreeRequest append = Request(TreeOp::kAppend);
  append.node = f;
  append.size = 5000;
  ASSERT_EQ(writer_->ChangeTree(append).error, 0);
  ASSERT_NO_FATAL_FAILURE(Reopen());
  const auto files = device_->ListNodeFiles();
  ASSERT_OK(files);
  ASSERT_EQ(files->size(), 1U);
  EXPECT_EQ(files->front().size, 5000U);
}

/// As an owner leaves it that dies between the two halves of a cut.
TEST_F(NodeFileTest, WhatLacksBehindAFilesEndIsNobodysFault) {
  const TreeId f = MustCreate("f");
  ASSERT_EQ(Extend(f, 2 * kMiB).error, 0);
  ASSERT_EQ(Truncate(f, 4097), 0);
  ASSERT_NO_FATAL_FAILURE(Hook());
  const auto before = spdlog::default_logger();
  const auto told_of = [&](std::uint64_t lacking) {
    std::ostringstream text;
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "refill", std::make_shared<spdlog::sinks::ostream_sink_st>(text)));
    hooks_.node_file_lacking = lacking;
    EXPECT_OK(writer_->RefillMemory());
    spdlog::set_default_logger(before);
    return text.str();
  };
  EXPECT_THAT(told_of(2 * kMiB - 8192), HasSubstr("it was being cut as its"));
  EXPECT_THAT(told_of(2 * kMiB - 4096), HasSubstr(": a program gave back"));
  hooks_.node_file_lacking = 0;
}

TEST_F(NodeFileTest, ALeftoverThatCannotBeRemovedIsNoReasonNotToOpen) {
  ASSERT_OK(device_->CreateNodeFile(NodeFileName("v1", 77)));
  hooks_.remove_node_file = [](std::string_view) {
    return PermissionDenied("it is immutable");
  };
  ASSERT_NO_FATAL_FAILURE(Hook());
  EXPECT_EQ(MemoryOf(77), 0U);
  hooks_.remove_node_file = {};
}

TEST_F(NodeFileTest, AWriterThatWasOvertakenRemovesNoFile) {
  ASSERT_NO_FATAL_FAILURE(Hook());
  hooks_.remove_node_file = [](std::string_view name) {
    ADD_FAILURE() << name << " is a successor's by now";
    return absl::OkStatus();
  };
  auto successor = Writer::Open(OpenAgain(), {.system_uuid = Uuid::Random(),
                                              .lock_directory = Path("its"),
                                              .take_over = true});
  ASSERT_OK(successor);
  TreeRequest request = Request(TreeOp::kCreate);
  request.name = "late";
  EXPECT_EQ(writer_->ChangeTree(request).error, EIO);
  hooks_.remove_node_file = {};
}

/// Logs that are sound but for numbers at their ends.
class ExtremeTest : public LimitsTest,
                    public ::testing::WithParamInterface<Kind> {
 protected:
  template <typename T>
  T Extreme() {
    constexpr T kMax = std::numeric_limits<T>::max();
    const std::array<T, 7> values = {0,        1,        2,       kMax,
                                     kMax - 1, kMax - 2, kMax / 2};
    return values[random_() % values.size()];
  }
  MediaEntry Record(const std::string& volume, TreeId id, NodeKind kind) {
    NodeRecord record;
    record.kind = kind;
    record.name = std::to_string(id);
    record.revision = std::max<std::uint32_t>(1, Extreme<std::uint32_t>());
    record.mtime_ns = Extreme<std::int64_t>();
    record.ctime_ns = Extreme<std::int64_t>();
    record.request = {.session = Extreme<std::uint32_t>(),
                      .number = Extreme<std::uint64_t>()};
    if (kind == NodeKind::kFile) {
      record.size = Extreme<std::uint64_t>() >> 1;
      record.truncation = Extreme<std::uint32_t>();
      record.next_piece = Extreme<std::uint32_t>();
      record.kept_pieces = record.next_piece == 0 ? 0 : random_() % 2;
      if (record.truncation > 0) {
        record.deletion_number = Extreme<std::uint64_t>();
      }
    }
    auto entry = NewNodeEntry(volume, id, record, {});
    EXPECT_OK(entry);
    return *entry;
  }
  MediaEntry Piece(const std::string& volume, TreeId id, std::uint64_t dead) {
    const std::array<MediaExtent, 1> extents = {
        MediaExtent{0, next_extent_, 2 * kMiB}};
    next_extent_ += 2 * kMiB;
    MediaEntry entry =
        NewPieceEntry(PiecePath(volume, id, Extreme<std::uint32_t>()), extents);
    if (dead != 0) MarkDeadPiece(dead, entry.file);
    return entry;
  }
  std::vector<MediaEntry> Log() {
    const std::string volume =
        random_() % 8 == 0 ? std::string(51 + random_() % 20, 'v') : "v1";
    const std::uint64_t extreme =
        (Extreme<std::uint64_t>() >> 1) / kAllocUnit * kAllocUnit;
    VolumeAttributes attributes = TreeOf(
        "a", random_() % 2 == 0 ? 64 * kMiB : std::max(extreme, 2 * kMiB));
    if (random_() % 2 == 0) {
      attributes.revision =
          std::max<std::uint32_t>(1, Extreme<std::uint32_t>());
    }
    std::vector<MediaEntry> log = {VolumeEntry(volume, attributes)};
    log.push_back(Record(volume, 1, NodeKind::kFile));
    log.push_back(Record(volume, 2, NodeKind::kDirectory));
    if (random_() % 2 == 0) log.push_back(Piece(volume, 1, 0));
    if (random_() % 2 == 0) {
      log.push_back(
          Piece(volume, 1 + random_() % 3,
                std::max<std::uint64_t>(1, Extreme<std::uint64_t>())));
    }
    if (random_() % 2 == 0) log.push_back(Record(volume, 3, NodeKind::kFile));
    return log;
  }
  void ChangeEverything() {
    for (const TreeId id : {1, 2, 3}) {
      for (const TreeOp op :
           {TreeOp::kCreate, TreeOp::kExtend, TreeOp::kSettle,
            TreeOp::kSetAttributes, TreeOp::kRename, TreeOp::kRemove}) {
        TreeRequest request = Request(op);
        request.node = id;
        request.name = std::to_string(id) + (op == TreeOp::kCreate ? "n" : "");
        request.new_name = request.name + "r";
        if (op == TreeOp::kRename && random_() % 2 == 0) {
          request.new_name = std::to_string(id) + "n";
          request.flags = kRenameExchange;
        }
        if (op == TreeOp::kRemove && id == 2) request.flags = kRemoveDirectory;
        request.size = random_() % 2 == 0 ? 3 * kMiB : Extreme<std::uint64_t>();
        request.truncation = Extreme<std::uint32_t>();
        request.set = kSetMode | (random_() % 2 == 0 ? kSetSize : 0U);
        Check(writer_->ChangeTree(request).error, static_cast<int>(op));
        if (HasFatalFailure()) return;
      }
    }
    TreeRequest own = Request(TreeOp::kSetAttributes);
    own.set = kSetMode;
    Check(writer_->ChangeTree(own).error, 100);
  }
  void Check(int error, int what) {
    ASSERT_FALSE(writer_->stopped()) << what;
    ASSERT_NE(error, EIO) << what;
    ++errors_[error];
  }

  std::mt19937_64 random_;
  std::uint64_t next_extent_ = 0;
  std::map<int, int> errors_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, ExtremeTest,
                         ::testing::Values(Kind::kImage, Kind::kEmulated),
                         NameOfKind);

TEST_P(ExtremeTest, NoNumberInALogStopsTheWriter) {
  spdlog::set_level(spdlog::level::off);
  int opened = 0;
  const int logs = GetParam() == Kind::kImage ? 150 : 60;
  for (int seed = 0; seed < logs; ++seed) {
    SCOPED_TRACE(seed);
    random_.seed(seed);
    next_extent_ = 512 * kMiB;
    std::filesystem::remove_all(Path("pool"));
    std::filesystem::remove_all(Path("pool.img"));
    ASSERT_NO_FATAL_FAILURE(MakeDevice(GetParam()));
    ASSERT_NO_FATAL_FAILURE(Mkfs());
    AppendRaw(Log());
    if (GetParam() == Kind::kEmulated) {
      for (const TreeId id : {1, 3}) {
        ASSERT_OK(device_->CreateNodeFile(NodeFileName("v1", id)));
      }
    }
    auto writer = TryOpen();
    if (!writer.ok()) {
      EXPECT_TRUE(absl::IsDataLoss(writer.status())) << Say(writer);
      continue;
    }
    ++opened;
    writer_ = *std::move(writer);
    ASSERT_NO_FATAL_FAILURE(ChangeEverything());
    IgnoreError(writer_->Reclaim(), "whatever it says");
    ASSERT_FALSE(writer_->stopped());
    IgnoreError(writer_->DeleteVolume("v1"), "it may have no next revision");
    ASSERT_FALSE(writer_->stopped());
    ASSERT_NO_FATAL_FAILURE(Reopen());
    Close();
  }
  spdlog::set_level(spdlog::level::info);
  EXPECT_GT(opened, logs / 8);
  EXPECT_GT(errors_[0], logs);
  EXPECT_GT(errors_[EOVERFLOW], 0);
}

}  // namespace
}  // namespace famfs
