// An instance after 10,000 creations and as many deletions, with the same space
// used again and again: upstream's rules hold at every quiescent point, by a
// checker that shares nothing with famfs-core (golden_rules.h); the log never
// fills up while the live entries fit; and where it is full of live entries, or
// the device of files, deleting, compacting and creating go on.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>

#include "instance/check/mkfs.h"
#include "instance/deletion/host_session.h"
#include "instance/writer/writer.h"
#include "tests/crash/recording_device.h"
#include "tests/model/golden_rules.h"
#include "tests/model/model.h"

namespace famfs::model {
namespace {

constexpr std::uint64_t kSlots = LastIndex(kMinLogLength) + 1;
constexpr std::size_t kLive = 300;  // volumes, about

class ReuseTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override;
  void TearDown() override { std::filesystem::remove_all(locks_); }

  void Create(std::uint64_t units);
  void Delete();
  void CheckRules(const char* when);
  /// After a call that may have compacted: the log is shorter, and right.
  void AfterCall();
  void TryUsedPath(const std::string& directory);
  /// The host lets go of everything that is deleted.
  void LetGo() {
    if (session_ == nullptr) return;
    ASSERT_TRUE(session_->Acknowledge(deletions_).ok());
  }
  void SaveImage();
  absl::Status TryCreate(const std::string& name, std::uint64_t units);
  /// At a point where a creation was refused: some are deleted, and as many
  /// made again, several times.
  void GoOnWhereItIsFull(std::uint64_t units);

