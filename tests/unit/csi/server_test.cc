#include "csi/rpc/server.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "csi/csi.grpc.pb.h"
#include "csi/rpc/identity.h"
#include "tests/unit/csi/support.h"

namespace famfs::csi {
namespace {

namespace pb = ::csi::v1;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::unique_ptr<grpc::Service> Identity(const std::string& version = "1.2.3") {
  return MakeIdentityService({"famfs.csi", version, {}});
}

Endpoint Unix(const std::string& path) {
  Endpoint endpoint;
  endpoint.path = path;
  return endpoint;
}

Endpoint AnyPort() {
  return {.kind = Endpoint::Kind::kTcp, .path = "", .host = "127.0.0.1"};
}

class Client {
 public:
  explicit Client(const Endpoint& endpoint)
      : stub_(pb::Identity::NewStub(grpc::CreateChannel(
            endpoint.GrpcAddress(), grpc::InsecureChannelCredentials()))) {}

  grpc::Status Probe(pb::ProbeResponse* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + seconds(20));
    return stub_->Probe(&context, {}, response);
  }
  std::string Version() {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + seconds(20));
    pb::GetPluginInfoResponse response;
    const grpc::Status status = stub_->GetPluginInfo(&context, {}, &response);
    return status.ok() ? response.vendor_version() : status.error_message();
  }
  grpc::Status SendLarge(std::size_t bytes) {
    // An Identity request has no fields; an unknown one carries the bytes.
    pb::ProbeRequest request;
    request.GetReflection()->MutableUnknownFields(&request)->AddLengthDelimited(
        100, std::string(bytes, 'x'));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + seconds(20));
    pb::ProbeResponse response;
    return stub_->Probe(&context, request, &response);
  }

 private:
  std::unique_ptr<pb::Identity::Stub> stub_;
};

// Probe stays in the service until the test lets it go, or it is cancelled.
class SlowService final : public pb::Identity::Service {
 public:
  grpc::Status Probe(grpc::ServerContext* context, const pb::ProbeRequest*,
                     pb::ProbeResponse* response) override {
    entered.set_value();
    WaitUntil([&] { return go.load() || context->IsCancelled(); });
    response->mutable_ready()->set_value(go.load());
    return grpc::Status::OK;
  }
  std::promise<void> entered;
  std::atomic<bool> go = false;
};

TEST(GrpcServer, ServesOnAUnixSocketOfMode0600) {
  const TemporaryDirectory directory;
  const auto service = Identity();
  const auto server =
      GrpcServer::Start(Unix(directory.File("csi.sock")), {service.get()});
  ASSERT_TRUE(server.ok()) << server.status();
  struct stat status = {};
  ASSERT_EQ(stat(directory.File("csi.sock").c_str(), &status), 0);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_TRUE((*server)->OwnsSocket());

  Client client((*server)->endpoint());
  pb::ProbeResponse response;
  ASSERT_TRUE(client.Probe(&response).ok());
  EXPECT_TRUE(response.ready().value());
  EXPECT_EQ(client.Version(), "1.2.3");

  // Nothing but the socket lies in the directory, and after the end nothing.
  const auto count = [&] {
    return std::distance(
        std::filesystem::directory_iterator(directory.File("")), {});
  };
  EXPECT_EQ(count(), 1);
  (*server)->Stop();
  EXPECT_EQ(count(), 0);
}

TEST(GrpcServer, ServesOnTcpAndTellsThePort) {
  const auto service = Identity();
  const auto server = GrpcServer::Start(AnyPort(), {service.get()});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_NE((*server)->endpoint().port, 0);
  EXPECT_EQ(Client((*server)->endpoint()).Version(), "1.2.3");
}

TEST(GrpcServer, APortInUseIsToldAndNotShared) {
  const auto service = Identity();
  const auto first = GrpcServer::Start(AnyPort(), {service.get()});
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = GrpcServer::Start((*first)->endpoint(), {service.get()});
  ExpectError(second.status(), absl::StatusCode::kUnavailable, "in use");
}

