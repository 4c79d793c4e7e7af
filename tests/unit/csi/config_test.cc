#include "csi/config/config.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include "base/units.h"
#include "tests/unit/csi/support.h"
#include "tests/unit/dax/device_specs.h"

namespace famfs::csi {
namespace {

constexpr std::string_view kFull = R"(
driver:
  name: memory.example.org
  endpoint: unix:///csi/csi.sock
  nodeId: worker-1
  kubeletPath: /var/lib/k0s/kubelet/
log:
  format: json
  level: debug
pools:
  - name: fast
    device: emulated:/dev/shm/fast
    devices: [emulated:/dev/shm/more]
    format: if-blank
    logLength: 64M
    systemUuid: 1b4e28ba-2fa1-11d2-883f-0016d3cca427
  - name: large
    device: /dev/dax0.0
defaults:
  pool: large
  dataPath: fmap
  uid: 1000
  gid: 2000
  mode: 0750
controller:
  reclaimInterval: 30s
node:
  fusedPath: /usr/libexec/famfs-fused
)";

void ExpectInvalid(std::string_view text, std::string_view part) {
  ExpectError(ParseConfig(text, "c.yaml").status(),
              absl::StatusCode::kInvalidArgument, part);
}

// A good pool, and then what is wrong, from line 2 on.
void ExpectInvalidAfterPool(const std::string& text, std::string_view part) {
  ExpectInvalid("pools: [{name: fast, device: /dev/dax0.0}]\n" + text, part);
}

TEST(Config, EveryKeyIsRead) {
  const auto config = ParseConfig(kFull, "c.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->driver.name, "memory.example.org");
  EXPECT_EQ(config->driver.endpoint, "unix:///csi/csi.sock");
  EXPECT_EQ(config->driver.node_id, "worker-1");
  EXPECT_EQ(config->driver.kubelet_path, "/var/lib/k0s/kubelet");
  EXPECT_EQ(config->log.format, LogFormat::kJson);
  EXPECT_EQ(config->log.level, LogLevel::kDebug);
  ASSERT_EQ(config->pools.size(), 2U);
  EXPECT_EQ(config->pools[0].name, "fast");
  EXPECT_EQ(config->pools[0].device, testing::Spec("emulated:/dev/shm/fast"));
  EXPECT_EQ(config->pools[0].devices,
            testing::Specs({"emulated:/dev/shm/more"}));
  EXPECT_EQ(config->controller.reclaim_interval, std::chrono::seconds(30));
  EXPECT_EQ(config->pools[0].format, FormatPolicy::kIfBlank);
  EXPECT_EQ(config->pools[0].log_length, 64 * kMiB);
  EXPECT_EQ(config->pools[0].system_uuid->ToString(),
            "1b4e28ba-2fa1-11d2-883f-0016d3cca427");
  EXPECT_EQ(config->pools[0].location, "c.yaml:11:5");
  EXPECT_EQ(config->pools[1].format, FormatPolicy::kNever);
  EXPECT_FALSE(config->pools[1].log_length.has_value());
  EXPECT_FALSE(config->pools[1].system_uuid.has_value());
  EXPECT_EQ(config->defaults.pool, "large");
  EXPECT_EQ(config->defaults.data_path, DataPath::kFmap);
  EXPECT_EQ(config->defaults.uid, 1000U);
  EXPECT_EQ(config->defaults.gid, 2000U);
  EXPECT_EQ(config->defaults.mode, 0750U);
  EXPECT_EQ(config->node.fused_path, "/usr/libexec/famfs-fused");
  EXPECT_EQ(config->FindPool("large"), &config->pools[1]);
  EXPECT_EQ(config->FindPool("none"), nullptr);
  EXPECT_EQ(config->PoolNames(), "fast, large");
}

TEST(Config, APoolAloneIsEnough) {
  const auto config =
      ParseConfig("pools: [{name: fast, device: 'image:/x'}]", "c.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->driver.name, "famfs.csi");
  EXPECT_EQ(config->driver.endpoint, "");
  EXPECT_EQ(config->driver.kubelet_path, "/var/lib/kubelet");
  EXPECT_EQ(config->defaults.pool, "fast");  // the only one
  EXPECT_EQ(config->defaults.data_path, DataPath::kAuto);
  EXPECT_EQ(config->defaults.mode, 0777U);
}

TEST(Config, OfSeveralPoolsNoneIsTheDefaultUnlessSaid) {
  const auto config = ParseConfig(
      "pools: [{name: a, device: /x}, {name: b, device: /y}]", "c.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->defaults.pool, "");
}

TEST(Config, AKeyWithoutAValueIsAbsent) {
  const auto config = ParseConfig(
      "driver: {name: , nodeId: }\nlog:\nnode: ~\n"
      "pools: [{name: fast, device: /x}]",
      "c.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->driver.name, "famfs.csi");
}

TEST(Config, AnUnknownKeyIsToldWithItsPlaceAndTheNearestOne) {
  ExpectInvalidAfterPool("driver:\n  nodeID: x\n",
                         "c.yaml:3:3: unknown key \"nodeID\" in driver (did "
                         "you mean \"nodeId\"?); known here are: name, "
                         "endpoint, nodeId, kubeletPath");
  ExpectInvalidAfterPool("drivers: {}\n",
                         "c.yaml:2:1: unknown key \"drivers\" (did you mean "
                         "\"driver\"?)");
  ExpectInvalid("pools:\n  - name: a\n    device: /x\n    size: 4G\n",
                "c.yaml:4:5: unknown key \"size\" in pools[0]; known here are: "
                "name, device, devices, format, logLength, systemUuid");
}

TEST(Config, AKeyGivenTwiceIsToldWithBothPlaces) {
  ExpectInvalidAfterPool(
      "log: {level: info}\nlog: {level: debug}\n",
      "c.yaml:3:1: the key \"log\" is already at c.yaml:2:1");
  ExpectInvalid("pools:\n- name: a\n  device: /x\n  name: b\n",
                "c.yaml:4:3: the key \"pools[0].name\" is already at "
                "c.yaml:2:3");
}

TEST(Config, TwoPoolsNeedTwoNamesAndTwoDevices) {
  ExpectInvalid("pools:\n- {name: a, device: /x}\n- {name: a, device: /y}\n",
                "c.yaml:3:10: pools[1].name: \"a\" is already the name of the "
                "pool at c.yaml:2:3");
  ExpectInvalid("pools:\n- {name: a, device: /x}\n- {name: b, device: /x}\n",
                "pools[1].device: /x is already a device of the pool \"a\"");
}

TEST(Config, AFurtherDeviceIsNamedOnceInTheWholeFile) {
  const auto config = ParseConfig(
      "pools:\n- {name: a, device: /x, devices: [/y, 'image:/z']}\n", "c.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->pools[0].devices, testing::Specs({"/y", "image:/z"}));
  ExpectInvalid("pools:\n- {name: a, device: /x, devices: [/y, /x]}\n",
                "c.yaml:2:39: pools[0].devices[1]: /x is already a device");
  ExpectInvalid("pools:\n- {name: a, device: /x, devices: [/y, /y]}\n",
                "pools[0].devices[1]: /y is already a device");
  ExpectInvalid(
      "pools:\n- {name: a, device: /x, devices: [/y]}\n- {name: b, device: "
      "/y}\n",
      "pools[1].device: /y is already a device of the pool \"a\"");
  ExpectInvalid("pools: [{name: a, device: /x, devices: /y}]\n",
                "pools[0].devices must be a list");
  ExpectInvalid("pools: [{name: a, device: /x, devices: [[/y]]}]\n",
                "pools[0].devices[0] must be a single value");
  ExpectInvalid("pools: [{name: a, device: /x, devices: [y]}]\n",
                "pools[0].devices[0]: \"y\" is no device");
}

TEST(Config, DurationsHaveAUnit) {
  const auto interval = [](const std::string& text) {
    return ParseConfig(
        "pools: [{name: a, device: /x}]\n"
        "controller: {reclaimInterval: " +
            text + "}\n",
        "c.yaml");
  };
  EXPECT_EQ(interval("")->controller.reclaim_interval,
            std::chrono::seconds(10));
  EXPECT_EQ(interval("250ms")->controller.reclaim_interval,
            std::chrono::milliseconds(250));
  EXPECT_EQ(interval("2m")->controller.reclaim_interval,
            std::chrono::minutes(2));
  EXPECT_EQ(interval("24h")->controller.reclaim_interval,
            std::chrono::hours(24));
  for (const char* bad : {"10", "0s", "-1s", "s", "1.5s", "25h", "1 s", "1d",
                          "99999999999999999999h"}) {
    ExpectError(interval(bad).status(), absl::StatusCode::kInvalidArgument,
                "c.yaml:2:31: controller.reclaimInterval");
  }
}

TEST(Config, PoolsAreNeeded) {
  ExpectInvalid("log: {level: info}\n", "c.yaml:1:1: pools: there is none");
  ExpectInvalid("pools: []\n", "c.yaml:1:8: pools: there is none");
  ExpectInvalid("pools: [{device: /x}]\n", "pools[0].name: is missing");
  ExpectInvalid("pools: [{name: a}]\n", "pools[0].device: is missing");
}

TEST(Config, SizesOfTheLogAreChecked) {
  const auto pool = [](const std::string& length) {
    return "pools:\n- name: a\n  device: /x\n  logLength: " + length + "\n";
  };
  EXPECT_TRUE(ParseConfig(pool("8388608"), "c.yaml").ok());
  EXPECT_TRUE(ParseConfig(pool("1GiB"), "c.yaml").ok());
  for (const char* bad : {"4M", "9M", "12M", "8X", "-8M", "eight", "'8 M x'",
                          "99999999999G", "[8M]", "{a: b}"}) {
    ExpectInvalid(pool(bad), "c.yaml:4:14: pools[0].logLength");
  }
}

TEST(Config, NamesAreChecked) {
  for (const char* bad : {"Fast", "-a", "a-", "a.b", "a_b", "\"\""}) {
    ExpectInvalid(fmt::format("pools: [{{device: /x, name: {}}}]", bad),
                  "is no pool name");
  }
  ExpectInvalid("pools: [{device: /x, name: " + std::string(64, 'a') + "}]",
                "is no pool name");
  for (const char* bad : {"Famfs", "famfs..csi", ".csi", "a_b", "a/b"}) {
    ExpectInvalidAfterPool(fmt::format("driver: {{name: {}}}", bad),
                           "c.yaml:2:16: driver.name:");
  }
  ExpectInvalidAfterPool("driver: {name: " + std::string(55, 'a') + "}",
                         "at most 54");
}

TEST(Config, OtherValuesAreChecked) {
  ExpectInvalidAfterPool("driver: {endpoint: csi.sock}", "driver.endpoint");
  ExpectInvalidAfterPool("driver: {kubeletPath: var/lib}", "absolute path");
  ExpectInvalidAfterPool("driver: {nodeId: \"a\\nb\"}", "is no node id");
  ExpectInvalidAfterPool("log: {format: xml}", "write text or json");
  ExpectInvalidAfterPool("log: {level: loud}", "trace, debug, info");
  ExpectInvalidAfterPool("defaults: {mode: 0999}", "octal");
  ExpectInvalidAfterPool("defaults: {uid: root}", "decimal");
  ExpectInvalidAfterPool("defaults: {dataPath: dax}", "defaults.dataPath");
  ExpectInvalidAfterPool("defaults: {pool: slow}",
                         "\"slow\" is none of the pools: fast");
  ExpectInvalidAfterPool("node: {fusedPath: famfs-fused}", "absolute path");
  ExpectInvalid("pools: [{name: a, device: dax0.0}]", "is no device");
  ExpectInvalid("pools: [{name: a, device: 'emulated:x'}]", "is no device");
  ExpectInvalid("pools: [{name: a, device: 'emulated:image:/x'}]",
                "\"emulated:image:/x\" is no device");
  ExpectInvalid("pools: [{name: a, device: 'tape:/x'}]", "is no device");
  ExpectInvalid("pools: [{name: a, device: \"/x\\0y\"}]",
                "\"/x\\x00y\" is no device");
  ExpectInvalid("pools: [{name: a, device: /x, format: always}]",
                "never or if-blank");
  ExpectInvalid("pools: [{name: a, device: /x, systemUuid: 1}]", "systemUuid");
}

TEST(Config, DaxDevicesAreNamedByPathAndByTag) {
  const auto config = ParseConfig(
      "pools: [{name: a, device: 'tag:3F2504E0-4F89-41D3-9A0C-0305E82C3301', "
      "devices: ['devdax:/dev/dax1.0', /dev/dax2.0]}]",
      "c.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->pools[0].device,
            testing::Spec("tag:3f2504e0-4f89-41d3-9a0c-0305e82c3301"));
  EXPECT_EQ(config->pools[0].devices,
            testing::Specs({"devdax:/dev/dax1.0", "/dev/dax2.0"}));
  ExpectInvalid("pools: [{name: a, device: 'tag:fast'}]", "write tag:UUID");
  ExpectInvalid("pools: [{name: a, device: 'devdax:dax0.0'}]", "is no device");
  // However it is written.
  ExpectInvalid(
      "pools: [{name: a, device: 'tag:3f2504e0-4f89-41d3-9a0c-0305e82c3301', "
      "devices: ['tag:3F2504E0-4f89-41d3-9a0c-0305e82c3301']}]",
      "is named once");
}

TEST(Config, AnEmulatedDeviceToBeMadeIsDescribed) {
  const auto config = ParseConfig(
      "pools: [{name: a, device: 'emulated:/x', format: if-blank, "
      "emulated: {size: 8G, sparse: true, hosts: [n1, n2]}}]",
      "c.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  const auto& emulated = config->pools[0].emulated;
  ASSERT_TRUE(emulated.has_value());
  EXPECT_EQ(emulated->size, 8 * kGiB);
  EXPECT_TRUE(emulated->sparse);
  EXPECT_EQ(emulated->hosts, (std::vector<std::string>{"n1", "n2"}));
}

TEST(Config, AnEmulatedDeviceIsDescribedWhereItCanBeMade) {
  const std::string pool = "pools: [{name: a, device: 'emulated:/x', ";
  ExpectInvalid(pool + "emulated: {size: 8G}}]", "format: if-blank");
  ExpectInvalid(
      "pools: [{name: a, device: 'image:/x', format: if-blank, "
      "emulated: {size: 8G}}]",
      "emulated:/DIRECTORY");
  const std::string blank = pool + "format: if-blank, ";
  ExpectInvalid(blank + "emulated: {sparse: true}}]", "size");
  ExpectInvalid(blank + "emulated: {size: 3M}}]", "multiple of 2 MiB");
  ExpectInvalid(blank + "emulated: {size: 2G}}]", "at least 4.00 GiB");
  ExpectInvalid(blank + "emulated: {size: 4094M}}]", "at least 4.00 GiB");
  EXPECT_TRUE(ParseConfig(blank + "emulated: {size: 4096M}}]", "c.yaml").ok());
  ExpectInvalid(blank + "logLength: 2G, emulated: {size: 4G}}]",
                "2.00 GiB is too long for a device of 4.00 GiB; write at most "
                "1.00 GiB");
  EXPECT_TRUE(
      ParseConfig(blank + "logLength: 1G, emulated: {size: 4G}}]", "c.yaml")
          .ok());
  ExpectInvalid(blank + "emulated: {size: 8G, sparse: 1}}]", "true or false");
  ExpectInvalid(blank + "emulated: {size: 8G, host: [a]}}]",
                "did you mean \"hosts\"?");
}

TEST(Config, TheShapeIsChecked) {
  ExpectInvalid("", "is empty");
  ExpectInvalid("# nothing\n", "is empty");
  ExpectInvalid("just text", "c.yaml:1:1: the file must be a mapping");
  ExpectInvalid("- a\n- b\n", "and a list stands here");
  ExpectInvalid("pools: fast\n", "c.yaml:1:8: pools must be a list");
  ExpectInvalid("pools: [fast]\n", "pools[0] must be a mapping");
  ExpectInvalidAfterPool("log: info\n", "c.yaml:2:6: log must be a mapping");
  ExpectInvalidAfterPool("? [a, b]\n: c\n", "must be a key");
  ExpectInvalid("pools: []\n---\npools: []\n", "holds 2 documents");
}

TEST(Config, WhatIsNotYamlIsToldWithItsPlace) {
  ExpectInvalid("pools: [\n", "c.yaml:2:1: is not YAML here");
  ExpectInvalid("a: b: c\n", "c.yaml:1:5: is not YAML here");
  ExpectInvalid("a: *nowhere\n", "is not YAML here");
  ExpectInvalid("a: \xff\n", "not UTF-8");
}

TEST(Config, AFileIsLoadedAndNamedInMessages) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("config.yaml");
  std::ofstream(path) << kFull;
  EXPECT_TRUE(LoadConfig(path).ok());
  std::ofstream(path) << "pool: []\n";
  ExpectError(LoadConfig(path).status(), absl::StatusCode::kInvalidArgument,
              path + ":1:1: unknown key \"pool\" (did you mean \"pools\"?)");
}

// The page that users read: its examples are good, and it names every key.
class ConfigurationPage : public ::testing::Test {
 protected:
  ConfigurationPage() {
    std::ifstream file(FAMFS_DOCS_DIR "/configuration.md");
    page_.assign(std::istreambuf_iterator<char>(file), {});
  }
  std::string page_;
};

TEST_F(ConfigurationPage, ItsExamplesAreGood) {
  int examples = 0;
  const std::string fence = "```yaml\n";
  for (std::size_t at = page_.find(fence); at != std::string::npos;
       at = page_.find(fence, at)) {
    at += fence.size();
    const auto config =
        ParseConfig(page_.substr(at, page_.find("```", at) - at), "example");
    EXPECT_TRUE(config.ok()) << config.status();
    ++examples;
  }
  EXPECT_EQ(examples, 2);
}

TEST_F(ConfigurationPage, ItNamesEveryKey) {
  const std::pair<const char*, const char*> sections[] = {
      {"driver: {x: 1}", "driver."},
      {"log: {x: 1}", "log."},
      {"defaults: {x: 1}", "defaults."},
      {"node: {x: 1}", "node."},
      {"pools: [{x: 1}]", "pools[]."},
      {"controller: {x: 1}", "controller."},
      {"pools: [{name: a, device: 'emulated:/x', format: if-blank, "
       "emulated: {x: 1}}]",
       "pools[].emulated."},
  };
  const std::string pool = "pools: [{name: a, device: /x}]\n";
  for (const auto& [text, prefix] : sections) {
    const bool is_pool = std::string_view(prefix).starts_with("pools");
    const absl::Status error =
        ParseConfig((is_pool ? "" : pool) + text, "c.yaml").status();
    const std::string message(Message(error));
    const std::string marker = "known here are: ";
    ASSERT_NE(message.find(marker), std::string::npos) << message;
    std::istringstream keys(
        message.substr(message.find(marker) + marker.size()));
    std::string key;
    while (keys >> key) {
      if (key.back() == ',') key.pop_back();
      EXPECT_NE(page_.find("| `" + (prefix + key) + "` |"), std::string::npos)
          << prefix << key;
    }
  }
}

TEST(Config, AMissingFileIsToldWithWhatToDo) {
  ExpectError(LoadConfig("/nowhere/config.yaml").status(),
              absl::StatusCode::kNotFound,
              "/nowhere/config.yaml: there is no such file");
  ExpectError(LoadConfig("/nowhere/config.yaml").status(),
              absl::StatusCode::kNotFound, "--config");
}

}  // namespace
}  // namespace famfs::csi
