// The Controller service over its socket: what csi-sanity does not ask.
#include <future>

#include "tests/integration/controller/fixture.h"
#include "tests/integration/support/capabilities.h"
#include "tests/unit/base/status_matchers.h"

namespace famfs {
namespace {

using ::famfs::testing::HasError;
using Mode = pb::VolumeCapability::AccessMode;

class ControllerServiceTest : public ControllerTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(MakeDevice());
    ASSERT_NO_FATAL_FAILURE(StartController());
  }

  static pb::CreateVolumeRequest Request(const std::string& name) {
    pb::CreateVolumeRequest request;
    request.set_name(name);
    *request.add_volume_capabilities() = SharedWriter();
    return request;
  }
  absl::StatusOr<pb::CreateVolumeResponse> Send(
      const pb::CreateVolumeRequest& request) {
    return rig::Call(stub(), &pb::Controller::Stub::CreateVolume, request);
  }
};

TEST_F(ControllerServiceTest, VolumesSurviveARestartByteForByte) {
  const auto before = Send(Request("pvc"));
  ASSERT_TRUE(before.ok()) << before.status();
  EXPECT_EQ(before->volume().capacity_bytes(), static_cast<std::int64_t>(kGiB));
  ASSERT_EQ(controller().Stop().value_or(-1), 0) << controller().output();
  EXPECT_NE(::access(socket().c_str(), F_OK), 0) << "the socket was left";
  ASSERT_NO_FATAL_FAILURE(StartController());
  const auto after = Send(Request("pvc"));
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->SerializeAsString(), before->SerializeAsString());
}

