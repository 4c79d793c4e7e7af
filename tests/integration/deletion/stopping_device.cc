#include "tests/integration/deletion/stopping_device.h"

#include <csignal>
#include <utility>

namespace famfs::itest {
namespace {

class StoppingMapping final : public Mapping {
 public:
  StoppingMapping(std::unique_ptr<Mapping> inner, Stopper& stopper)
      : Mapping(inner->mutable_data(), inner->size()),
        inner_(std::move(inner)),
        stopper_(stopper) {}
  void Store(std::size_t at, std::span<const std::byte> bytes) override {
    stopper_.Step();
    inner_->Store(at, bytes);
  }
  void StoreZeros(std::size_t at, std::size_t length) override {
    stopper_.Step();
    inner_->StoreZeros(at, length);
  }
  /// In two halves: a scrub is stopped in the middle, too.
  void ZeroStreaming(std::size_t at, std::size_t length) override {
    stopper_.Step();
    inner_->ZeroStreaming(at, length / 2);
    stopper_.Step();
    inner_->ZeroStreaming(at + length / 2, length - length / 2);
  }
  void Store16(std::size_t at, std::uint64_t first,
               std::uint64_t second) override {
    stopper_.Step();
    inner_->Store16(at, first, second);
  }
  void WriteBack(std::size_t at, std::size_t length) override {
    stopper_.Step();
    inner_->WriteBack(at, length);
  }

 private:
  std::unique_ptr<Mapping> inner_;
  Stopper& stopper_;
};

}  // namespace

void Stopper::Step() {
  if (armed && left-- == 0) std::raise(SIGSTOP);
}

absl::StatusOr<std::unique_ptr<Mapping>> StoppingDevice::Map(
    std::uint64_t offset, std::uint64_t length, Access access) {
  FAMFS_ASSIGN_OR_RETURN(auto inner, inner_->Map(offset, length, access));
  return std::make_unique<StoppingMapping>(std::move(inner), stopper_);
}

absl::Status StoppingDevice::CreateExtent(Range range) {
  stopper_.Step();
  return inner_->CreateExtent(range);
}

}  // namespace famfs::itest
