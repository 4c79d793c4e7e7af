// The code of each answer, by situation. An orchestrator goes by it: after one
// that is final it forgets the volume, so such a code stands for what is wrong
// with the request and for nothing that may pass.
#include <algorithm>
#include <filesystem>
#include <functional>
#include <limits>

#include "base/units.h"
#include "tests/integration/controller/fixture.h"
#include "tests/unit/base/status_matchers.h"

namespace famfs {
namespace {

using Code = absl::StatusCode;
using Mode = pb::VolumeCapability::AccessMode;
using ::testing::HasSubstr;

constexpr std::int64_t kSize = 4 << 20;  // bytes, of the volume that exists

pb::VolumeCapability CapabilityOf(Mode::Mode mode) {
  pb::VolumeCapability capability;
  capability.mutable_mount();
  capability.mutable_access_mode()->set_mode(mode);
  return capability;
}

/// The wishes that "exists" was made with, under another name.
pb::CreateVolumeRequest NewVolume() {
  pb::CreateVolumeRequest request;
  request.set_name("new");
  request.mutable_capacity_range()->set_required_bytes(kSize);
  *request.add_volume_capabilities() =
      CapabilityOf(Mode::MULTI_NODE_MULTI_WRITER);
  (*request.mutable_parameters())["pool"] = "fast";
  return request;
}

/// A controller with the pools "fast" (emulated), "flat" (an image) and "away"
/// (a device that is not there), and the volume "exists" in "fast".
class CodesTest : public ControllerTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(MakeDevice());
    const std::string image = dir() / "flat.img";
    rig::WriteFile(image, "");
    std::filesystem::resize_file(image, 4 * kGiB);
    ASSERT_NO_FATAL_FAILURE(StartWith(
        PoolConfig() + "  - name: flat\n    device: image:" + image +
        "\n    format: if-blank\n  - name: away\n    device: emulated:" +
        dir() / "away" + "\n"));
    const auto created = Create("exists", kSize, "fast");
    ASSERT_TRUE(created.ok()) << created.status();
    id_ = created->volume().volume_id();
  }

  absl::StatusOr<pb::CreateVolumeResponse> Create(const std::string& name,
                                                  std::int64_t size,
                                                  const std::string& pool) {
    pb::CreateVolumeRequest request = NewVolume();
    request.set_name(name);
    request.mutable_capacity_range()->set_required_bytes(size);
    (*request.mutable_parameters())["pool"] = pool;
    return Send(request);
  }
  absl::StatusOr<pb::CreateVolumeResponse> Send(
      const pb::CreateVolumeRequest& request) {
    return rig::Call(stub(), &pb::Controller::Stub::CreateVolume, request);
  }
  [[nodiscard]] const std::string& id() const { return id_; }

 private:
  std::string id_;
};

using Change = std::function<void(pb::CreateVolumeRequest&)>;

struct Wish {
  const char* name;
  Change change;
  Code code;
};

Change Named(const char* name) {
  return [name](auto& r) { r.set_name(name); };
}

Change Parameter(const char* key, const char* value) {
  return [=](auto& r) { (*r.mutable_parameters())[key] = value; };
}

Change SizeRange(std::int64_t required, std::int64_t limit,
                 const char* name = "new") {
  return [=](auto& r) {
    r.set_name(name);
    r.mutable_capacity_range()->set_required_bytes(required);
    r.mutable_capacity_range()->set_limit_bytes(limit);
  };
}

Change InMode(Mode::Mode asked, const char* pool) {
  return [=](auto& r) {
    *r.mutable_volume_capabilities(0) = CapabilityOf(asked);
    (*r.mutable_parameters())["pool"] = pool;
  };
}

