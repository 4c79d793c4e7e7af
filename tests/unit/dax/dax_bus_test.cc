// Which dax devices there are and what tells them, on made-up kernels.
#include "dax/dax_bus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/sysmacros.h>

#include <string>
#include <vector>

#include "base/units.h"
#include "dax/cxl_tag.h"
#include "dax/sysfs.h"
#include "tests/unit/base/status_matchers.h"
#include "tests/unit/dax/made_up_sysfs.h"

namespace famfs {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using testing::HasError;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::MadeUpSysfs;

constexpr const char* kTagA = "11111111-2222-4333-8444-55555555aaaa";
constexpr const char* kTagB = "11111111-2222-4333-8444-55555555bbbb";
constexpr const char* kNull = "00000000-0000-0000-0000-000000000000";

Uuid Tag(const char* text) { return *Uuid::Parse(text); }

DaxRecord Only(const MadeUpSysfs& sysfs) {
  auto records = ListDax(sysfs.system());
  EXPECT_THAT(records, IsOk());
  if (!records.ok() || records->size() != 1) {
    ADD_FAILURE() << "there is not one device";
    return {};
  }
  return records->front();
}

TEST(SysfsTest, NumbersAreTakenAsTheKernelWritesThem) {
  EXPECT_EQ(ParseKernelNumber("0"), 0U);
  EXPECT_EQ(ParseKernelNumber("67108864"), 67108864U);
  EXPECT_EQ(ParseKernelNumber("0x1f"), 31U);
  EXPECT_EQ(ParseKernelNumber("18446744073709551615"), UINT64_MAX);
  for (const char* text :
       {"", "0x", "-1", "+1", " 1", "1 ", "1x", "18446744073709551616", "x",
        "0x10000000000000000", "1\n"}) {
    EXPECT_EQ(ParseKernelNumber(text), std::nullopt) << text;
  }
}

TEST(SysfsTest, NamesAreSortedAsPeopleCount) {
  EXPECT_TRUE(IsCountedBefore("dax2.0", "dax10.0"));
  EXPECT_FALSE(IsCountedBefore("dax10.0", "dax2.0"));
  EXPECT_TRUE(IsCountedBefore("dax0.2", "dax0.11"));
  EXPECT_TRUE(IsCountedBefore("dax0", "dax0.1"));
  EXPECT_FALSE(IsCountedBefore("dax0.1", "dax0.1"));
  EXPECT_TRUE(
      IsCountedBefore("a18446744073709551616", "a18446744073709551617"));
}

TEST(DaxBusTest, AKernelWithoutThemHasNone) {
  MadeUpSysfs sysfs;
  EXPECT_THAT(*ListDax(sysfs.system()), ElementsAre());
  std::filesystem::remove_all(sysfs.Path("bus"));
  // Nor is anybody asked for their namespaces.
  sysfs.libraries().error = Unavailable("must not be asked");
  EXPECT_THAT(*ListDax(sysfs.system()), ElementsAre());
}

TEST(DaxBusTest, ADeviceIsWhatItsAttributesSay) {
  MadeUpSysfs sysfs;
  sysfs.Add("dax0.0", "251:3");
  const DaxRecord record = Only(sysfs);
  EXPECT_EQ(record.name, "dax0.0");
  EXPECT_EQ(record.path, "/dev/dax0.0");
  EXPECT_EQ(record.mode, DaxMode::kDevdax);
  EXPECT_EQ(record.size, 64 * kMiB);
  EXPECT_EQ(record.align, 2 * kMiB);
  EXPECT_EQ(record.numa_node, 1);
  EXPECT_EQ(record.medium.number, makedev(251, 3));
  EXPECT_NE(record.medium.inode, 0U);
  EXPECT_TRUE(record.tag.is_nil());
  EXPECT_THAT(record.problems, ElementsAre());
  EXPECT_THAT(CheckMappable(record, "it"), IsOk());
  EXPECT_EQ(*DaxNameOf(sysfs.system(), makedev(251, 3)), "dax0.0");
  EXPECT_THAT(DaxNameOf(sysfs.system(), makedev(1, 3)),
              HasError(StatusCode::kInvalidArgument, "1:3 is none"));
}

TEST(DaxBusTest, TheDriverAloneTellsTheMode) {
  const struct {
    const char* driver;
    DaxMode mode;
    const char* advice;
  } cases[] = {
      {"", DaxMode::kNone,
       "once no process has it open (`famfs devices` tells), give it one, as "
       "root: modprobe device_dax; echo dax0.0 > "
       "/sys/bus/dax/drivers/device_dax/new_id"},
      {"fsdev_dax", DaxMode::kFsdev,
       "modprobe device_dax; echo dax0.0 > "
       "/sys/bus/dax/drivers/fsdev_dax/unbind; echo dax0.0 > "
       "/sys/bus/dax/drivers/device_dax/new_id"},
      {"kmem", DaxMode::kSystemRam,
       "daxctl reconfigure-device --force --mode=devdax dax0.0"},
      {"new\x1b[2J", DaxMode::kOther, "\"new\\x1b[2J\", which is not known"},
  };
  MadeUpSysfs sysfs;
  sysfs.Add("dax0.0");
  for (const auto& c : cases) {
    sysfs.SetDriver("dax0.0", c.driver);
    const DaxRecord record = Only(sysfs);
    EXPECT_EQ(record.mode, c.mode) << c.driver;
    EXPECT_THAT(CheckMappable(record, "tag:x"),
                HasError(StatusCode::kUnavailable, c.advice));
    EXPECT_THAT(CheckMappable(record, "tag:x"),
                HasError(StatusCode::kUnavailable, "tag:x: "));
  }
}

TEST(DaxBusTest, WhatMakesNoSenseIsSaidAndNotMapped) {
  const struct {
    const char* attribute;
    const char* text;
    const char* error;
  } cases[] = {
      {"size", "0", "has no memory"},
      {"size", "", "its size in sysfs is \"\", no number"},
      {"size", "many", "its size in sysfs is \"many\", no number"},
      {"size", "-4096", "\"-4096\", no number"},
      {"size", "99999999999999999999999", "no number"},
      {"size", "67108865", "67108865 bytes and an alignment of 2097152"},
      {"align", "0", "an alignment of 0"},
      {"align", "2048", "an alignment of 2048"},
      {"align", "6291456", "a power of two"},
      {"align", "\xff\xfe", "its align in sysfs is \"\\xff\\xfe\""},
      {"align", "1073741824", "64"},  // larger than the device
  };
  for (const auto& c : cases) {
    MadeUpSysfs sysfs;
    sysfs.Add("dax0.0");
    sysfs.Set("dax0.0", c.attribute, c.text);
    EXPECT_THAT(CheckMappable(Only(sysfs), "it"),
                HasError(StatusCode::kUnavailable, c.error))
        << c.attribute << " " << c.text;
  }
  MadeUpSysfs sysfs;
  sysfs.Add("dax0.0");
  sysfs.Unset("dax0.0", "align");
  EXPECT_THAT(CheckMappable(Only(sysfs), "it"),
              HasError(StatusCode::kUnavailable, "align cannot be read"));
  sysfs.Set("dax0.0", "align", "4096");
  sysfs.Set("dax0.0", "numa_node", "-1");
  EXPECT_THAT(CheckMappable(Only(sysfs), "it"), IsOk());
  EXPECT_EQ(Only(sysfs).numa_node, std::nullopt);
  sysfs.Set("dax0.0", "size", "3221225472");
  sysfs.Set("dax0.0", "align", "1073741824");
  EXPECT_THAT(CheckMappable(Only(sysfs), "it"), IsOk());
}

TEST(DaxBusTest, ATaggedAllocationSaysItsTagItself) {
  MadeUpSysfs sysfs;
  sysfs.Add("dax0.0");
  sysfs.libraries().namespaces = {
      {.device = "dax0.0", .uuid = Tag(kTagB), .bad_bytes = 512}};
  sysfs.Set("dax0.0", "uuid", kTagA);
  EXPECT_EQ(Only(sysfs).tag, Tag(kTagA));
  EXPECT_EQ(Only(sysfs).tag_source, TagSource::kAllocation);
  EXPECT_EQ(Only(sysfs).bad_bytes, 512U);
  // The null uuid is what devices without a tag show.
  sysfs.Set("dax0.0", "uuid", kNull);
  EXPECT_EQ(Only(sysfs).tag, Tag(kTagB));
  EXPECT_EQ(Only(sysfs).tag_source, TagSource::kInfoBlock);
  sysfs.libraries().namespaces.clear();
  EXPECT_TRUE(Only(sysfs).tag.is_nil());
  EXPECT_EQ(Only(sysfs).tag_source, TagSource::kNone);
  sysfs.Set("dax0.0", "uuid", "none\x1b");
  EXPECT_TRUE(Only(sysfs).tag.is_nil());
  EXPECT_EQ(Only(sysfs).tag_problem,
            "its uuid in sysfs is \"none\\x1b\", no UUID");
  EXPECT_THAT(CheckMappable(Only(sysfs), "it"), IsOk());
}

// The names of the two buses cross: /dev/dax0.0 belongs to the nd device
// dax0.1.
TEST(DaxBusTest, NoTagIsTakenFromADeviceOfTheSameName) {
  MadeUpSysfs sysfs;
  sysfs.Add("dax0.0", "251:0", "devices/ndbus0/region0/dax0.1");
  sysfs.Add("dax0.1", "251:1", "devices/ndbus0/region0/dax0.0");
  sysfs.Write("devices/ndbus0/region0/dax0.1/uuid", std::string(kTagA) + "\n");
  sysfs.Write("devices/ndbus0/region0/dax0.0/uuid", std::string(kTagB) + "\n");
  sysfs.libraries().namespaces = {
      {.device = "dax0.1", .uuid = Tag(kTagB), .bad_bytes = 0},
      {.device = "dax0.0", .uuid = Tag(kTagA), .bad_bytes = 0}};
  const auto records = ListDax(sysfs.system());
  ASSERT_THAT(records, IsOk());
  ASSERT_EQ(records->size(), 2U);
  EXPECT_EQ(records->at(0).tag, Tag(kTagA));
  EXPECT_EQ(records->at(1).tag, Tag(kTagB));
}

TEST(DaxBusTest, LibrariesThatFailAreAnError) {
  MadeUpSysfs sysfs;
  sysfs.Add("dax0.0");
  sysfs.libraries().error = Unavailable("no answer");
  EXPECT_THAT(ListDax(sysfs.system()),
              HasError(StatusCode::kUnavailable, "no answer"));
}

// Whatever this machine has: the libraries answer, and say nothing themselves.
TEST(DaxLibrariesTest, TheRealOnesAreAsked) {
  ::testing::internal::CaptureStderr();
  const auto namespaces = RealDaxLibraries()->Namespaces();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  ASSERT_THAT(namespaces, IsOk());
  for (const DaxNamespace& one : *namespaces) {
    EXPECT_THAT(one.device, ::testing::StartsWith("dax"));
  }
  EXPECT_THAT(ListDax(DaxSystem::Real()), IsOk());
}

/// A region of volatile CXL memory, and the memory devices behind it.
class CxlTagTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string region = "devices/root0/decoder0.0/region0";
    sysfs_.Add("dax0.0", "251:0", region + "/dax_region0");
    std::filesystem::create_directories(sysfs_.Path("bus/cxl"));
    sysfs_.Link("bus/cxl", region + "/subsystem");
    sysfs_.Write(region + "/interleave_ways", "1\n");
    sysfs_.Write(region + "/target0", "decoder5.0\n");
    AddMemory("endpoint5", "decoder5.0", "mem0", "0x1234");
  }
  void AddMemory(const std::string& endpoint, const std::string& decoder,
                 const std::string& memory, const std::string& serial) {
    const std::string port = "devices/root0/port1/" + endpoint;
    sysfs_.Write(port + "/" + decoder + "/dpa_resource", "0x0\n");
    sysfs_.Link(port + "/" + decoder, "bus/cxl/devices/" + decoder);
    sysfs_.Write("devices/pci/" + memory + "/serial", serial + "\n");
    sysfs_.Link("devices/pci/" + memory, port + "/uport");
  }
  [[nodiscard]] Uuid TagNow() const { return Only(sysfs_).tag; }

  MadeUpSysfs sysfs_;
};

