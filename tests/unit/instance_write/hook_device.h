// A device that calls a test at the moments it names, and fails where it says.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "dax/device.h"

namespace famfs {

struct Hooks {
  std::function<void(Range)> before_create_extent;
  std::function<void()> after_store16;  // of any mapping
  std::function<void()> before_probe;
  std::function<void(Range)> before_map;
  std::function<absl::Status(Range)> map;  // not OK: fails
  std::function<void(Range)> after_map;
  std::function<void(std::size_t)> before_zeroing;  // past the caches; bytes
  std::function<absl::Status(std::uint64_t)> remove_extent;  // not OK: fails
  std::function<absl::Status(Range)> refill;
  std::function<void(std::string_view)> after_allocate_node_file;
  std::function<void()> after_list_node_files;
  std::function<absl::Status(std::string_view)> remove_node_file;
  std::vector<DaxDevice::Lacking> given_back;
  std::uint64_t node_file_lacking = 0;  // bytes, of each; 0: what it lacks
  std::optional<DaxDevice::Capabilities> capabilities;  // absent: its own
};

class HookDevice final : public DaxDevice {
 public:
  HookDevice(std::shared_ptr<DaxDevice> inner, Hooks& hooks)
      : inner_(std::move(inner)), hooks_(hooks) {}

  std::string spec() const override { return inner_->spec(); }
  std::uint64_t size() const override { return inner_->size(); }
  Uuid tag() const override { return inner_->tag(); }
  Capabilities capabilities() const override {
    return hooks_.capabilities.value_or(inner_->capabilities());
  }
  MediumProbe ProbeMedium() const override {
    return [probe = inner_->ProbeMedium(), &hooks = hooks_] {
      if (hooks.before_probe) hooks.before_probe();
      return probe();
    };
  }
  absl::StatusOr<std::unique_ptr<famfs::Mapping>> Map(std::uint64_t offset,
                                                      std::uint64_t length,
                                                      Access access) override {
    if (hooks_.before_map) hooks_.before_map({offset, length});
    if (hooks_.map) FAMFS_RETURN_IF_ERROR(hooks_.map({offset, length}));
    FAMFS_ASSIGN_OR_RETURN(auto inner, inner_->Map(offset, length, access));
    if (hooks_.after_map) hooks_.after_map({offset, length});
    return std::make_unique<HookMapping>(std::move(inner), hooks_);
  }
  absl::Status CreateExtent(Range range) override {
    if (hooks_.before_create_extent) hooks_.before_create_extent(range);
    return inner_->CreateExtent(range);
  }
  absl::Status RemoveExtent(std::uint64_t offset) override {
    if (hooks_.remove_extent) {
      FAMFS_RETURN_IF_ERROR(hooks_.remove_extent(offset));
    }
    return inner_->RemoveExtent(offset);
  }
  absl::StatusOr<std::vector<Range>> ListExtents() override {
    return inner_->ListExtents();
  }
  absl::StatusOr<UniqueFd> OpenExtent(std::uint64_t offset) override {
    return inner_->OpenExtent(offset);
  }
  absl::StatusOr<std::vector<Lacking>> GivenBack() override {
    return hooks_.given_back;
  }
  absl::Status Refill(Range extent) override {
    return hooks_.refill ? hooks_.refill(extent) : inner_->Refill(extent);
  }
  absl::Status CreateNodeFile(std::string_view name) override {
    return inner_->CreateNodeFile(name);
  }
  absl::StatusOr<UniqueFd> OpenNodeFile(std::string_view name,
                                        Access access) override {
    return inner_->OpenNodeFile(name, access);
  }
  absl::StatusOr<std::unique_ptr<Mapping>> MapNodeFile(std::string_view name,
                                                       std::uint64_t at,
                                                       std::uint64_t length,
                                                       Access access) override {
    return inner_->MapNodeFile(name, at, length, access);
  }
  absl::StatusOr<bool> EndServingNodeFile(std::string_view name) override {
    return inner_->EndServingNodeFile(name);
  }
  absl::Status AllocateNodeFile(std::string_view name, Range range) override {
    FAMFS_RETURN_IF_ERROR(inner_->AllocateNodeFile(name, range));
    if (hooks_.after_allocate_node_file) hooks_.after_allocate_node_file(name);
    return absl::OkStatus();
  }
  absl::Status ResizeNodeFile(std::string_view name, std::uint64_t size,
                              std::uint64_t allocated) override {
    return inner_->ResizeNodeFile(name, size, allocated);
  }
  absl::Status LengthenNodeFile(std::string_view name,
                                std::uint64_t size) override {
    return inner_->LengthenNodeFile(name, size);
  }
  absl::Status TrimNodeFile(std::string_view name,
                            std::uint64_t allocated) override {
    return inner_->TrimNodeFile(name, allocated);
  }
  absl::Status RemoveNodeFile(std::string_view name) override {
    if (hooks_.remove_node_file) {
      FAMFS_RETURN_IF_ERROR(hooks_.remove_node_file(name));
    }
    return inner_->RemoveNodeFile(name);
  }
  absl::StatusOr<std::vector<NodeFile>> ListNodeFiles() override {
    auto files = inner_->ListNodeFiles();
    if (hooks_.after_list_node_files) hooks_.after_list_node_files();
    return files;
  }
  absl::StatusOr<std::uint64_t> NodeFileLacking(
      std::string_view name, std::uint64_t allocated) override {
    if (hooks_.node_file_lacking > 0) return hooks_.node_file_lacking;
    return inner_->NodeFileLacking(name, allocated);
  }

 private:
  class HookMapping final : public Mapping {
   public:
    HookMapping(std::unique_ptr<Mapping> inner, Hooks& hooks)
        : Mapping(inner->mutable_data(), inner->size()),
          inner_(std::move(inner)),
          hooks_(hooks) {}
    void Store16(std::size_t at, std::uint64_t first,
                 std::uint64_t second) override {
      inner_->Store16(at, first, second);
      if (hooks_.after_store16) hooks_.after_store16();
    }

    absl::Status Check() const override { return inner_->Check(); }
    void ZeroStreaming(std::size_t at, std::size_t length) override {
      if (hooks_.before_zeroing) hooks_.before_zeroing(length);
      inner_->ZeroStreaming(at, length);
    }

   private:
    std::unique_ptr<Mapping> inner_;
    Hooks& hooks_;
  };

  std::shared_ptr<DaxDevice> inner_;
  Hooks& hooks_;
};

}  // namespace famfs