/// What no pool could fulfil.
std::vector<Wish> InvalidArguments() {
  return {
      {"NoName", Named(""), Code::kInvalidArgument},
      {"ALineFeedIsAllowedABellIsNot", Named("a\a"), Code::kInvalidArgument},
      {"NoCapability", [](auto& r) { r.clear_volume_capabilities(); },
       Code::kInvalidArgument},
      {"Block",
       [](auto& r) { r.mutable_volume_capabilities(0)->mutable_block(); },
       Code::kInvalidArgument},
      {"OneWritingNodeOfMany", InMode(Mode::MULTI_NODE_SINGLE_WRITER, "fast"),
       Code::kInvalidArgument},
      {"ManyWritingNodesOnAnImage",
       InMode(Mode::MULTI_NODE_MULTI_WRITER, "flat"), Code::kInvalidArgument},
      {"UnknownParameter", Parameter("garbage", "x"), Code::kInvalidArgument},
      {"UnknownPool", Parameter("pool", "nope"), Code::kInvalidArgument},
      {"BadValue", Parameter("mode", "rwx"), Code::kInvalidArgument},
      {"FmapOnAnEmulatedDevice", Parameter("dataPath", "fmap"),
       Code::kInvalidArgument},
      {"StripsWherePassthroughCanBe", Parameter("interleave.strips", "2"),
       Code::kInvalidArgument},
      {"ASource",
       [](auto& r) {
         r.mutable_volume_content_source()->mutable_volume()->set_volume_id(
             "v1:00000000:x");
       },
       Code::kInvalidArgument},
  };
}

/// What depends on sizes, on the pools that are there and on "exists".
std::vector<Wish> SizesAndPools() {
  const std::int64_t huge = 1LL << 40;
  return {
      {"NegativeRequired", SizeRange(-1, 0), Code::kOutOfRange},
      {"NegativeLimit", SizeRange(0, -1), Code::kOutOfRange},
      {"CrossedBounds", SizeRange(8 << 20, 4 << 20), Code::kOutOfRange},
      {"NegativeRequiredOfOneThatExists", SizeRange(-1, 0, "exists"),
       Code::kOutOfRange},
      {"NegativeLimitOfOneThatExists", SizeRange(0, -1, "exists"),
       Code::kOutOfRange},
      {"CrossedBoundsOfOneThatExists", SizeRange(kSize, kSize - 1, "exists"),
       Code::kOutOfRange},
      {"LargerThanThePool", SizeRange(huge, 0), Code::kOutOfRange},
      {"LargerThanAllNumbers",
       SizeRange(std::numeric_limits<std::int64_t>::max(), 0),
       Code::kOutOfRange},
      {"OtherSize", SizeRange(2 * kSize, 0, "exists"), Code::kAlreadyExists},
      {"LargerThanThePoolOfOneThatExists", SizeRange(huge, 0, "exists"),
       Code::kAlreadyExists},
      {"OtherOwner",
       [](auto& r) {
         r.set_name("exists");
         (*r.mutable_parameters())["uid"] = "7";
       },
       Code::kAlreadyExists},
      {"NoNodeReachesIt",
       [](auto& r) {
         auto& topology = *r.mutable_accessibility_requirements();
         (*topology.add_requisite()->mutable_segments())["elsewhere"] = "true";
       },
       Code::kResourceExhausted},
      {"NoRoom", SizeRange(static_cast<std::int64_t>(8 * kGiB), 0),
       Code::kResourceExhausted},
      {"ThePoolIsAway", InMode(Mode::SINGLE_NODE_WRITER, "away"),
       Code::kUnavailable},
      {"AsItIs", Named("exists"), Code::kOk},
  };
}

