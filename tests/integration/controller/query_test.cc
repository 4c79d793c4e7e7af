// The controller's query endpoint.
#include <gmock/gmock.h>

#include <set>

#include "tests/integration/controller/fixture.h"
#include "tests/integration/support/http.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Query : public ControllerTest {
 protected:
  void SetUp() override {
    MakeDevice();
    StartController({"--query-endpoint", "tcp://127.0.0.1:0"});
    address_ = rig::AddressOf(controller(), "questions");
    channel_ =
        grpc::CreateChannel(address_, grpc::InsecureChannelCredentials());
    questions_ = pb::Controller::NewStub(channel_);
  }

  /// The code of a call with an empty request.
  grpc::StatusCode CodeOf(const std::string& path) {
    const grpc::Status status = rig::CallByName(channel_, path);
    if (status.error_code() == grpc::StatusCode::PERMISSION_DENIED) {
      EXPECT_THAT(status.error_message(), HasSubstr("csi.sock")) << path;
    }
    said_ = status.error_message();
    return status.error_code();
  }

  /// What a stranger sees is a moment old.
  pb::ListVolumesResponse AwaitVolumes(int count) {
    absl::StatusOr<pb::ListVolumesResponse> listed;
    EXPECT_TRUE(rig::Eventually([&] {
      listed = rig::Call(*questions_, &pb::Controller::Stub::ListVolumes,
                         pb::ListVolumesRequest());
      return listed.ok() && listed->entries_size() == count;
    })) << listed.status();
    return listed.value_or(pb::ListVolumesResponse());
  }

  /// Of all pages, each of which a stranger cannot make longer.
  std::set<std::string> AllNames() {
    std::set<std::string> names;
    pb::ListVolumesRequest request;
    request.set_max_entries(100'000);
    do {
      const auto listed =
          rig::Call(*questions_, &pb::Controller::Stub::ListVolumes, request);
      EXPECT_TRUE(listed.ok()) << listed.status();
      if (!listed.ok()) return names;
      EXPECT_LE(listed->entries_size(), 200);
      for (const auto& entry : listed->entries()) {
        names.insert(entry.volume().volume_context().at("name"));
      }
      request.set_starting_token(listed->next_token());
    } while (!request.starting_token().empty());
    return names;
  }

  std::string said_;
  std::string address_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<pb::Controller::Stub> questions_;
};

TEST_F(Query, TellsTheVolumesWithTheirNamesWhichTheDriversSocketNeverDoes) {
  const auto created = Create("pvc-1234", 4 * kMiB);
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_THAT(created->volume().volume_context(), IsEmpty());
  const pb::ListVolumesResponse listed = AwaitVolumes(1);
  ASSERT_EQ(listed.entries_size(), 1);
  const pb::Volume& volume = listed.entries(0).volume();
  EXPECT_EQ(volume.volume_id(), created->volume().volume_id());
  EXPECT_EQ(volume.volume_context().at("name"), "pvc-1234");

  pb::ControllerGetVolumeRequest request;
  request.set_volume_id(volume.volume_id());
  const auto got = rig::Call(
      *questions_, &pb::Controller::Stub::ControllerGetVolume, request);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->volume().volume_context().at("name"), "pvc-1234");

  ASSERT_EQ(List().size(), 1U);
  EXPECT_THAT(List()[0].volume_context(), IsEmpty());
  const auto again = Create("pvc-1234", 4 * kMiB);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->SerializeAsString(), created->SerializeAsString());
}

TEST_F(Query, AnswersQuestionsAndRefusesEveryOtherCall) {
  const std::set<std::string> questions = {"ListVolumes", "GetCapacity",
                                           "ControllerGetVolume",
                                           "ControllerGetCapabilities"};
  const auto* service =
      pb::Volume::descriptor()->file()->FindServiceByName("Controller");
  ASSERT_NE(service, nullptr);
  for (int i = 0; i < service->method_count(); ++i) {
    const std::string name = service->method(i)->name();
    const grpc::StatusCode code = CodeOf("/csi.v1.Controller/" + name);
    EXPECT_EQ(code != grpc::StatusCode::PERMISSION_DENIED,
              questions.count(name) == 1)
        << name << " answers " << code << " " << said_;
  }
  for (const char* path :
       {"/csi.v1.Identity/Probe", "/csi.v1.Identity/GetPluginInfo"}) {
    EXPECT_EQ(CodeOf(path), grpc::StatusCode::OK) << path;
  }
  EXPECT_EQ(CodeOf("/csi.v1.Node/NodeGetInfo"),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(Query, ARefusedCallChangesNothing) {
  const auto created = Create("pvc-1", 4 * kMiB);
  ASSERT_TRUE(created.ok()) << created.status();
  pb::DeleteVolumeRequest request;
  request.set_volume_id(created->volume().volume_id());
  const auto deleted =
      rig::Call(*questions_, &pb::Controller::Stub::DeleteVolume, request);
  EXPECT_TRUE(absl::IsPermissionDenied(deleted.status())) << deleted.status();
  EXPECT_EQ(List().size(), 1U);
}

TEST_F(Query, AStrangerGetsPagesHoweverMuchHeAsksFor) {
  constexpr int kVolumes = 210;  // more than a page
  for (int i = 0; i < kVolumes; ++i) {
    ASSERT_TRUE(Create(fmt::format("pvc-{}", i), 2 * kMiB).ok());
  }
  ASSERT_EQ(AwaitVolumes(200).entries_size(), 200);
  // The page was full before the last volumes were seen.
  EXPECT_TRUE(rig::Eventually([&] { return AllNames().size() == kVolumes; }));
  EXPECT_EQ(List().size(), kVolumes);  // csi.sock: all at once
}

TEST_F(Query, TheRoomIsThatOfAMomentAgoAndAskingForItChangesNothing) {
  const auto room = [this] {
    const auto capacity =
        rig::Call(*questions_, &pb::Controller::Stub::GetCapacity,
                  pb::GetCapacityRequest());
    EXPECT_TRUE(capacity.ok()) << capacity.status();
    return capacity.ok() ? capacity->available_capacity() : -1;
  };
  const auto before = Capacity().available_capacity();
  constexpr std::int64_t kTaken = 64 * kMiB;
  EXPECT_TRUE(rig::Eventually([&] { return room() == before; }));
  ASSERT_TRUE(Create("pvc", kTaken).ok());
  EXPECT_TRUE(rig::Eventually([&] { return room() == before - kTaken; }));
  pb::GetCapacityRequest strips;
  (*strips.mutable_parameters())["interleave.strips"] = "2";
  (*strips.mutable_parameters())["dataPath"] = "copy";
  const auto refused =
      rig::Call(*questions_, &pb::Controller::Stub::GetCapacity, strips);
  EXPECT_TRUE(absl::IsInvalidArgument(refused.status())) << refused.status();
}

}  // namespace
}  // namespace famfs
