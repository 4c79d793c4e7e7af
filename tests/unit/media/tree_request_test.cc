#include "media/tree_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <random>

namespace famfs {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;

constexpr std::uint64_t kMaxSize = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kHead = 80;

TreeRequest Of(TreeOp op) {
  TreeRequest request;
  request.op = op;
  request.volume = "vol";
  return request;
}
TreeRequest Create() {
  TreeRequest request = Of(TreeOp::kCreate);
  request.parent = 0x1122334455667788;
  request.name = "name";
  request.kind = NodeKind::kSymlink;
  request.uid = 1000;
  request.gid = 2000;
  request.mode = 07777;
  request.target = "target";
  request.mtime_ns = -1;
  request.ctime_ns = 1'700'000'000'123'456'789;
  return request;
}
TreeRequest Remove() {
  TreeRequest request = Of(TreeOp::kRemove);
  request.parent = 7;
  request.name = "name";
  request.flags = kRemoveDirectory;
  return request;
}
TreeRequest Rename() {
  TreeRequest request = Of(TreeOp::kRename);
  request.parent = 7;
  request.name = "old";
  request.new_parent = 0x99;
  request.new_name = "newer";
  request.flags = kRenameExchange;
  return request;
}
TreeRequest SetAttributes() {
  TreeRequest request = Of(TreeOp::kSetAttributes);
  request.node = 0x77;
  request.set = kSetMode | kSetUid | kSetGid | kSetMtime | kSetSize;
  request.size = kMaxSize;
  request.truncation = 0xfffffffe;
  return request;
}
TreeRequest Extend() {
  TreeRequest request = Of(TreeOp::kExtend);
  request.node = 0x77;
  request.size = 12345;
  return request;
}
TreeRequest Settle() {
  TreeRequest request = Of(TreeOp::kSettle);
  request.node = std::numeric_limits<std::uint64_t>::max();
  request.size = 0;
  request.truncation = 3;
  request.mtime_ns = std::numeric_limits<std::int64_t>::min();
  return request;
}

TreeRequest Append() {
  TreeRequest request = Of(TreeOp::kAppend);
  request.node = 0x77;
  request.size = 100;
  return request;
}

constexpr TreeRequest (*kAll[])() = {Create, Remove, Rename, SetAttributes,
                                     Extend, Settle, Append};

Bytes Encoded(const TreeRequest& request) {
  const auto bytes = EncodeTreeRequest(request);
  EXPECT_TRUE(bytes.ok()) << Message(bytes.status());
  return bytes.value_or(Bytes());
}

std::string Text(const absl::Status& status) {
  return std::string(Message(status));
}

void ExpectComesBack(const TreeRequest& request) {
  const Bytes bytes = Encoded(request);
  EXPECT_LE(bytes.size(), kMaxTreeRequest);
  const auto decoded = DecodeTreeRequest(bytes);
  ASSERT_TRUE(decoded.ok()) << Message(decoded.status());
  EXPECT_EQ(*decoded, request);
}

TEST(TreeRequestTest, OfEachOperationComesBack) {
  for (const auto make : kAll) ExpectComesBack(make());
}

TEST(TreeRequestTest, LongestStringsComeBack) {
  TreeRequest create = Create();
  create.volume.assign(kMaxTreeVolume, 'v');
  create.name.assign(kMaxNodeName, 'n');
  create.target.assign(kMaxNodeText - kMaxNodeName, 't');
  ExpectComesBack(create);
  create.name = "n";
  create.target.assign(kMaxNodeText - 1, 't');
  ExpectComesBack(create);
  TreeRequest rename = Rename();
  rename.volume.assign(kMaxTreeVolume, 'v');
  rename.name.assign(kMaxNodeName, '\xff');
  rename.new_name.assign(kMaxNodeName, '\n');
  ExpectComesBack(rename);
}

TEST(TreeRequestTest, KnownFlagsComeBack) {
  for (const std::uint32_t flags : {0U, kRenameNoReplace, kRenameExchange}) {
    TreeRequest request = Rename();
    request.flags = flags;
    ExpectComesBack(request);
  }
  TreeRequest unlink = Remove();
  unlink.flags = 0;
  ExpectComesBack(unlink);
  TreeRequest exactly = Extend();
  exactly.flags = kExtendExactly;
  ExpectComesBack(exactly);
  for (std::uint32_t set = 0; set < 32; ++set) {
    TreeRequest request = SetAttributes();
    request.set = set;
    ExpectComesBack(request);
  }
  TreeRequest root = SetAttributes();
  root.node = kVolumeRoot;
  ExpectComesBack(root);
}

// docs/format.md has this table: a change here is a change of the format.
TEST(TreeRequestTest, LiesWhereTheFormatPageSays) {
  TreeRequest request = Create();
  request.node = 1;
  request.new_parent = 2;
  request.size = 3;
  request.truncation = 4;
  const Bytes bytes = Encoded(request);
  const auto at = [&](std::size_t offset, std::size_t width) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + offset, width);
    return value;
  };
  ASSERT_EQ(bytes.size(), kHead + 3 + 4 + 6);
  EXPECT_EQ(at(0, 1), 1U);
  EXPECT_EQ(at(1, 1), 1U);
  EXPECT_EQ(at(2, 1), 3U);
  EXPECT_EQ(at(3, 1), 3U);
  EXPECT_EQ(at(4, 1), 4U);
  EXPECT_EQ(at(5, 1), 0U);
  EXPECT_EQ(at(6, 2), 6U);
  EXPECT_EQ(at(8, 8), 1U);
  EXPECT_EQ(at(16, 8), 0x1122334455667788U);
  EXPECT_EQ(at(24, 8), 2U);
  EXPECT_EQ(at(32, 8), 3U);
  EXPECT_EQ(at(40, 8), ~0ULL);
  EXPECT_EQ(at(48, 8), 1'700'000'000'123'456'789U);
  EXPECT_EQ(at(56, 4), 0U);
  EXPECT_EQ(at(60, 4), 0U);
  EXPECT_EQ(at(64, 4), 4U);
  EXPECT_EQ(at(68, 4), 1000U);
  EXPECT_EQ(at(72, 4), 2000U);
  EXPECT_EQ(at(76, 4), 07777U);
  EXPECT_EQ(std::memcmp(bytes.data() + kHead, "volnametarget", 13), 0);
  const Bytes rename = Encoded(Rename());
  EXPECT_EQ(std::memcmp(rename.data() + kHead, "vololdnewer", 11), 0);
  EXPECT_EQ(rename[5], std::byte{5});
  EXPECT_EQ(rename[56], std::byte{2});
  EXPECT_EQ(Encoded(SetAttributes())[60], std::byte{31});
}