/// All in one controller's life, since none may leave a trace.
TEST_F(CodesTest, CreateVolume) {
  std::vector<Wish> wishes = InvalidArguments();
  const std::vector<Wish> more = SizesAndPools();
  wishes.insert(wishes.end(), more.begin(), more.end());
  for (const Wish& wish : wishes) {
    SCOPED_TRACE(wish.name);
    pb::CreateVolumeRequest request = NewVolume();
    wish.change(request);
    const auto answer = Send(request);
    EXPECT_EQ(answer.status().code(), wish.code) << answer.status();
    EXPECT_EQ(answer.ok(), Message(answer.status()).empty());
  }
  pb::ListVolumesRequest all;
  EXPECT_EQ(rig::Call(stub(), &pb::Controller::Stub::ListVolumes, all)
                .status()
                .code(),
            Code::kUnavailable)
      << "a list that leaves out a pool would say that its volumes are gone";
}

TEST_F(CodesTest, AnImageServesWritersOfOneNode) {
  pb::CreateVolumeRequest request = NewVolume();
  (*request.mutable_parameters())["pool"] = "flat";
  EXPECT_THAT(Send(request).status().message(), HasSubstr("data path copy"));
  for (const Mode::Mode mode :
       {Mode::SINGLE_NODE_WRITER, Mode::SINGLE_NODE_MULTI_WRITER,
        Mode::SINGLE_NODE_SINGLE_WRITER, Mode::MULTI_NODE_READER_ONLY}) {
    request.set_name(Mode::Mode_Name(mode));
    *request.mutable_volume_capabilities(0) = CapabilityOf(mode);
    const auto created = Send(request);
    EXPECT_TRUE(created.ok()) << created.status();
  }
  pb::GetCapacityRequest capacity;
  (*capacity.mutable_parameters())["pool"] = "flat";
  *capacity.add_volume_capabilities() =
      CapabilityOf(Mode::MULTI_NODE_MULTI_WRITER);
  const auto none =
      rig::Call(stub(), &pb::Controller::Stub::GetCapacity, capacity);
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_EQ(none->available_capacity(), 0);
}