TEST_F(ControllerServiceTest, HostileNamesAreOnlyNames) {
  for (const std::string& name :
       {std::string("../../etc/passwd"), std::string("a/b/c"),
        std::string(".."), std::string(128, 'x'), std::string("ünïcödé ☃")}) {
    const auto created = Send(Request(name));
    ASSERT_TRUE(created.ok()) << name << ": " << created.status();
    EXPECT_LE(created->volume().volume_id().size(), 128U);
    EXPECT_EQ(created->volume().volume_id().find('/'), std::string::npos);
  }
  for (const std::string& name :
       {std::string(), std::string("bell\a"), std::string("nul\0x", 5),
        std::string(129, 'x')}) {
    EXPECT_EQ(Send(Request(name)).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(ControllerServiceTest, ANameForgesNoLineOfTheLog) {
  const std::string forged =
      "2026-01-31T10:00:00.123Z error famfs-csi-controller: all is lost";
  const std::string name = "pvc\n" + forged + "\xe2\x80\xae";
  ASSERT_TRUE(Send(Request(name)).ok());
  auto other = Request(name);
  (*other.mutable_parameters())["uid"] = "77";
  const auto refused = Send(other);
  ASSERT_THAT(refused, HasError(absl::StatusCode::kAlreadyExists, "differs"));
  // Who gets the error writes it into a log, too.
  EXPECT_EQ(Message(refused.status()).find('\n'), std::string_view::npos);
  const std::string output = controller().output();
  EXPECT_NE(output.find(forged), std::string::npos) << output;
  EXPECT_EQ(output.find("\n" + forged), std::string::npos) << output;
  EXPECT_EQ(output.find("\xe2\x80\xae"), std::string::npos) << output;
}

TEST_F(ControllerServiceTest, ImpossibleWishesAreInvalid) {
  auto request = Request("pvc");
  (*request.mutable_parameters())["datapath"] = "copy";
  EXPECT_THAT(Send(request),
              HasError(absl::StatusCode::kInvalidArgument, "dataPath"));
  request = Request("pvc");
  (*request.mutable_parameters())["dataPath"] = "copy";
  EXPECT_THAT(Send(request), HasError(absl::StatusCode::kInvalidArgument,
                                      "MULTI_NODE_MULTI_WRITER"));
  (*request.mutable_parameters())["dataPath"] = "fmap";
  EXPECT_THAT(Send(request),
              HasError(absl::StatusCode::kInvalidArgument, "devdax"));
  request = Request("pvc");
  request.mutable_volume_capabilities(0)->mutable_access_mode()->set_mode(
      Mode::MULTI_NODE_SINGLE_WRITER);
  EXPECT_EQ(Send(request).status().code(), absl::StatusCode::kInvalidArgument);
  request = Request("pvc");
  request.mutable_volume_capabilities(0)->mutable_block();
  EXPECT_EQ(Send(request).status().code(), absl::StatusCode::kInvalidArgument);
  request = Request("pvc");
  request.mutable_volume_content_source()->mutable_volume()->set_volume_id("x");
  EXPECT_EQ(Send(request).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(List().empty()) << "a refusal left something";
}

TEST_F(ControllerServiceTest, SidecarsParametersAreIgnored) {
  auto request = Request("pvc");
  (*request.mutable_parameters())["csi.storage.k8s.io/pvc/name"] = "claim";
  EXPECT_TRUE(Send(request).ok());
}

TEST_F(ControllerServiceTest, TopologyDecidesWhoReachesThePool) {
  auto request = Request("pvc");
  auto& segments = *request.mutable_accessibility_requirements()
                        ->add_requisite()
                        ->mutable_segments();
  segments["topology.famfs.csi/other"] = "true";
  EXPECT_THAT(Send(request), HasError(absl::StatusCode::kResourceExhausted,
                                      "topology.famfs.csi/fast"));
  segments["topology.famfs.csi/fast"] = "true";
  const auto created = Send(request);
  ASSERT_TRUE(created.ok()) << created.status();
  ASSERT_EQ(created->volume().accessible_topology_size(), 1);
  const auto& reachable = created->volume().accessible_topology(0).segments();
  EXPECT_EQ(reachable.size(), 1U);
  EXPECT_EQ(reachable.at("topology.famfs.csi/fast"), "true");
}

TEST_F(ControllerServiceTest, CapacityIsZeroWhereThePoolIsNotReached) {
  EXPECT_GT(Capacity().available_capacity(), 0);
  pb::GetCapacityRequest request;
  request.mutable_accessible_topology();  // present and empty
  auto answer = rig::Call(stub(), &pb::Controller::Stub::GetCapacity, request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->available_capacity(), 0);
  EXPECT_EQ(answer->maximum_volume_size().value(), 0);
}

TEST_F(ControllerServiceTest, ATokenThatCannotBeFollowedIsAborted) {
  pb::ListVolumesRequest request;
  request.set_starting_token("nonsense");
  EXPECT_EQ(rig::Call(stub(), &pb::Controller::Stub::ListVolumes, request)
                .status()
                .code(),
            absl::StatusCode::kAborted);
}

TEST_F(ControllerServiceTest, ManyCallersOfOneNameGetOneVolume) {
  std::vector<std::future<absl::StatusOr<pb::CreateVolumeResponse>>> calls;
  for (int i = 0; i < 16; ++i) {
    calls.push_back(std::async(std::launch::async,
                               [this] { return Send(Request("same")); }));
  }
  std::string id;
  for (auto& call : calls) {
    const auto created = call.get();
    ASSERT_TRUE(created.ok()) << created.status();
    if (id.empty()) id = created->volume().volume_id();
    EXPECT_EQ(created->volume().volume_id(), id);
  }
  EXPECT_EQ(List().size(), 1U);
}

TEST_F(ControllerServiceTest, SecretsAreNotInTheLog) {
  auto request = Request("pvc");
  (*request.mutable_secrets())["token"] = "hunter2-secret";
  ASSERT_TRUE(Send(request).ok());
  request.set_name("other");
  (*request.mutable_parameters())["unknown"] = "x";
  ASSERT_FALSE(Send(request).ok());
  EXPECT_EQ(controller().output().find("hunter2-secret"), std::string::npos);
}

TEST_F(ControllerServiceTest, EachCapabilityIsTheCallsThatAreAnswered) {
  const rig::Offers offers{
      .behind = {{"CREATE_DELETE_VOLUME", {"CreateVolume", "DeleteVolume"}},
                 {"PUBLISH_UNPUBLISH_VOLUME",
                  {"ControllerPublishVolume", "ControllerUnpublishVolume"}},
                 {"LIST_VOLUMES", {"ListVolumes"}},
                 {"GET_CAPACITY", {"GetCapacity"}},
                 {"CREATE_DELETE_SNAPSHOT",
                  {"CreateSnapshot", "DeleteSnapshot"}},
                 {"LIST_SNAPSHOTS", {"ListSnapshots"}},
                 {"CLONE_VOLUME", {}},
                 {"PUBLISH_READONLY", {}},
                 {"EXPAND_VOLUME", {"ControllerExpandVolume"}},
                 {"LIST_VOLUMES_PUBLISHED_NODES", {}},
                 {"GET_VOLUME", {"ControllerGetVolume"}},
                 {"SINGLE_NODE_MULTI_WRITER", {}},
                 {"MODIFY_VOLUME", {"ControllerModifyVolume"}},
                 {"GET_SNAPSHOT", {"GetSnapshot"}},
                 {"GET_VOLUME_HEALTH", {"ControllerGetVolumeHealth"}},
                 {"LIST_VOLUME_HEALTH", {"ControllerListVolumeHealth"}}},
      .always = {"ValidateVolumeCapabilities", "ControllerGetCapabilities"}};
  const auto& service =
      *pb::Volume::descriptor()->file()->FindServiceByName("Controller");
  rig::ExpectComplete(offers,
                      *pb::ControllerServiceCapability::RPC::Type_descriptor(),
                      service);
  const auto can =
      rig::Call(stub(), &pb::Controller::Stub::ControllerGetCapabilities,
                pb::ControllerGetCapabilitiesRequest());
  ASSERT_TRUE(can.ok()) << can.status();
  rig::ExpectKept(offers, rig::Advertised(*can),
                  rig::Answered(rig::Connect(socket()), service));
}

TEST_F(ControllerServiceTest, ThePluginsCapabilitiesAreTheServicesThatAnswer) {
  const auto channel = rig::Connect(socket());
  const auto can = rig::Call(*pb::Identity::NewStub(channel),
                             &pb::Identity::Stub::GetPluginCapabilities,
                             pb::GetPluginCapabilitiesRequest());
  ASSERT_TRUE(can.ok()) << can.status();
  using Service = pb::PluginCapability::Service;
  rig::Names advertised;
  bool expands = false;
  for (const auto& one : can->capabilities()) {
    expands |= one.has_volume_expansion();
    if (one.has_service()) {
      advertised.insert(Service::Type_Name(one.service().type()));
    }
  }
  // Behind each capability the service that it announces; none: a property.
  const std::map<std::string, std::string> services = {
      {"CONTROLLER_SERVICE", "Controller"},
      {"VOLUME_ACCESSIBILITY_CONSTRAINTS", ""},
      {"GROUP_CONTROLLER_SERVICE", "GroupController"},
      {"SNAPSHOT_METADATA_SERVICE", "SnapshotMetadata"},
      {"SNAPSHOT_ACCESSIBILITY_CONSTRAINTS", ""}};
  EXPECT_EQ(
      services.size() + 1,  // and UNKNOWN
      static_cast<std::size_t>(Service::Type_descriptor()->value_count()));
  const auto* file = pb::Volume::descriptor()->file();
  for (const auto& [capability, name] : services) {
    ASSERT_NE(Service::Type_descriptor()->FindValueByName(capability), nullptr);
    if (name.empty()) continue;
    const auto calls = rig::Answered(channel, *file->FindServiceByName(name));
    EXPECT_EQ(!calls.empty(), advertised.contains(capability)) << capability;
    if (name == "Controller") {
      EXPECT_EQ(calls.contains("ControllerExpandVolume"), expands);
    }
  }
}

}  // namespace
}  // namespace famfs