struct DamageCase {
  const char* name;
  TreeRequest (*request)();
  std::size_t offset;
  std::uint64_t value;
  std::size_t width;
  const char* message;
};

void PrintTo(const DamageCase& c, std::ostream* os) { *os << c.name; }

class DamagedTreeRequestTest : public ::testing::TestWithParam<DamageCase> {};

TEST_P(DamagedTreeRequestTest, IsDataLoss) {
  Bytes bytes = Encoded(GetParam().request());
  ASSERT_LE(GetParam().offset + GetParam().width, bytes.size());
  std::memcpy(bytes.data() + GetParam().offset, &GetParam().value,
              GetParam().width);
  const absl::Status status = DecodeTreeRequest(bytes).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << Text(status);
  EXPECT_THAT(Text(status), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Fields, DamagedTreeRequestTest,
    ::testing::Values(
        DamageCase{"VersionZero", Create, 0, 0, 1, "version is 0"},
        DamageCase{"VersionNewer", Create, 0, 2, 1, "version is 2"},
        DamageCase{"OpZero", Create, 1, 0, 1, "op 0"},
        DamageCase{"OpUnknown", Create, 1, 8, 1, "op 8"},
        DamageCase{"KindZero", Create, 2, 0, 1, "kind 0"},
        DamageCase{"KindUnknown", Settle, 2, 4, 1, "kind 4"},
        DamageCase{"VolumeLonger", Create, 3, 4, 1, "a volume of 4"},
        DamageCase{"VolumePastTheBytes", Create, 3, 255, 1, "volume of 255"},
        DamageCase{"NamePastTheBytes", Create, 4, 255, 1, "a name of 255"},
        DamageCase{"NewNamePastTheBytes", Create, 5, 255, 1, "new_name of 255"},
        DamageCase{"TargetPastTheBytes", Create, 6, 0xffff, 2, "of 65535"},
        DamageCase{"TargetShorter", Create, 6, 5, 2, "target of 5"},
        DamageCase{"VolumeWithSlash", Create, kHead + 1, '/', 1, "has a '/'"},
        DamageCase{"VolumeWithNul", Create, kHead + 1, 0, 1, "volume"},
        DamageCase{"VolumeWithControl", Create, kHead, '\n', 1, "volume"},
        DamageCase{"NameWithSlash", Create, kHead + 4, '/', 1, "name"},
        DamageCase{"NameWithNul", Remove, kHead + 4, 0, 1, "name"},
        DamageCase{"NewNameWithSlash", Rename, kHead + 6, '/', 1, "new_name"},
        DamageCase{"NewNameOfACreation", Rename, 1, 1, 1, "new_name"},
        DamageCase{"NameOfASettle", Remove, 1, 6, 1, "name"},
        DamageCase{"NameMissing", Extend, 1, 2, 1, "'' is no name"},
        DamageCase{"TargetWithNul", Create, kHead + 8, 0, 1, "target"},
        DamageCase{"TargetOfAFile", Create, 2, 2, 1, "target of 6"},
        DamageCase{"TargetOfARemoval", Create, 1, 2, 1, "target of 6"},
        DamageCase{"FlagsOfACreation", Create, 56, 1, 4, "flags are 0x1"},
        DamageCase{"FlagsUnknownInARemoval", Remove, 56, 2, 4, "flags are 0x2"},
        DamageCase{"FlagsUnknownInARename", Rename, 56, 4, 4, "flags are 0x4"},
        DamageCase{"FlagsUnknownInAnExtend", Extend, 56, 2, 4, "flags are 0x2"},
        DamageCase{"FlagsUnknownInAnAppend", Append, 56, 2, 4, "flags are 0x2"},
        DamageCase{"NothingToAppend", Append, 32, 0, 8, "size is 0"},
        DamageCase{"AppendToTheVolume", Append, 8, 0, 8, "node is 0"},
        DamageCase{"FlagsThatExclude", Rename, 56, 3, 4, "exclude"},
        DamageCase{"SetUnknown", SetAttributes, 60, 32, 4, "set is 0x20"},
        DamageCase{"SetOfASettle", Settle, 60, 1, 4, "set is 0x1"},
        DamageCase{"ModeWithType", Create, 76, 0100644, 4, "mode is 0100644"},
        DamageCase{"SizeHuge", Extend, 32, kMaxSize + 1, 8, "size is 92233720"},
        DamageCase{"SettleOfTheRoot", Settle, 8, 0, 8, "node is 0"},
        DamageCase{"ExtendOfTheRoot", Extend, 8, 0, 8, "node is 0"}),
    [](const auto& test) { return test.param.name; });

TEST(TreeRequestTest, LengthsThatAgreeButExceedTheirBoundAreDataLoss) {
  TreeRequest request = Create();
  request.volume.assign(kMaxTreeVolume, 'v');
  Bytes bytes = Encoded(request);
  bytes[3] = std::byte{51};  // one more of the volume, one less of the name
  bytes[4] = std::byte{3};
  EXPECT_THAT(Text(DecodeTreeRequest(bytes).status()),
              HasSubstr("volume has 51 bytes, more than 50"));
  request.name.assign(kMaxNodeName, 'n');
  request.target.assign(kMaxNodeText - kMaxNodeName, 't');
  bytes = Encoded(request);
  bytes[6] = std::byte{86};
  bytes.push_back(std::byte{'t'});
  EXPECT_THAT(Text(DecodeTreeRequest(bytes).status()),
              HasSubstr("more than 340 together"));
}

TEST(TreeRequestTest, OfAnyOtherLengthIsDataLoss) {
  for (const auto make : kAll) {
    Bytes bytes = Encoded(make());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_TRUE(absl::IsDataLoss(
          DecodeTreeRequest(std::span(bytes).first(size)).status()))
          << size;
    }
    while (bytes.size() <= kMaxTreeRequest) {
      bytes.push_back(std::byte{0});
      EXPECT_TRUE(absl::IsDataLoss(DecodeTreeRequest(bytes).status()));
    }
  }
}

