// The checker that shares no code has to notice what is wrong: each rule of
// tree volumes is broken once, in a log that is right otherwise.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <functional>

#include "instance/check/mkfs.h"
#include "instance/tree/new_entry.h"
#include "instance/writer/writer.h"
#include "media/checksum.h"
#include "media/rules.h"
#include "tests/crash/recording_device.h"
#include "tests/model/golden_rules.h"

namespace famfs::model {
namespace {

class GoldenTreesTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override {
    writer_.reset();
    std::filesystem::remove_all(locks_);
  }
  TreeId Make(NodeKind kind, TreeId parent, const std::string& name);
  void Ask(TreeRequest request);

  /// The last entry of a path that ends so, changed and sealed again.
  void Change(std::string_view end,
              const std::function<void(MediaEntry&)>& change);
  /// The same in the record that it has.
  void ChangeRecord(std::string_view end,
                    const std::function<void(NodeRecord&)>& change);
  [[nodiscard]] std::vector<std::string> Problems() const {
    return golden::CheckRules({medium_.data(), crash::kPrimarySize}).problems;
  }
  /// Changed back afterwards.
  void ExpectFound(const char* what, const std::function<void()>& change) {
    medium_.Checkpoint();
    medium_.Touch({kLogOffset, 64 * sizeof(MediaEntry)});
    change();
    EXPECT_FALSE(Problems().empty()) << "not found: " << what;
    medium_.Rollback();
    EXPECT_TRUE(Problems().empty()) << what;
  }
  [[nodiscard]] std::string File() const { return NodePath("v", file_); }