TEST_F(CxlTagTest, ComesOfTheSerialNumberAndIsTheSameEverywhere) {
  // Of "0x1234@0x0", by another program: a tag must not change with a release.
  EXPECT_EQ(TagNow().ToString(), "3d25d89b-be32-58e9-bd07-d0eff2d060ef");
  EXPECT_EQ(Only(sysfs_).tag_source, TagSource::kCxlSerial);
  const Uuid tag = TagNow();
  AddMemory("endpoint5", "decoder5.0", "mem7", "0x1234");  // other names
  EXPECT_EQ(TagNow(), tag);
  AddMemory("endpoint5", "decoder5.0", "mem0", "0x1235");
  EXPECT_NE(TagNow(), tag);
}

TEST_F(CxlTagTest, TwoRegionsOfOneMemoryDiffer) {
  const Uuid tag = TagNow();
  sysfs_.Write("devices/root0/port1/endpoint5/decoder5.0/dpa_resource",
               "0x10000000\n");
  EXPECT_NE(TagNow(), tag);
}

// The kernel keeps a region's first device when its memory goes to another one.
TEST_F(CxlTagTest, ADeviceWithoutMemoryHasNone) {
  const Uuid tag = TagNow();
  sysfs_.Set("dax0.0", "size", "0");
  EXPECT_TRUE(TagNow().is_nil());
  sysfs_.Add("dax0.1", "251:1", "devices/root0/decoder0.0/region0/dax_region0");
  const auto records = ListDax(sysfs_.system());
  ASSERT_THAT(records, IsOk());
  ASSERT_EQ(records->size(), 2U);
  EXPECT_TRUE(records->at(0).tag.is_nil());
  EXPECT_EQ(records->at(1).tag, tag);
}

