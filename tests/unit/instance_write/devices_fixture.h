// Instances on several devices, with the verbs that their tests speak in.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dax/emulated.h"
#include "dax/image.h"
#include "fixture.h"
#include "instance/check/fsck.h"
#include "tests/unit/dax/device_specs.h"

namespace famfs {

class DevicesTest : public WriteTest {
 protected:
  /// A further device of this kind, sparse; its spec.
  std::string MakeOther(const std::string& name, Kind kind,
                        std::uint64_t size = kDeviceSize) {
    if (kind == Kind::kImage) {
      EXPECT_OK(CreateImage(Path(name), size));
      return "image:" + Path(name);
    }
    EXPECT_OK(CreateEmulatedDevice(
        Path(name),
        {.size = size, .tag = Uuid::Random(), .hosts = {}, .sparse = true}));
    return "emulated:" + Path(name);
  }

  std::shared_ptr<DeviceSet> Set(Access access = Access::kReadWrite) {
    auto set = DeviceSet::Open(testing::Spec(device_->spec()),
                               testing::Specs(others_), access);
    EXPECT_OK(set);
    return *set;
  }

  void OpenAll() {
    Close();
    auto writer = Writer::Open(
        Set(), {.system_uuid = system_uuid_, .lock_directory = Path("locks")});
    ASSERT_OK(writer);
    writer_ = *std::move(writer);
  }

  absl::Status Add(const std::string& spec,
                   const AddDeviceOptions& options = {}) {
    auto device = OpenDevice(spec, Access::kReadWrite);
    if (!device.ok()) return device.status();
    return writer_->AddDevice(*std::move(device), options);
  }

  /// An instance with this many devices of a kind.
  void StartWith(Kind kind, std::size_t devices) {
    Start(kind);
    for (std::size_t i = 1; i < devices; ++i) {
      others_.push_back(MakeOther(fmt::format("d{}", i), kind));
      ASSERT_OK(Add(others_.back()));
    }
  }

  std::string FsckAll(Access access = Access::kRead) {
    std::string text;
    for (const Finding& finding : famfs::Fsck(*Set(access)).findings) {
      text += finding.ToString() + "\n";
    }
    return text;
  }

  std::vector<MediaExtent> ExtentsOf(const std::string& path) {
    const Node* node = writer_->Tree()->FindPath(path);
    EXPECT_NE(node, nullptr) << path;
    return node == nullptr ? std::vector<MediaExtent>{}
                           : std::vector<MediaExtent>(node->extents.begin(),
                                                      node->extents.end());
  }

  std::vector<std::string> others_;
};

/// What is free on a further device.
inline constexpr std::uint64_t kOtherFree = kDeviceSize - kAllocUnit;

}  // namespace famfs