  std::string locks_;
  crash::Medium medium_{false};
  std::unique_ptr<Writer> writer_;
  TreeId directory_ = 0;
  TreeId file_ = 0;
  TreeId link_ = 0;
};

void GoldenTreesTest::SetUp() {
  spdlog::set_level(spdlog::level::off);
  std::string name = ::testing::TempDir() + "/famfs-golden-XXXXXX";
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  locks_ = name;
  Uuid host;
  host.bytes.fill(0x33);
  MkfsOptions options;
  options.system_uuid = host;
  options.lock_directory = locks_;
  const auto device =
      std::make_shared<crash::RecordingDevice>(medium_, nullptr);
  ASSERT_TRUE(Mkfs(*device, options).ok());
  writer_ =
      *Writer::Open(device, {.system_uuid = host, .lock_directory = locks_});
  VolumeAttributes attributes;
  attributes.name = "claim";
  attributes.capacity = 32 * kAllocUnit;
  attributes.layout = VolumeLayout::kTree;
  ASSERT_TRUE(writer_->CreateVolume("v", attributes, {}).ok());
  directory_ = Make(NodeKind::kDirectory, kVolumeRoot, "d");
  file_ = Make(NodeKind::kFile, directory_, "f");
  link_ = Make(NodeKind::kSymlink, kVolumeRoot, "l");
  TreeRequest request;
  request.op = TreeOp::kExtend;
  request.volume = "v";
  request.node = file_;
  for (std::uint64_t units = 0; units < 3; ++units) {
    request.size = units * kAllocUnit + 1;
    Ask(request);
  }
  request.op = TreeOp::kSettle;
  request.size = 4 * kAllocUnit;
  Ask(request);
  EXPECT_EQ(Problems(), std::vector<std::string>());
}

TreeId GoldenTreesTest::Make(NodeKind kind, TreeId parent,
                             const std::string& name) {
  TreeRequest request;
  request.volume = "v";
  request.parent = parent;
  request.name = name;
  request.kind = kind;
  if (kind == NodeKind::kSymlink) request.target = "target";
  const TreeAnswer answer = writer_->ChangeTree(request);
  EXPECT_EQ(answer.error, 0) << name;
  return answer.node;
}

void GoldenTreesTest::Ask(TreeRequest request) {
  EXPECT_EQ(writer_->ChangeTree(request).error, 0);
}

void GoldenTreesTest::Change(std::string_view end,
                             const std::function<void(MediaEntry&)>& change) {
  for (std::uint64_t i = writer_->Figures().entries; i-- > 0;) {
    auto& entry = *reinterpret_cast<MediaEntry*>(medium_.data() + kLogOffset +
                                                 EntryAt(i));
    const std::string_view path =
        PathFromField(entry.type == static_cast<std::uint32_t>(EntryType::kFile)
                          ? entry.file.path
                          : entry.mkdir.path);
    if (!path.ends_with(end)) continue;
    change(entry);
    Seal(entry);
    return;
  }
  FAIL() << "no entry of " << end;
}

void GoldenTreesTest::ChangeRecord(
    std::string_view end, const std::function<void(NodeRecord&)>& change) {
  Change(end, [&](MediaEntry& entry) {
    NodeRecord record = **DecodeNodeRecord(entry.mkdir);
    change(record);
    ASSERT_TRUE(EncodeNodeRecord(record, entry.mkdir).ok());
  });
}

TEST_F(GoldenTreesTest, EachBrokenRuleOfARecordIsFound) {
  const auto record = [&](const char* what,
                          const std::function<void(NodeRecord&)>& change) {
    ExpectFound(what, [&] { ChangeRecord(File(), change); });
  };
  record("a revision that is there", [](auto& r) { r.revision = 1; });
  record("another kind", [](auto& r) {
    NodeRecord other;
    other.kind = NodeKind::kDirectory;
    other.revision = r.revision;
    other.name = "f";
    r = other;
  });
  record("a parent that is none", [](auto& r) { r.parent = 12345; });
  record("a parent that is a link", [&](auto& r) { r.parent = link_; });
  record("a name that is taken", [](auto& r) {
    r.parent = kVolumeRoot;
    r.name = "l";
  });
  record("more bytes than pieces", [](auto& r) { r.size = 1ULL << 40; });
  record("pieces not counted", [](auto& r) { r.next_piece = 1; });
  record("pieces given up under no number", [](auto& r) {
    r.truncation = 1;
    r.kept_pieces = 1;
    r.size = 1;
  });
  ExpectFound("a removal of what was never there", [&] {
    ChangeRecord(NodePath("v", link_), [](auto& r) {
      r.state = NodeState::kRemoved;
      r.deletion_number = 7;
    });
  });
  ExpectFound("a directory within itself", [&] {
    ChangeRecord(NodePath("v", directory_),
                 [&](auto& r) { r.parent = directory_; });
  });
  ExpectFound("a record of nothing", [&] {
    Change(File(),
           [](MediaEntry& entry) { entry.mkdir.extension[0] ^= std::byte{1}; });
  });
  ExpectFound("a byte behind a record", [&] {
    Change(File(), [](MediaEntry& entry) {
      entry.mkdir.extension[427] = std::byte{1};
    });
  });
}

TEST_F(GoldenTreesTest, EachBrokenRuleOfAPieceIsFound) {
  const std::string first = PiecePath("v", file_, 0);
  const auto piece = [&](const char* what,
                         const std::function<void(MediaFile&)>& change) {
    ExpectFound(what, [&] {
      Change(first, [&](MediaEntry& entry) { change(entry.file); });
    });
  };
  const auto call = [](MediaFile& file, const std::string& path) {
    std::memset(file.path, 0, sizeof(file.path));
    std::memcpy(file.path, path.data(), path.size());
  };
  piece("a mode that is neither's", [](auto& f) { f.mode = 0644; });
  piece("a dead piece without a number", [](auto& f) { f.mode = 01000; });
  piece("an owner", [](auto& f) { f.uid = 1; });
  piece("a size that is not the extents'", [](auto& f) { f.size = 1; });
  piece("a dead piece that the size needs", [](auto& f) {
    f.mode = 01000;
    f.uid = 1;
  });
  piece("a piece of no node",
        [&](auto& f) { call(f, PiecePath("v", file_ ^ 1, 0)); });
  piece("a piece of a directory",
        [&](auto& f) { call(f, PiecePath("v", directory_, 0)); });
  piece("pieces out of order",
        [&](auto& f) { call(f, PiecePath("v", file_, 1)); });
  piece("a number that was never counted",
        [&](auto& f) { call(f, PiecePath("v", file_, 77)); });
  piece("a leading zero",
        [&](auto& f) { call(f, NodePath("v", file_) + ".00"); });
  piece("an extent in the log",
        [](auto& f) { f.extents[0].offset = kLogOffset; });
}

}  // namespace
}  // namespace famfs::model