  std::string locks_;
  std::unique_ptr<crash::Medium> medium_;
  std::shared_ptr<crash::RecordingDevice> device_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<HostSession> session_;
  std::mt19937_64 random_{1};
  std::vector<std::string> live_;
  std::vector<bool> used_before_;  // by unit
  std::uint64_t names_ = 0;
  std::uint64_t deletions_ = 0;
  std::uint64_t entries_ = 0;  // after the last call
  std::uint64_t compactions_ = 0;
  std::uint64_t checks_ = 0;
  std::uint64_t reused_ = 0;  // units that another volume had before
};

void ReuseTest::SetUp() {
  spdlog::set_level(spdlog::level::off);
  std::string name = ::testing::TempDir() + "/famfs-reuse-XXXXXX";
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  locks_ = name;
  medium_ = std::make_unique<crash::Medium>(GetParam());
  device_ = std::make_shared<crash::RecordingDevice>(*medium_, nullptr);
  used_before_.resize(crash::kPrimarySize / kAllocUnit);
  Uuid host;
  host.bytes.fill(0x33);
  MkfsOptions options;
  options.system_uuid = host;
  options.lock_directory = locks_;
  ASSERT_TRUE(Mkfs(*device_, options).ok());
  auto writer =
      Writer::Open(device_, {.system_uuid = host, .lock_directory = locks_});
  ASSERT_TRUE(writer.ok()) << Message(writer.status());
  writer_ = *std::move(writer);
  if (GetParam()) return;
  HostIdentity identity;
  identity.session = 1;
  identity.host.bytes.fill(0x70);
  auto session = HostSession::Register(*device_, identity);
  ASSERT_TRUE(session.ok()) << Message(session.status());
  session_ = *std::move(session);
}

void ReuseTest::CheckRules(const char* when) {
  ++checks_;
  const golden::Report report =
      golden::CheckRules({medium_->data(), crash::kPrimarySize});
  ASSERT_TRUE(report.problems.empty())
      << when << ", after " << names_ << " creations: " << report.problems[0]
      << " (" << report.problems.size() << " problems)";
  ASSERT_EQ(report.entries, writer_->Figures().entries);
}

void ReuseTest::AfterCall() {
  const std::uint64_t entries = writer_->Figures().entries;
  if (entries < entries_) {
    ++compactions_;
    ASSERT_NO_FATAL_FAILURE(CheckRules("after a compaction"));
  }
  entries_ = entries;
}

absl::Status ReuseTest::TryCreate(const std::string& name,
                                  std::uint64_t units) {
  VolumeAttributes attributes;
  attributes.name = "claim " + name;
  attributes.capacity = units * kAllocUnit;
  return writer_->CreateVolume(name, attributes, {});
}

void ReuseTest::Create(std::uint64_t units) {
  const std::string name = "pvc-" + std::to_string(++names_);
  const absl::Status made = TryCreate(name, units);
  ASSERT_TRUE(made.ok()) << Message(made) << "; with " << live_.size()
                         << " live volumes and " << entries_ << " entries";
  live_.push_back(name);
  ASSERT_NO_FATAL_FAILURE(AfterCall());
  static const std::vector<std::byte> kJunk(64, std::byte{0xd5});
  const Reader::View tree = writer_->Tree();
  for (const MediaExtent& extent : tree->FindPath(name + "/data")->extents) {
    ASSERT_TRUE(medium_->IsZero({extent.offset, extent.length}))
        << name << " has somebody else's bytes";
    medium_->Put(extent.offset + extent.length - kJunk.size(), kJunk);
    for (std::uint64_t i = 0; i < extent.length / kAllocUnit; ++i) {
      auto used = used_before_[extent.offset / kAllocUnit + i];
      reused_ += used ? 1 : 0;
      used = true;
    }
  }
}

void ReuseTest::Delete() {
  std::swap(live_[random_() % live_.size()], live_.back());
  const absl::Status gone = writer_->DeleteVolume(live_.back());
  ASSERT_TRUE(gone.ok()) << Message(gone);
  ++deletions_;
  const std::string name = live_.back();
  live_.pop_back();
  ASSERT_NO_FATAL_FAILURE(AfterCall());
  if (random_() % 20 == 0) TryUsedPath(name);
}

/// As long as an entry names it.
void ReuseTest::TryUsedPath(const std::string& directory) {
  EXPECT_TRUE(absl::IsAlreadyExists(TryCreate(directory, 1))) << directory;
  if (live_.empty()) return;
  EXPECT_TRUE(absl::IsAlreadyExists(TryCreate(live_.front(), 1)));
}

TEST_P(ReuseTest, TenThousandCreationsAndDeletions) {
  constexpr std::uint64_t kCount = 10'000;
  while (deletions_ < kCount) {
    if (live_.size() < kLive / 2 ||
        (live_.size() < kLive * 3 / 2 && random_() % 2 == 0)) {
      ASSERT_NO_FATAL_FAILURE(Create(1 + random_() % 4));
    } else {
      ASSERT_NO_FATAL_FAILURE(Delete());
    }
    if (random_() % 10 == 0) LetGo();
    if ((names_ + deletions_) % 100 == 0) {
      ASSERT_NO_FATAL_FAILURE(CheckRules("after 100 operations"));
    }
    if (random_() % 500 == 0) {
      ASSERT_TRUE(writer_->Reclaim().ok());
      ASSERT_NO_FATAL_FAILURE(AfterCall());
    }
  }
  ASSERT_NO_FATAL_FAILURE(CheckRules("at the end"));
  EXPECT_GE(names_, kCount);
  EXPECT_GT(reused_, kCount);
  if (!image_file.empty() && !GetParam()) SaveImage();
  std::cout << names_ << " creations and " << deletions_
            << " deletions: " << reused_ << " units used again, "
            << compactions_ << " compactions, upstream's rules checked "
            << checks_ << " times; " << live_.size() << " volumes live\n";
  while (!live_.empty()) ASSERT_NO_FATAL_FAILURE(Delete());
  LetGo();
  ASSERT_TRUE(writer_->Reclaim().ok());
  ASSERT_NO_FATAL_FAILURE(CheckRules("with nothing left"));
  EXPECT_EQ(writer_->Figures().entries, 0U);
}

void ReuseTest::SaveImage() {
  std::ofstream out(image_file, std::ios::binary);
  for (std::uint64_t at = 0; at < crash::kPrimarySize; at += crash::kPage) {
    if (medium_->IsZero({at, crash::kPage})) continue;
    out.seekp(static_cast<std::streamoff>(at));
    out.write(reinterpret_cast<const char*>(medium_->data() + at),
              crash::kPage);
  }
  out.close();
  EXPECT_TRUE(out) << image_file;
  std::filesystem::resize_file(image_file, crash::kPrimarySize);
}

void ReuseTest::GoOnWhereItIsFull(std::uint64_t units) {
  // More than the slots that stay reserved for deletions.
  constexpr std::uint64_t kSome = kStateSlots + 20;
  for (int round = 0; round < 3; ++round) {
    ASSERT_NO_FATAL_FAILURE(CheckRules("full"));
    const absl::Status refused = TryCreate("one-more", units);
    ASSERT_TRUE(absl::IsResourceExhausted(refused)) << Message(refused);
    for (std::uint64_t i = 0; i < kSome; ++i) {
      ASSERT_NO_FATAL_FAILURE(Delete());
      LetGo();
    }
    for (std::uint64_t i = 0; i < kSome; ++i) {
      ASSERT_NO_FATAL_FAILURE(Create(units));
    }
  }
}

TEST_P(ReuseTest, ALogFullOfLiveEntriesGoesOn) {
  while (live_.size() < kLive) ASSERT_NO_FATAL_FAILURE(Create(1));
  for (int made = 0; entries_ + kStateSlots < kSlots; ++made) {
    const absl::Status status = writer_->Mkdir("d" + std::to_string(made), {});
    ASSERT_TRUE(status.ok()) << Message(status);
    ++entries_;
  }
  ASSERT_NO_FATAL_FAILURE(GoOnWhereItIsFull(1));
  EXPECT_EQ(live_.size(), kLive);
}

TEST_P(ReuseTest, AFullDeviceGoesOn) {
  auto capacity = writer_->GetAvailableSpace();
  ASSERT_TRUE(capacity.ok());
  const std::uint64_t units = capacity->free / kAllocUnit;
  for (std::uint64_t i = 0; i < units; ++i) {
    ASSERT_NO_FATAL_FAILURE(Create(1));
  }
  capacity = writer_->GetAvailableSpace();
  ASSERT_TRUE(capacity.ok());
  EXPECT_EQ(capacity->largest, 0U);
  ASSERT_NO_FATAL_FAILURE(GoOnWhereItIsFull(1));
  EXPECT_EQ(live_.size(), units);
}

INSTANTIATE_TEST_SUITE_P(Devices, ReuseTest, ::testing::Bool(),
                         [](const auto& device) {
                           return device.param ? "WithExtentFiles" : "Flat";
                         });

}  // namespace
}  // namespace famfs::model
