// A further device that does not answer keeps whoever asks for it, and nobody
// else.
#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>

#include "devices_fixture.h"
#include "hook_device.h"

namespace famfs {
namespace {

/// Shut, it keeps whoever comes by.
class Gate {
 public:
  ~Gate() { Open(); }
  void Pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    --waiting_;
  }
  void WaitForSomebody() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ > 0; });
  }
  void Shut() {
    const std::lock_guard lock(mutex_);
    open_ = false;
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = true;
};

class SlowDevicesTest : public DevicesTest {
 protected:
  void SetUp() override {
    DevicesTest::SetUp();
    StartWith(Kind::kImage, 3);
    hooks_.before_probe = [this] { probe_.Pass(); };
    auto set = DeviceSet::Open(
        testing::Spec(device_->spec()), testing::Specs(others_), Access::kRead,
        [this](const DeviceSpec& spec,
               Access access) -> absl::StatusOr<std::unique_ptr<DaxDevice>> {
          if (spec == testing::Spec(others_[0])) open_.Pass();
          FAMFS_ASSIGN_OR_RETURN(std::shared_ptr<DaxDevice> device,
                                 OpenDevice(spec, access));
          if (spec != testing::Spec(others_[0])) {
            return std::make_unique<HookDevice>(std::move(device), none_);
          }
          return std::make_unique<HookDevice>(std::move(device), hooks_);
        });
    ASSERT_OK(set);
    set_ = *std::move(set);
  }

  Hooks hooks_;
  Hooks none_;
  Gate open_;   // at the opening of device 1
  Gate probe_;  // at each look at it
  std::shared_ptr<DeviceSet> set_;
};

TEST_F(SlowDevicesTest, OneThatIsLookedForKeepsNobodyFromAnother) {
  open_.Shut();
  ASSERT_OK(Reader::Open(set_));
  auto first = std::async(std::launch::async, [this] { return set_->Find(1); });
  open_.WaitForSomebody();
  EXPECT_OK(set_->At(2));  // it has to be looked for, too
  EXPECT_OK(set_->At(2));
  open_.Open();
  EXPECT_NE(first.get(), nullptr);
  EXPECT_OK(set_->At(1));
}

TEST_F(SlowDevicesTest, OneThatIsLookedAtKeepsNobodyFromAnother) {
  ASSERT_OK(Reader::Open(set_));
  ASSERT_OK(set_->At(1));
  ASSERT_OK(set_->At(2));
  probe_.Shut();
  auto first = std::async(std::launch::async, [this] { return set_->At(1); });
  probe_.WaitForSomebody();
  EXPECT_OK(set_->At(2));
  EXPECT_TRUE(set_->IsOurs(1));
  EXPECT_NE(set_->Find(1), nullptr);
  // Another one who wants the same waits, but not for ever.
  const auto second = set_->At(1);
  EXPECT_TRUE(absl::IsUnavailable(second.status())) << Say(second);
  EXPECT_THAT(Say(second), ::testing::HasSubstr("does not answer"));
  probe_.Open();
  EXPECT_OK(first.get());
}

TEST_F(SlowDevicesTest, AWriterGoesOnBesideOneThatDoesNotAnswer) {
  Close();
  auto writer = Writer::Open(
      DeviceSet::Open(testing::Spec(device_->spec()), testing::Specs(others_),
                      Access::kReadWrite,
                      [this](const DeviceSpec& spec, Access access)
                          -> absl::StatusOr<std::unique_ptr<DaxDevice>> {
                        if (spec == testing::Spec(others_[0])) open_.Pass();
                        return OpenDevice(spec, access);
                      })
          .value(),
      {.system_uuid = system_uuid_, .lock_directory = Path("locks")});
  ASSERT_OK(writer);
  writer_ = *std::move(writer);
  std::filesystem::rename(Path("d1"), Path("away"));
  ASSERT_OK(writer_->CheckStanding());
  open_.Shut();
  auto looking = std::async(std::launch::async,
                            [this] { return writer_->CheckStanding(); });
  open_.WaitForSomebody();
  // What looks at no device, and what takes up changes of the log.
  EXPECT_EQ(writer_->Figures().size, 2 * kDeviceSize);
  EXPECT_FALSE(writer_->stopped());
  EXPECT_TRUE(Volumes().empty());
  open_.Open();
  EXPECT_OK(looking.get());
}

}  // namespace
}  // namespace famfs