TEST(GrpcServer, AnIdentityHasTheSameTwoCapabilitiesEverywhere) {
  const auto service = Identity();
  const auto server = GrpcServer::Start(AnyPort(), {service.get()});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto stub = pb::Identity::NewStub(grpc::CreateChannel(
      (*server)->endpoint().GrpcAddress(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  pb::GetPluginCapabilitiesResponse response;
  ASSERT_TRUE(stub->GetPluginCapabilities(&context, {}, &response).ok());
  ASSERT_EQ(response.capabilities_size(), 2);
  EXPECT_EQ(response.capabilities(0).service().type(),
            pb::PluginCapability_Service::CONTROLLER_SERVICE);
  EXPECT_EQ(response.capabilities(1).service().type(),
            pb::PluginCapability_Service::VOLUME_ACCESSIBILITY_CONSTRAINTS);
}

TEST(GrpcServer, ProbeTellsWhetherTheProcessIsReady) {
  std::atomic<bool> ready = false;
  const auto service =
      MakeIdentityService({"famfs.csi", "1", [&] { return ready.load(); }});
  const auto server = GrpcServer::Start(AnyPort(), {service.get()});
  ASSERT_TRUE(server.ok()) << server.status();
  Client client((*server)->endpoint());
  pb::ProbeResponse response;
  ASSERT_TRUE(client.Probe(&response).ok());
  EXPECT_TRUE(response.has_ready() && !response.ready().value());
  ready = true;
  ASSERT_TRUE(client.Probe(&response).ok());
  EXPECT_TRUE(response.ready().value());
}

TEST(GrpcServer, AStaleSocketIsReplaced) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("csi.sock");
  const auto service = Identity();
  // A server's socket that has outlived its server: moved away while the server
  // ends, and back.
  {
    const auto server = GrpcServer::Start(Unix(path), {service.get()});
    ASSERT_TRUE(server.ok()) << server.status();
    std::filesystem::rename(path, path + ".away");
    EXPECT_FALSE((*server)->OwnsSocket());
  }
  std::filesystem::rename(path + ".away", path);
  ASSERT_EQ(*ExamineSocket(path), SocketState::kStale);
  const auto server = GrpcServer::Start(Unix(path), {service.get()});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(Client(Unix(path)).Version(), "1.2.3");
}

TEST(GrpcServer, ALivingOneIsNotReplaced) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("csi.sock");
  const auto service = Identity("first");
  const auto other = Identity("second");
  const auto first = GrpcServer::Start(Unix(path), {service.get()});
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = GrpcServer::Start(Unix(path), {other.get()});
  ExpectError(second.status(), absl::StatusCode::kFailedPrecondition,
              "another process is listening");
  EXPECT_EQ(Client(Unix(path)).Version(), "first");
}

TEST(GrpcServer, OfTwoThatStartAtOnceOneWins) {
  for (int round = 0; round < 10; ++round) {
    const TemporaryDirectory directory;
    const std::string path = directory.File("csi.sock");
    const auto service = Identity();
    const auto start = [&] {
      return GrpcServer::Start(Unix(path), {service.get()});
    };
    auto other = std::async(std::launch::async, start);
    const auto mine = start();
    const auto theirs = other.get();
    EXPECT_NE(mine.ok(), theirs.ok());
    EXPECT_EQ(Client(Unix(path)).Version(), "1.2.3");
  }
}

TEST(GrpcServer, OfTwoThatFindAStaleSocketOneWins) {
  for (int round = 0; round < 10; ++round) {
    const TemporaryDirectory directory;
    const std::string path = directory.File("csi.sock");
    const auto service = Identity();
    const auto start = [&] {
      return GrpcServer::Start(Unix(path), {service.get()});
    };
    {
      const auto gone = start();
      ASSERT_TRUE(gone.ok()) << gone.status();
      std::filesystem::rename(path, path + ".away");
    }
    std::filesystem::rename(path + ".away", path);
    auto other = std::async(std::launch::async, start);
    const auto mine = start();
    const auto theirs = other.get();
    EXPECT_NE(mine.ok(), theirs.ok());
    EXPECT_TRUE((mine.ok() ? *mine : *theirs)->OwnsSocket());
    EXPECT_EQ(Client(Unix(path)).Version(), "1.2.3");
  }
}

// Any user who can open a directory can flock(2) it.
TEST(GrpcServer, ALockOnTheDirectoryHoldsNobodyUp) {
  const TemporaryDirectory directory;
  UniqueFd held(open(directory.File("").c_str(), O_RDONLY | O_DIRECTORY));
  ASSERT_EQ(flock(held.get(), LOCK_EX), 0);
  const auto service = Identity();
  auto life = std::async(std::launch::async, [&] {
    const auto server =
        GrpcServer::Start(Unix(directory.File("csi.sock")), {service.get()});
    ASSERT_TRUE(server.ok()) << server.status();
    EXPECT_TRUE((*server)->Reappear().ok());
    (*server)->Stop();
  });
  EXPECT_EQ(life.wait_for(seconds(20)), std::future_status::ready);
  held.reset();
}

TEST(GrpcServer, AFileAtThePathIsLeftAlone) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("csi.sock");
  std::ofstream(path) << "precious";
  const auto service = Identity();
  ExpectError(GrpcServer::Start(Unix(path), {service.get()}).status(),
              absl::StatusCode::kFailedPrecondition, "is not a socket");
  EXPECT_EQ(std::filesystem::file_size(path), 8U);
}