TEST_F(CxlTagTest, AnInterleavedRegionIsAllOfItsMemories) {
  const Uuid tag = TagNow();
  const std::string region = "devices/root0/decoder0.0/region0";
  sysfs_.Write(region + "/interleave_ways", "2\n");
  EXPECT_TRUE(TagNow().is_nil());  // the second one is not there
  sysfs_.Write(region + "/target1", "decoder6.0\n");
  AddMemory("endpoint6", "decoder6.0", "mem1", "0x5678");
  const Uuid both = TagNow();
  EXPECT_FALSE(both.is_nil());
  EXPECT_NE(both, tag);
}

TEST_F(CxlTagTest, WhatHasNoSerialNumberHasNoTag) {
  for (const char* serial : {"0x0", "0xffffffffffffffff", "", "none"}) {
    AddMemory("endpoint5", "decoder5.0", "mem0", serial);
    EXPECT_TRUE(TagNow().is_nil()) << serial;
  }
  AddMemory("endpoint5", "decoder5.0", "mem0", "0x1234");
  const std::string region = "devices/root0/decoder0.0/region0";
  for (const char* target : {"", "../../../../root0", "decoder9.9"}) {
    sysfs_.Write(region + "/target0", std::string(target) + "\n");
    EXPECT_TRUE(TagNow().is_nil()) << target;
  }
  for (const char* ways : {"0", "17", "-1", "x"}) {
    sysfs_.Write(region + "/interleave_ways", std::string(ways) + "\n");
    EXPECT_TRUE(TagNow().is_nil()) << ways;
  }
}

TEST_F(CxlTagTest, ARegionOfAnotherBusIsNone) {
  std::filesystem::create_directories(sysfs_.Path("bus/nd"));
  sysfs_.Link("bus/nd", "devices/root0/decoder0.0/region0/subsystem");
  EXPECT_TRUE(TagNow().is_nil());
}

}  // namespace
}  // namespace famfs