TEST(TreeRequestTest, ThatCouldNotBeReadIsNotEncoded) {
  const auto code = [](TreeRequest request, void (*change)(TreeRequest&)) {
    change(request);
    return EncodeTreeRequest(request).status().code();
  };
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  constexpr auto kTooLong = absl::StatusCode::kOutOfRange;
  using R = TreeRequest;
  EXPECT_EQ(code(Create(), [](R& r) { r.op = TreeOp{0}; }), kInvalid);
  EXPECT_EQ(code(Create(), [](R& r) { r.op = TreeOp{7}; }), kInvalid);
  EXPECT_EQ(code(Create(), [](R& r) { r.kind = NodeKind{9}; }), kInvalid);
  EXPECT_EQ(code(Create(), [](R& r) { r.volume.clear(); }), kInvalid);
  EXPECT_EQ(code(Create(), [](R& r) { r.volume = ".."; }), kInvalid);
  EXPECT_EQ(code(Create(), [](R& r) { r.volume = "a/b"; }), kInvalid);
  EXPECT_EQ(code(Create(), [](R& r) { r.volume.assign(51, 'v'); }), kInvalid);
  EXPECT_EQ(code(Create(), [](R& r) { r.name = ".."; }), kInvalid);
  EXPECT_EQ(code(Create(), [](R& r) { r.target.clear(); }), kInvalid);
  EXPECT_EQ(code(Create(), [](R& r) { r.flags = 1; }), kInvalid);
  EXPECT_EQ(code(Create(), [](R& r) { r.mode = 010000; }), kInvalid);
  EXPECT_EQ(code(Create(), [](R& r) { r.set = kSetMode; }), kInvalid);
  EXPECT_EQ(code(Extend(), [](R& r) { r.size = kMaxSize + 1; }), kInvalid);
  EXPECT_EQ(code(Extend(), [](R& r) { r.name = "n"; }), kInvalid);
  EXPECT_EQ(code(Remove(), [](R& r) { r.new_name = "n"; }), kInvalid);
  EXPECT_EQ(code(Create(), [](R& r) { r.name.assign(256, 'n'); }), kTooLong);
  EXPECT_EQ(code(Rename(), [](R& r) { r.new_name.assign(9999, 'n'); }),
            kTooLong);
  EXPECT_EQ(code(Create(), [](R& r) { r.target.assign(337, 't'); }), kTooLong);
  EXPECT_EQ(code(Create(), [](R& r) { r.target.assign(1 << 17, 't'); }),
            kTooLong);
}