TEST_F(CodesTest, IdsThatNobodyGaveAreDeletedAlreadyWhateverTheirLength) {
  const std::string instance = id().substr(0, id().rfind(':') + 1);
  for (const std::string& stranger :
       {std::string("x"), std::string(129, 'x'), std::string(100'000, 'x'),
        std::string("v1:../..:x"), "../" + id(), instance + "../../etc",
        instance + std::string(200, 'd'), id() + "\n"}) {
    EXPECT_THAT(Delete(stranger), ::famfs::testing::IsOk());
    pb::ControllerGetVolumeRequest get;
    get.set_volume_id(stranger);
    EXPECT_EQ(rig::Call(stub(), &pb::Controller::Stub::ControllerGetVolume, get)
                  .status()
                  .code(),
              Code::kNotFound);
    pb::ValidateVolumeCapabilitiesRequest validate;
    validate.set_volume_id(stranger);
    *validate.add_volume_capabilities() =
        CapabilityOf(Mode::SINGLE_NODE_WRITER);
    EXPECT_EQ(
        rig::Call(stub(), &pb::Controller::Stub::ValidateVolumeCapabilities,
                  validate)
            .status()
            .code(),
        Code::kNotFound);
  }
  EXPECT_EQ(Delete("").code(), Code::kInvalidArgument);
  EXPECT_EQ(Create("exists", kSize, "fast").value().volume().volume_id(), id());
}

// An id of the pool that is away may be a volume: nobody may forget it.
TEST_F(CodesTest, AnIdOfAPoolThatIsAwayIsUnavailable) {
  EXPECT_EQ(Delete("v1:00000000:0123456789abcdef-01234567").code(),
            Code::kUnavailable);
}

TEST_F(CodesTest, TokensThatCannotBeFollowedAreAborted) {
  for (const std::string& token :
       {std::string("nonsense"), std::string("1"), std::string("===="),
        std::string(129, 'A'), std::string(50'000, 'A'),
        // "v1/nope/0123456789abcdef-01234567": well made, but of no pool.
        std::string("djEvbm9wZS8wMTIzNDU2Nzg5YWJjZGVmLTAxMjM0NTY3")}) {
    pb::ListVolumesRequest request;
    request.set_starting_token(token);
    EXPECT_EQ(rig::Call(stub(), &pb::Controller::Stub::ListVolumes, request)
                  .status()
                  .code(),
              Code::kAborted)
        << token.substr(0, 64);
  }
  pb::ListVolumesRequest request;
  request.set_max_entries(-1);
  EXPECT_EQ(rig::Call(stub(), &pb::Controller::Stub::ListVolumes, request)
                .status()
                .code(),
            Code::kInvalidArgument);
}

TEST_F(CodesTest, WhatWasNotCheckedIsNotConfirmed) {
  struct Case {
    const char* name;
    std::function<void(pb::ValidateVolumeCapabilitiesRequest&)> change;
    const char* message;  // empty: confirmed
  };
  const auto parameter = [](const char* key, const char* value) {
    return [=](auto& r) { (*r.mutable_parameters())[key] = value; };
  };
  const std::vector<Case> cases = {
      {"Nothing", [](auto&) {}, ""},
      {"TheSamePool", parameter("pool", "fast"), ""},
      {"ASidecarsParameter", parameter("csi.storage.k8s.io/pvc/name", "c"), ""},
      {"NoSuchPool", parameter("pool", "nope"), "nope"},
      {"AnotherPool", parameter("pool", "flat"), "pool is fast, not flat"},
      {"NoSuchParameter", parameter("garbage", "x"), "garbage"},
      {"AnotherOwner", parameter("uid", "7"), "0:0 777, not 7:0 777"},
      {"AMutableParameter",
       [](auto& r) { (*r.mutable_mutable_parameters())["garbage"] = "x"; },
       "garbage"},
      {"AContext", [](auto& r) { (*r.mutable_volume_context())["key"] = "x"; },
       "volume_context"},
      {"AModeThatIsNotOffered",
       [](auto& r) {
         *r.add_volume_capabilities() =
             CapabilityOf(Mode::MULTI_NODE_SINGLE_WRITER);
       },
       "MULTI_NODE_SINGLE_WRITER"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    pb::ValidateVolumeCapabilitiesRequest request;
    request.set_volume_id(id());
    *request.add_volume_capabilities() =
        CapabilityOf(Mode::MULTI_NODE_MULTI_WRITER);
    one.change(request);
    const auto answer = rig::Call(
        stub(), &pb::Controller::Stub::ValidateVolumeCapabilities, request);
    ASSERT_TRUE(answer.ok()) << answer.status();
    const bool confirmed = std::string_view(one.message).empty();
    EXPECT_EQ(answer->has_confirmed(), confirmed) << answer->message();
    EXPECT_THAT(answer->message(), HasSubstr(one.message));
  }
}

// The memory goes away under an open pool: every call is to be made again, and
// none may be taken for an answer about volumes.
TEST_F(CodesTest, AMemoryThatGoesAwayIsUnavailableUntilItIsBack) {
  const std::string hidden = device().directory() + ".away";
  ASSERT_EQ(::rename(device().directory().c_str(), hidden.c_str()), 0);
  EXPECT_EQ(Create("pvc", kSize, "fast").status().code(), Code::kUnavailable);
  pb::GetCapacityRequest capacity;
  (*capacity.mutable_parameters())["pool"] = "fast";
  EXPECT_EQ(rig::Call(stub(), &pb::Controller::Stub::GetCapacity, capacity)
                .status()
                .code(),
            Code::kUnavailable);
  rig::WriteFile(device().directory(), "a file where the directory was");
  EXPECT_EQ(Create("pvc", kSize, "fast").status().code(), Code::kUnavailable);
  ASSERT_EQ(::unlink(device().directory().c_str()), 0);
  ASSERT_EQ(::rename(hidden.c_str(), device().directory().c_str()), 0);
  EXPECT_TRUE(
      rig::Eventually([&] { return Create("pvc", kSize, "fast").ok(); }));
}

}  // namespace
}  // namespace famfs
