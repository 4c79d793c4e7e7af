// A device on whose medium nothing more arrives after a number of stores, as if
// its host had died there: what its process does later is lost.
#pragma once

#include <atomic>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "dax/device.h"

namespace famfs {

class Crash {
 public:
  /// After so many stores from now on.
  void After(std::int64_t stores) { left_ = stores; }
  [[nodiscard]] bool happened() const { return left_ < 0; }
  /// Whether a store still arrives.
  bool Arrives() {
    if (left_.load() < 0) return false;
    return left_.fetch_sub(1) > 0;
  }

 private:
  static constexpr std::int64_t kNever = std::int64_t{1} << 60;
  std::atomic<std::int64_t> left_{kNever};
};

class CrashingDevice final : public DaxDevice {
 public:
  CrashingDevice(std::shared_ptr<DaxDevice> inner, Crash& crash)
      : inner_(std::move(inner)), crash_(crash) {}

  std::string spec() const override { return inner_->spec(); }
  std::uint64_t size() const override { return inner_->size(); }
  Uuid tag() const override { return inner_->tag(); }
  Capabilities capabilities() const override { return inner_->capabilities(); }
  MediumProbe ProbeMedium() const override { return inner_->ProbeMedium(); }
  absl::StatusOr<UniqueFd> OpenKnownFile(Access access) override {
    return inner_->OpenKnownFile(access);
  }
  absl::StatusOr<std::unique_ptr<famfs::Mapping>> Map(std::uint64_t offset,
                                                      std::uint64_t length,
                                                      Access access) override {
    FAMFS_ASSIGN_OR_RETURN(auto inner, inner_->Map(offset, length, access));
    return std::make_unique<CrashingMapping>(std::move(inner), crash_);
  }
  absl::Status CreateExtent(Range range) override {
    if (!crash_.Arrives()) return Gone();
    return inner_->CreateExtent(range);
  }
  absl::Status RemoveExtent(std::uint64_t offset) override {
    if (!crash_.Arrives()) return Gone();
    return inner_->RemoveExtent(offset);
  }
  absl::StatusOr<std::vector<Range>> ListExtents() override {
    return inner_->ListExtents();
  }
  absl::StatusOr<UniqueFd> OpenExtent(std::uint64_t offset) override {
    return inner_->OpenExtent(offset);
  }
  absl::Status CreateNodeFile(std::string_view name) override {
    if (!crash_.Arrives()) return Gone();
    return inner_->CreateNodeFile(name);
  }
  absl::StatusOr<UniqueFd> OpenNodeFile(std::string_view name,
                                        Access access) override {
    return inner_->OpenNodeFile(name, access);
  }
  absl::Status AllocateNodeFile(std::string_view name, Range range) override {
    if (!crash_.Arrives()) return Gone();
    return inner_->AllocateNodeFile(name, range);
  }
  absl::Status ResizeNodeFile(std::string_view name, std::uint64_t size,
                              std::uint64_t allocated) override {
    if (!crash_.Arrives()) return Gone();
    return inner_->ResizeNodeFile(name, size, allocated);
  }
  absl::Status LengthenNodeFile(std::string_view name,
                                std::uint64_t size) override {
    if (!crash_.Arrives()) return Gone();
    return inner_->LengthenNodeFile(name, size);
  }
  absl::Status RemoveNodeFile(std::string_view name) override {
    if (!crash_.Arrives()) return Gone();
    return inner_->RemoveNodeFile(name);
  }
  absl::StatusOr<std::vector<NodeFile>> ListNodeFiles() override {
    return inner_->ListNodeFiles();
  }

 private:
  static absl::Status Gone() { return Unavailable("the host has died"); }

  class CrashingMapping final : public famfs::Mapping {
   public:
    CrashingMapping(std::unique_ptr<famfs::Mapping> inner, Crash& crash)
        : Mapping(inner->mutable_data(), inner->size()),
          inner_(std::move(inner)),
          crash_(crash) {}
    void Store(std::size_t at, std::span<const std::byte> bytes) override {
      if (crash_.Arrives()) inner_->Store(at, bytes);
    }
    void StoreZeros(std::size_t at, std::size_t length) override {
      if (crash_.Arrives()) inner_->StoreZeros(at, length);
    }
    void ZeroStreaming(std::size_t at, std::size_t length) override {
      if (crash_.Arrives()) inner_->ZeroStreaming(at, length);
    }
    void Store16(std::size_t at, std::uint64_t first,
                 std::uint64_t second) override {
      if (crash_.Arrives()) inner_->Store16(at, first, second);
    }
    bool lost() const override { return inner_->lost(); }
    absl::Status Check() const override { return inner_->Check(); }
    absl::Status Renew() override { return inner_->Renew(); }

   private:
    std::unique_ptr<famfs::Mapping> inner_;
    Crash& crash_;
  };

  std::shared_ptr<DaxDevice> inner_;
  Crash& crash_;
};

}  // namespace famfs