/// What is decoded encodes to the same bytes; what is refused has a reason.
void ExpectExact(const Bytes& bytes) {
  const auto decoded = DecodeTreeRequest(bytes);
  if (decoded.ok()) {
    EXPECT_EQ(Encoded(*decoded), bytes);
  } else {
    EXPECT_TRUE(absl::IsDataLoss(decoded.status()));
  }
}

TEST(TreeRequestTest, WithAnyBitFlippedIsRefusedOrSaysJustThat) {
  for (const auto make : kAll) {
    Bytes bytes = Encoded(make());
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      const auto mask = std::byte{1} << (bit % 8);
      bytes[bit / 8] ^= mask;
      ExpectExact(bytes);
      bytes[bit / 8] ^= mask;
    }
  }
}

TEST(TreeRequestTest, AnythingDecodedEncodesToTheSameBytes) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes = Encoded(kAll[random() % std::size(kAll)]());
    for (auto n = random() % 3; n < 3; ++n) {
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    }
    ExpectExact(bytes);
  }
}

TEST(TreeAnswerTest, ComesBack) {
  const TreeAnswer answer{.error = 4095,
                          .node = ~0ULL,
                          .generation = 0x1122334455667788,
                          .entries = 77};
  const Bytes bytes = EncodeTreeAnswer(answer);
  ASSERT_EQ(bytes.size(), kMaxTreeAnswer);
  EXPECT_EQ(*DecodeTreeAnswer(bytes), answer);
  EXPECT_EQ(*DecodeTreeAnswer(EncodeTreeAnswer({})), TreeAnswer());
  // docs/format.md has this table: a change here is a change of the format.
  const std::uint64_t words[] = {4095ULL << 32 | 1, ~0ULL, 0x1122334455667788,
                                 77};
  EXPECT_EQ(std::memcmp(bytes.data(), words, sizeof(words)), 0);
}

TEST(TreeAnswerTest, OfAnotherFormIsDataLoss) {
  const auto loss = [](std::span<const std::byte> bytes) {
    return absl::IsDataLoss(DecodeTreeAnswer(bytes).status());
  };
  Bytes bytes = EncodeTreeAnswer({.error = ENOENT});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_TRUE(loss(std::span(bytes).first(size))) << size;
  }
  bytes.push_back(std::byte{0});
  EXPECT_TRUE(loss(bytes));
  EXPECT_TRUE(loss(EncodeTreeAnswer({.error = -1})));
  EXPECT_TRUE(loss(EncodeTreeAnswer({.error = 4096})));
  bytes.pop_back();
  bytes[0] = std::byte{2};
  EXPECT_TRUE(loss(bytes));
}

}  // namespace
}  // namespace famfs
