// kill -9 at any moment of a loop of creates and deletes: what was acknowledged
// is there, what was not blocks nothing, and not a byte of space is lost.
#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "instance/check/fsck.h"
#include "tests/integration/controller/fixture.h"

namespace famfs {
namespace {

constexpr int kKills = 200;

struct Known {
  std::string id;
  std::int64_t capacity = 0;
};

// What a client of a driver knows: answers, and calls without an answer.
struct Ledger {
  std::map<std::string, Known> acknowledged;                // by name
  std::map<std::string, std::uint64_t> unanswered_creates;  // name -> size
  std::map<std::string, Known> unanswered_deletes;          // by name
};

class ControllerCrashTest : public ControllerTest {
 protected:
  // Creates and deletes until a call gets no answer. Returns the calls made.
  int WorkUntilKilled(std::mt19937& random, int& next_name, Ledger& ledger) {
    for (int calls = 0;; ++calls) {
      const bool remove =
          !ledger.acknowledged.empty() &&
          (ledger.acknowledged.size() >= 12 || random() % 2 == 0);
      const bool answered = remove ? DeleteOne(random, ledger)
                                   : CreateOne(random, next_name, ledger);
      if (!answered) return calls;
    }
  }

  bool CreateOne(std::mt19937& random, int& next_name, Ledger& ledger) {
    const std::string name = "pvc-" + std::to_string(next_name++);
    const std::uint64_t size = (1 + random() % 16) * kAllocUnit;
    const auto created =
        Try(&pb::Controller::Stub::CreateVolume, CreateRequestFor(name, size));
    if (created.ok()) {
      ledger.acknowledged[name] = {created->volume().volume_id(),
                                   created->volume().capacity_bytes()};
      return true;
    }
    EXPECT_TRUE(absl::IsUnavailable(created.status())) << created.status();
    ledger.unanswered_creates[name] = size;
    return false;
  }

  bool DeleteOne(std::mt19937& random, Ledger& ledger) {
    auto it = ledger.acknowledged.begin();
    std::advance(it, static_cast<long>(random() % ledger.acknowledged.size()));
    const auto [name, known] = *it;
    ledger.acknowledged.erase(it);
    pb::DeleteVolumeRequest request;
    request.set_volume_id(known.id);
    const auto deleted = Try(&pb::Controller::Stub::DeleteVolume, request);
    if (deleted.ok()) return true;
    EXPECT_TRUE(absl::IsUnavailable(deleted.status())) << deleted.status();
    ledger.unanswered_deletes[name] = known;
    return false;
  }

  // Everything acknowledged is there with its capacity; everything else that is
  // there was asked for; every call without an answer can be made again.
  void CheckAndSettle(Ledger& ledger) {
    std::map<std::string, std::int64_t> listed;
    for (const pb::Volume& volume : List()) {
      listed[volume.volume_id()] = volume.capacity_bytes();
    }
    for (const auto& [name, known] : ledger.acknowledged) {
      ASSERT_TRUE(listed.contains(known.id)) << name << " is lost";
      EXPECT_EQ(listed[known.id], known.capacity) << name;
    }
    EXPECT_LE(listed.size(), ledger.acknowledged.size() +
                                 ledger.unanswered_creates.size() +
                                 ledger.unanswered_deletes.size());
    for (const auto& [name, size] : ledger.unanswered_creates) {
      const auto created = Create(name, size);
      ASSERT_TRUE(created.ok()) << name << ": " << created.status();
      ledger.acknowledged[name] = {created->volume().volume_id(),
                                   created->volume().capacity_bytes()};
    }
    for (const auto& [name, known] : ledger.unanswered_deletes) {
      const absl::Status deleted = Delete(known.id);
      ASSERT_TRUE(deleted.ok()) << name << ": " << deleted;
    }
    ledger.unanswered_creates.clear();
    ledger.unanswered_deletes.clear();
    EXPECT_EQ(List().size(), ledger.acknowledged.size());
  }

  void CheckSpace(const Ledger& ledger, std::int64_t free_when_empty) {
    std::int64_t used = 0;
    for (const auto& [name, known] : ledger.acknowledged) {
      used += known.capacity;
    }
    EXPECT_EQ(Capacity().available_capacity() + used, free_when_empty);
  }

  void CheckFsck() {
    auto opened = device().Open(Access::kRead);
    ASSERT_TRUE(opened.ok()) << opened.status();
    const FsckReport report = Fsck(**opened);
    for (const Finding& finding : report.findings) {
      ADD_FAILURE() << finding.ToString();
    }
  }

 private:
  static pb::CreateVolumeRequest CreateRequestFor(const std::string& name,
                                                  std::uint64_t size) {
    pb::CreateVolumeRequest request;
    request.set_name(name);
    request.mutable_capacity_range()->set_required_bytes(
        static_cast<std::int64_t>(size));
    *request.add_volume_capabilities() = SharedWriter();
    return request;
  }

  // One call that does not wait for a server to come back.
  template <class Request, class Response>
  absl::StatusOr<Response> Try(
      grpc::Status (pb::Controller::Stub::*method)(grpc::ClientContext*,
                                                   const Request&, Response*),
      const Request& request) {
    grpc::ClientContext context;
    Response response;
    const grpc::Status status = (stub().*method)(&context, request, &response);
    if (!status.ok()) return rig::FromGrpc(status);
    return response;
  }
};

TEST_F(ControllerCrashTest, NothingIsLostByTwoHundredKills) {
  const auto seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  ASSERT_NO_FATAL_FAILURE(MakeDevice());
  ASSERT_NO_FATAL_FAILURE(StartController());
  const std::int64_t free_when_empty = Capacity().available_capacity();
  Ledger ledger;
  int next_name = 0;
  int calls = 0;
  for (int kill = 0; kill < kKills; ++kill) {
    SCOPED_TRACE("kill " + std::to_string(kill));
    // The moment: after a random number of microseconds of work, spun away so
    // that it may fall anywhere within a call.
    const auto delay = std::chrono::microseconds(random() % 20'000);
    std::thread killer([&, delay] {
      const auto until = std::chrono::steady_clock::now() + delay;
      while (std::chrono::steady_clock::now() < until)
        std::this_thread::yield();
      controller().Signal(SIGKILL);
    });
    calls += WorkUntilKilled(random, next_name, ledger);
    killer.join();
    KillController();  // reaps it
    ASSERT_NO_FATAL_FAILURE(StartController());
    ASSERT_NO_FATAL_FAILURE(CheckAndSettle(ledger));
    CheckSpace(ledger, free_when_empty);
    CheckFsck();
    if (HasFailure()) return;
  }
  std::printf("%d kills, %d answered calls in between, seed %u\n", kKills,
              calls, seed);
  for (const auto& [name, known] : ledger.acknowledged) {
    EXPECT_TRUE(Delete(known.id).ok()) << name;
  }
  EXPECT_EQ(Capacity().available_capacity(), free_when_empty);
}

}  // namespace
}  // namespace famfs