TEST(GrpcServer, ASuccessorsSocketIsLeftAlone) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("csi.sock");
  const auto service = Identity("first");
  const auto other = Identity("second");
  auto first = GrpcServer::Start(Unix(path), {service.get()});
  ASSERT_TRUE(first.ok()) << first.status();
  std::filesystem::remove(path);  // somebody cleaned up too eagerly
  const auto second = GrpcServer::Start(Unix(path), {other.get()});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_FALSE((*first)->OwnsSocket());
  (*first)->Stop();
  EXPECT_TRUE((*second)->OwnsSocket());
  EXPECT_EQ(Client(Unix(path)).Version(), "second");
}

TEST(GrpcServer, ASocketThatReappearsIsTheSameOne) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("csi.sock");
  const auto service = Identity();
  const auto server = GrpcServer::Start(Unix(path), {service.get()});
  ASSERT_TRUE(server.ok()) << server.status();
  Client connected(Unix(path));
  EXPECT_EQ(connected.Version(), "1.2.3");
  EXPECT_TRUE((*server)->Reappear().ok());
  EXPECT_TRUE((*server)->OwnsSocket());
  EXPECT_EQ(connected.Version(), "1.2.3");
  EXPECT_EQ(Client(Unix(path)).Version(), "1.2.3");
  EXPECT_EQ(std::distance(
                std::filesystem::directory_iterator(directory.File("")), {}),
            1);
  // Never somebody else's.
  std::filesystem::remove(path);
  std::ofstream(path) << "precious";
  ExpectError((*server)->Reappear(), absl::StatusCode::kFailedPrecondition,
              "is not this server's");
  EXPECT_EQ(std::filesystem::file_size(path), 8U);
}

TEST(GrpcServer, ACallInFlightIsFinishedBeforeTheEnd) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("csi.sock");
  SlowService service;
  const auto server = GrpcServer::Start(Unix(path), {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  pb::ProbeResponse response;
  Client client(Unix(path));
  auto call =
      std::async(std::launch::async, [&] { return client.Probe(&response); });
  service.entered.get_future().wait();
  std::thread stop([&] { (*server)->Stop(); });
  // The socket goes first: from then on Stop() waits for the call.
  EXPECT_TRUE(WaitUntil([&] { return !std::filesystem::exists(path); }));
  service.go = true;
  const grpc::Status status = call.get();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(response.ready().value());
  stop.join();
}

TEST(GrpcServer, ACallThatNeverEndsIsCancelledAtTheDrainLimit) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("csi.sock");
  SlowService service;
  const auto server = GrpcServer::Start(Unix(path), {&service},
                                        {.drain_limit = milliseconds(50)});
  ASSERT_TRUE(server.ok()) << server.status();
  pb::ProbeResponse response;
  Client client(Unix(path));
  auto call =
      std::async(std::launch::async, [&] { return client.Probe(&response); });
  service.entered.get_future().wait();
  (*server)->Stop();  // returns although nobody lets the call go
  EXPECT_FALSE(call.get().ok());
  EXPECT_FALSE(service.go);
}

TEST(GrpcServer, AMessageOverTheLimitIsRefused) {
  const auto service = Identity();
  const auto server = GrpcServer::Start(AnyPort(), {service.get()},
                                        {.max_message_bytes = 1 << 16});
  ASSERT_TRUE(server.ok()) << server.status();
  Client client((*server)->endpoint());
  EXPECT_TRUE(client.SendLarge(1000).ok());
  EXPECT_EQ(client.SendLarge(1 << 17).error_code(), grpc::RESOURCE_EXHAUSTED);
}

TEST(GrpcServer, ACallThatNobodyImplementsSaysSo) {
  class Nothing final : public pb::Controller::Service {};
  Nothing service;
  const auto server = GrpcServer::Start(AnyPort(), {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto stub = pb::Controller::NewStub(grpc::CreateChannel(
      (*server)->endpoint().GrpcAddress(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  pb::CreateSnapshotResponse response;
  const grpc::Status status = stub->CreateSnapshot(&context, {}, &response);
  EXPECT_EQ(status.error_code(), grpc::UNIMPLEMENTED);
  EXPECT_EQ(status.error_message(),
            "this driver does not offer CreateSnapshot; ask it for its "
            "capabilities");
  EXPECT_TRUE(status.error_details().empty());
}

TEST(GrpcServer, AMissingDirectoryIsTold) {
  const auto service = Identity();
  ExpectError(
      GrpcServer::Start(Unix("/nowhere/csi.sock"), {service.get()}).status(),
      absl::StatusCode::kNotFound, "/nowhere/");
}

}  // namespace
}  // namespace famfs::csi
