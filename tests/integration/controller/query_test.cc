// The controller's query endpoint, and the program that asks it before an
// uninstall.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>

#include <set>

#include "tests/integration/controller/fixture.h"
#include "tests/integration/support/http.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

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

  std::unique_ptr<rig::Process> RunInUse(std::vector<std::string> flags) {
    flags.insert(flags.begin(), rig::Binary("famfs-csi-in-use"));
    auto process = rig::Process::Start({.argv = std::move(flags)});
    EXPECT_TRUE(process.ok()) << process.status();
    return *std::move(process);
  }

  /// The code of a call with an empty request.
  grpc::StatusCode CodeOf(const std::string& path) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + rig::kPatience);
    const grpc::ByteBuffer request(nullptr, 0);
    grpc::ByteBuffer response;
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareUnaryCall(&context, path, request, &queue);
    call->StartCall();
    grpc::Status status;
    call->Finish(&response, &status, &queue);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    if (status.error_code() == grpc::StatusCode::PERMISSION_DENIED) {
      EXPECT_THAT(status.error_message(), HasSubstr("csi.sock")) << path;
    }
    return status.error_code();
  }

  std::string address_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<pb::Controller::Stub> questions_;
};

TEST_F(Query, TellsTheVolumesWithTheirNamesWhichTheDriversSocketNeverDoes) {
  const auto created = Create("pvc-1234", 4 * kMiB);
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_THAT(created->volume().volume_context(), IsEmpty());
  const auto listed = rig::Call(*questions_, &pb::Controller::Stub::ListVolumes,
                                pb::ListVolumesRequest());
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_EQ(listed->entries_size(), 1);
  const pb::Volume& volume = listed->entries(0).volume();
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
        << name << " answers " << code;
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

TEST_F(Query, WithoutVolumesTheDriverIsNotInUse) {
  const auto process = RunInUse({"tcp://" + address_});
  EXPECT_EQ(process->Wait().value_or(-1), 0);
  EXPECT_THAT(process->output(), HasSubstr("No volume exists"));
}

TEST_F(Query, WithVolumesItTellsWhichAndTheWayBack) {
  const auto first = Create("pvc-first", 4 * kMiB);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(Create("pvc-second", kGiB).ok());
  const auto process = RunInUse({address_, "--release", "famfs", "--revision",
                                 "3", "--namespace", "storage"});
  EXPECT_EQ(process->Wait().value_or(-1), 1);
  const std::string output = process->output();
  for (const std::string& text :
       {std::string("2 volumes exist"), std::string("pvc-first"),
        std::string("pvc-second"), first->volume().volume_id(),
        std::string("1.00 GiB"), std::string("fast"),
        std::string("helm rollback famfs 3 --namespace storage"),
        std::string("helm uninstall famfs --namespace storage\n")}) {
    EXPECT_THAT(output, HasSubstr(text));
  }
  ASSERT_TRUE(Delete(first->volume().volume_id()).ok());
  const auto later = RunInUse({address_});
  EXPECT_EQ(later->Wait().value_or(-1), 1);
  EXPECT_THAT(later->output(), HasSubstr("1 volume exists"));
  EXPECT_THAT(later->output(), Not(HasSubstr("pvc-first")));
}

TEST_F(Query, VolumesOfSeveralPagesAreCounted) {
  constexpr int kVolumes = 510;  // more than a page, more than are shown
  for (int i = 0; i < kVolumes; ++i) {
    ASSERT_TRUE(Create(fmt::format("pvc-{}", i), 2 * kMiB).ok());
  }
  const auto process = RunInUse({address_});
  EXPECT_EQ(process->Wait().value_or(-1), 1);
  EXPECT_THAT(process->output(), HasSubstr("510 volumes exist"));
  EXPECT_THAT(process->output(), HasSubstr("... and 410 more"));
}

TEST_F(Query, AControllerThatDoesNotAnswerCountsAsInUse) {
  KillController();
  const auto process = RunInUse({address_, "--timeout", "1"});
  EXPECT_EQ(process->Wait().value_or(-1), 1);
  EXPECT_THAT(process->output(), HasSubstr("no answer within 1 s"));
  EXPECT_THAT(process->output(), HasSubstr("--no-hooks"));
  EXPECT_THAT(process->output(), HasSubstr("helm rollback"));
}

TEST_F(Query, AnAddressThatIsNoneIsAMistakeOfTheCommandLine) {
  const auto process = RunInUse({"nowhere"});
  EXPECT_EQ(process->Wait().value_or(-1), 2);
  EXPECT_THAT(process->output(), HasSubstr("nowhere"));
}

}  // namespace
}  // namespace famfs
