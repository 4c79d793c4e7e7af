// Dax devices through the tool: a kernel of one's own in a mount namespace,
// whose devices have the numbers of /dev/zero.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/integration/support/rig.h"
#include "tests/integration/tools/famfs_command.h"
#include "tests/unit/dax/made_up_sysfs.h"

namespace famfs {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kTag = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";

class DaxDevices : public ::testing::Test {
 protected:
  /// A shell's lines, in which $1 is famfs.
  [[nodiscard]] Outcome Run(const std::string& lines) const {
    // What the links of the one lead to lies below the other.
    const std::string begin =
        "mkdir -p \"$3/shm\" && mount --bind /dev/shm \"$3/shm\" && "
        "mount --bind \"$2\" /sys && mount --rbind \"$3\" /dev || exit 99\n";
    return RunProgram({"/usr/bin/unshare", "--mount", "/bin/sh", "-c",
                       begin + lines, "sh", rig::Binary("famfs"),
                       sysfs_.Path("").string(), dev_.path()});
  }
  void AddNode(const std::string& name) const {
    ASSERT_EQ(::mknod(dev_.File(name).c_str(), S_IFCHR | 0600, makedev(1, 5)),
              0);
  }
  void AddTagged() {
    sysfs_.Add("dax0.0");
    sysfs_.Set("dax0.0", "uuid", kTag);
    AddNode("dax0.0");
  }

  testing::MadeUpSysfs sysfs_;
  const testing::TemporaryDirectory dev_;
};

TEST_F(DaxDevices, WhereThereIsNoneThatIsSaid) {
  const Outcome text = Run("\"$1\" devices");
  EXPECT_THAT(text, Exits(kOk));
  EXPECT_THAT(text.out, HasSubstr("this host has no dax device"));
  const Outcome json = Run("\"$1\" devices --json");
  EXPECT_THAT(json, Exits(kOk));
  EXPECT_EQ(JsonOf(json), nlohmann::json::array());
}

TEST_F(DaxDevices, AreAskedForWhereOneIsMissing) {
  const Outcome missing = Famfs({"ls", "devdax:/dev/dax97.3"});
  EXPECT_THAT(missing, Exits(kUsage));
  ASSERT_THAT(missing.err, HasSubstr("`famfs devices` lists"));
  const Outcome listed = Famfs({"devices"});  // of this machine
  EXPECT_THAT(listed, Exits(kOk));
  EXPECT_THAT(listed.out, Not(HasSubstr("dax97.3")));
}

TEST_F(DaxDevices, AreListedWithWhatTellsThem) {
  AddTagged();
  sysfs_.Add("dax1.0", "251:1");
  sysfs_.SetDriver("dax1.0", "kmem");
  sysfs_.Set("dax1.0", "align", "1073741824");
  sysfs_.Set("dax1.0", "size", "8589934592");
  sysfs_.Set("dax1.0", "numa_node", "-1");
  sysfs_.Add("dax10.0", "251:2");
  sysfs_.Set("dax10.0", "size", "\x1b[2Jgarbage");
  sysfs_.SetDriver("dax10.0", "");
  AddNode("alias");  // the same device, by another node
  const Outcome json = Run("exec 3<>/dev/alias; \"$1\" devices --json");
  ASSERT_THAT(json, Exits(kOk));
  const nlohmann::json devices = JsonOf(json);
  ASSERT_EQ(devices.size(), 3U);
  EXPECT_EQ(devices[0]["tag"], kTag);
  EXPECT_EQ(devices[0]["tag_source"], "allocation");
  EXPECT_EQ(devices[0]["path"], "/dev/dax0.0");
  EXPECT_EQ(devices[0]["size"], 64 << 20);
  EXPECT_EQ(devices[0]["align"], 2 << 20);
  EXPECT_EQ(devices[0]["mode"], "devdax");
  EXPECT_EQ(devices[0]["numa_node"], 1);
  EXPECT_EQ(devices[0]["famfs"], nullptr);
  EXPECT_EQ(devices[0]["health"], "ok");
  EXPECT_THAT(devices[0]["holders"].get<std::vector<std::string>>(),
              Contains(HasSubstr("(sh)")));
  EXPECT_EQ(devices[1]["tag"], nullptr);
  EXPECT_EQ(devices[1]["mode"], "system-ram");
  EXPECT_EQ(devices[1]["numa_node"], nullptr);
  EXPECT_EQ(devices[1]["align"], 1 << 30);
  EXPECT_EQ(devices[1]["health"], "no node in /dev");
  EXPECT_EQ(devices[2]["path"], "/dev/dax10.0");
  EXPECT_EQ(devices[2]["mode"], "none");
  EXPECT_EQ(devices[2]["health"],
            "its size in sysfs is \"\\x1b[2Jgarbage\", no number");
  const Outcome text = Run("\"$1\" devices");
  EXPECT_THAT(text, Exits(kOk));
  EXPECT_THAT(text.out,
              AllOf(HasSubstr("tag"), HasSubstr(kTag), HasSubstr("system-ram"),
                    HasSubstr("8.00 GiB"), Not(HasSubstr("\x1b"))));
}

TEST_F(DaxDevices, AreNamedByPathAndByTagInEveryCommand) {
  AddTagged();
  const std::string by_tag = std::string("tag:") + kTag;
  for (const std::string& device :
       {by_tag, std::string("devdax:/dev/dax0.0"), std::string("/dev/dax0.0"),
        std::string("tag:3F2504E0-4F89-41D3-9A0C-0305E82C3301")}) {
    const Outcome made = Run("\"$1\" mkfs " + device + " --system-uuid " +
                             kOwner + " --lock-directory /dev/locks");
    EXPECT_THAT(made, Exits(kProblems));
    EXPECT_THAT(made.err, HasSubstr("has 64.00 MiB; famfs needs at least"));
    const Outcome listed = Run("\"$1\" ls " + device);
    EXPECT_THAT(listed, Exits(kProblems)) << device;
    EXPECT_THAT(listed.err, HasSubstr("no famfs"));
  }
  // A name of which only the device is meant, and the path behind it.
  const Outcome copied = Run("\"$1\" cp " + by_tag + ":/a /dev/b");
  EXPECT_THAT(copied, Exits(kProblems));
  EXPECT_THAT(copied.err, HasSubstr("no famfs"));
}

TEST_F(DaxDevices, ThatCannotBeMappedAreRefusedWithWhatToRun) {
  AddTagged();
  const std::string ls_tag = std::string("\"$1\" ls tag:") + kTag;
  const struct {
    const char* driver;
    const char* advice;
  } cases[] = {
      {"kmem", "daxctl reconfigure-device --force --mode=devdax dax0.0"},
      {"fsdev_dax", "echo dax0.0 > /sys/bus/dax/drivers/fsdev_dax/unbind"},
      {"", "modprobe device_dax"},
  };
  for (const auto& c : cases) {
    sysfs_.SetDriver("dax0.0", c.driver);
    for (const std::string& command :
         {ls_tag, std::string("\"$1\" ls /dev/dax0.0")}) {
      const Outcome refused = Run(command);
      EXPECT_THAT(refused, Exits(kUsage));
      EXPECT_THAT(refused.err, HasSubstr(c.advice));
    }
  }
  const Outcome none =
      Run("\"$1\" ls tag:00000000-0000-4000-8000-000000000000");
  EXPECT_THAT(none, Exits(kUsage));
  EXPECT_THAT(none.err,
              HasSubstr(std::string("this host has dax0.0 (") + kTag + ")"));
}

}  // namespace
}  // namespace famfs
