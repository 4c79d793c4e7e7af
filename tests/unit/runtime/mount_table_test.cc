#include "runtime/mount_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace famfs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

MountTable Parse(std::string_view text) {
  auto table = MountTable::Parse(text);
  EXPECT_TRUE(table.ok()) << Message(table.status());
  return table.ok() ? *std::move(table) : MountTable();
}

std::vector<int> Ids(const std::vector<const MountEntry*>& entries) {
  std::vector<int> ids;
  for (const MountEntry* entry : entries) ids.push_back(entry->id);
  return ids;
}

TEST(Mountinfo, ReadsEveryFieldOfTheManualPagesExample) {
  const MountTable table = Parse(
      "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root "
      "rw,errors=continue\n");
  ASSERT_EQ(table.entries().size(), 1U);
  const MountEntry& entry = table.entries().front();
  EXPECT_EQ(entry.id, 36);
  EXPECT_EQ(entry.parent, 35);
  EXPECT_EQ(entry.device, (DeviceNumber{98, 0}));
  EXPECT_EQ(entry.root, "/mnt1");
  EXPECT_EQ(entry.mount_point, "/mnt2");
  EXPECT_TRUE(entry.HasOption("noatime"));
  EXPECT_FALSE(entry.HasOption("atime"));
  EXPECT_FALSE(entry.read_only());
  EXPECT_FALSE(entry.shared);
  EXPECT_EQ(entry.fs_type, "ext3");
  EXPECT_EQ(entry.source, "/dev/root");
  EXPECT_EQ(entry.super_options, "rw,errors=continue");
}

TEST(Mountinfo, AcceptsNoAndManyOptionalFields) {
  const MountTable table = Parse(
      "1 0 0:1 / / rw - tmpfs tmpfs rw\n"
      "2 1 0:2 / /a ro shared:5 master:7 propagate_from:2 - tmpfs tmpfs ro\n");
  EXPECT_FALSE(table.entries()[0].shared);
  EXPECT_TRUE(table.entries()[1].shared);
  EXPECT_TRUE(table.entries()[1].read_only());
}

TEST(Mountinfo, DecodesWhatTheKernelEscapes) {
  const MountTable table = Parse(
      R"(1 0 0:1 /a\134b /with\040space\011tab\012line rw - fuse.famfs a\040b rw)"
      "\n");
  EXPECT_EQ(table.entries()[0].root, "/a\\b");
  EXPECT_EQ(table.entries()[0].mount_point, "/with space\ttab\nline");
  EXPECT_EQ(table.entries()[0].source, "a b");
  EXPECT_NE(table.Top("/with space\ttab\nline"), nullptr);
}

TEST(Mountinfo, KeepsABackslashThatBeginsNoEscape) {
  const MountTable table = Parse(R"(1 0 0:1 / /a\8bc\04 rw - tmpfs tmpfs rw)"
                                 "\n");
  EXPECT_EQ(table.entries()[0].mount_point, R"(/a\8bc\04)");
}

TEST(Mountinfo, TellsARootWhoseNameIsGone) {
  const MountTable table =
      Parse("1 0 0:1 /vol-1//deleted /a rw - fuse.famfs x rw\n");
  EXPECT_EQ(table.entries()[0].root, "/vol-1");
  EXPECT_TRUE(table.entries()[0].root_deleted);
}

TEST(Mountinfo, RefusesLinesOfAnotherForm) {
  for (const std::string_view line :
       {"36 35 98:0 /mnt1 /mnt2 rw ext3 /dev/root rw",
        "x 35 98:0 / /mnt2 rw - ext3 /dev/root rw",
        "36 35 98 / /mnt2 rw - ext3 /dev/root rw", "36 35",
        "36 35 98:0 / /mnt2 rw shared:1 - ext3"}) {
    const auto table = MountTable::Parse(line);
    ASSERT_EQ(table.status().code(), absl::StatusCode::kInvalidArgument)
        << line;
    EXPECT_THAT(std::string(Message(table.status())),
                HasSubstr(std::string(line)));
  }
}

TEST(Mountinfo, OrdersAStackByParentsNotByIdsOrLines) {
  const MountTable table = Parse(
      "9 1 0:1 / /a rw - tmpfs bottom rw\n"
      "7 3 0:3 / /a rw - tmpfs top rw\n"
      "3 9 0:2 / /a rw - tmpfs middle rw\n"
      "1 0 0:9 / / rw - tmpfs root rw\n");
  EXPECT_THAT(Ids(table.At("/a")), ElementsAre(9, 3, 7));
  EXPECT_EQ(table.Top("/a")->source, "top");
  EXPECT_EQ(table.Top("/b"), nullptr);
  EXPECT_THAT(table.At("/b"), IsEmpty());
}

TEST(Mountinfo, ShowsTheVisibleMountOfEachPoint) {
  const MountTable table = Parse(
      "9 1 0:1 / /b rw - tmpfs bottom rw\n"
      "7 9 0:3 / /b rw - tmpfs top rw\n"
      "3 1 0:2 / /a rw - tmpfs alone rw\n"
      "1 0 0:9 / / rw - tmpfs root rw\n");
  EXPECT_THAT(Ids(table.Tops()), ElementsAre(1, 3, 7));
}

TEST(Mountinfo, SurvivesParentsThatFormACircle) {
  const MountTable table = Parse(
      "1 2 0:1 / /a rw - tmpfs x rw\n"
      "2 1 0:1 / /a rw - tmpfs x rw\n");
  EXPECT_EQ(table.At("/a").size(), 2U);
}

TEST(Mountinfo, FindsWhatHangsOnAMount) {
  const MountTable table = Parse(
      "1 1 0:9 / / rw - tmpfs root rw\n"
      "5 1 0:1 / /a rw - tmpfs x rw\n"
      "6 5 0:2 / /a/b rw - tmpfs x rw\n");
  EXPECT_THAT(Ids(table.ChildrenOf(5)), ElementsAre(6));
  EXPECT_THAT(Ids(table.ChildrenOf(1)), ElementsAre(5));
  EXPECT_THAT(table.ChildrenOf(6), IsEmpty());
}

TEST(Mountinfo, FindsTheMountThatAPathLiesOn) {
  const MountTable table = Parse(
      "1 0 0:9 / / rw - tmpfs root rw\n"
      "5 1 0:1 / /var/lib rw - tmpfs lib rw\n");
  EXPECT_EQ(table.Containing("/var/lib/kubelet")->source, "lib");
  EXPECT_EQ(table.Containing("/var/lib")->source, "lib");
  EXPECT_EQ(table.Containing("/var/library")->source, "root");
}

TEST(Mountinfo, ReadsThisMachines) {
  const auto table = MountTable::Read();
  ASSERT_TRUE(table.ok()) << Message(table.status());
  EXPECT_EQ(table->Top("/proc")->fs_type, "proc");
}

}  // namespace
}  // namespace famfs
