#include "tools/common/changer.h"

#include <limits>
#include <utility>

#include "base/text.h"
#include "tools/common/asking_changer.h"

namespace famfs {
namespace {

class OwnChanger final : public Changer {
 public:
  explicit OwnChanger(std::unique_ptr<Writer> writer)
      : writer_(std::move(writer)) {}

  Reader::View Tree() const override { return writer_->Tree(); }
  const std::shared_ptr<DeviceSet>& devices() const override {
    return writer_->devices();
  }
  absl::Status CheckStanding() override { return writer_->CheckStanding(); }
  absl::StatusOr<TreeAnswer> Change(const TreeRequest& request) override {
    return writer_->ChangeTree(request);
  }
  absl::StatusOr<TreeAnswer> TakeBack(const TreeRequest& request) override {
    return writer_->ChangeTree(request);
  }
  // A writer gives away nothing meanwhile.
  void Hold(const Node& /*file*/) override {}
  void LetGo(const Node& /*file*/) override {}
  std::uint64_t largest_growth() const override {
    return std::numeric_limits<std::uint64_t>::max();
  }
  absl::StatusOr<Writer*> WriterFor(std::string_view /*path*/) override {
    return writer_.get();
  }

 private:
  const std::unique_ptr<Writer> writer_;
};

}  // namespace

std::unique_ptr<Changer> ChangerOf(std::unique_ptr<Writer> writer) {
  return std::make_unique<OwnChanger>(std::move(writer));
}

absl::StatusOr<std::unique_ptr<Changer>> OpenChanger(
    const std::string& name, const WriteOptions& options) {
  auto writer = OpenWriter(name, options);
  if (writer.ok()) return ChangerOf(*std::move(writer));
  const bool has_owner = absl::IsUnavailable(writer.status()) ||
                         absl::IsPermissionDenied(writer.status());
  if (!has_owner || options.take_over) return writer.status();
  FAMFS_ASSIGN_OR_RETURN(const Uuid host, options.Owner());
  auto devices = OpenDevices(name, Access::kReadWrite);
  if (!devices.ok()) return writer.status();
  return AskingChanger::Open(*std::move(devices), host,
                             std::chrono::seconds(options.wait_seconds),
                             writer.status());
}

void AddChangeOptions(Command* command, WriteOptions& options) {
  AddWriteOptions(command, options);
  command
      ->add_option("--wait", options.wait_seconds,
                   "How long to wait for each answer of the program that has "
                   "the instance open, if one has: it is asked for what lies "
                   "in tree volumes. Default: 30")
      ->within(1, 86'400)
      ->type_name("SECONDS")
      ->group("Owner");
}

}  // namespace famfs
