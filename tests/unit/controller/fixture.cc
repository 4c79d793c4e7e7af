#include "tests/unit/controller/fixture.h"

#include <cstdlib>
#include <filesystem>

#include "dax/emulated.h"

namespace famfs::controller {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);

class GatedDevice final : public DaxDevice {
 public:
  GatedDevice(std::unique_ptr<DaxDevice> device, Gate& gate, Barrier* look)
      : device_(std::move(device)), gate_(gate), look_(look) {}

  [[nodiscard]] std::string spec() const override { return device_->spec(); }
  [[nodiscard]] std::uint64_t size() const override { return device_->size(); }
  [[nodiscard]] Uuid tag() const override { return device_->tag(); }
  absl::StatusOr<std::unique_ptr<Mapping>> Map(std::uint64_t offset,
                                               std::uint64_t length,
                                               Access access) override {
    return device_->Map(offset, length, access);
  }
  [[nodiscard]] MediumProbe ProbeMedium() const override {
    return [look = look_, probe = device_->ProbeMedium()] {
      if (look != nullptr) look->Pass();
      return probe();
    };
  }
  absl::Status CreateExtent(Range range) override {
    gate_.Pass(range.length);
    return device_->CreateExtent(range);
  }
  absl::Status RemoveExtent(std::uint64_t offset) override {
    return device_->RemoveExtent(offset);
  }
  absl::StatusOr<std::vector<Range>> ListExtents() override {
    return device_->ListExtents();
  }
  absl::StatusOr<UniqueFd> OpenExtent(std::uint64_t offset) override {
    return device_->OpenExtent(offset);
  }
  absl::Status CreateNodeFile(std::string_view name) override {
    return device_->CreateNodeFile(name);
  }
  absl::StatusOr<UniqueFd> OpenNodeFile(std::string_view name,
                                        Access access) override {
    return device_->OpenNodeFile(name, access);
  }
  absl::StatusOr<std::unique_ptr<Mapping>> MapNodeFile(std::string_view name,
                                                       std::uint64_t at,
                                                       std::uint64_t length,
                                                       Access access) override {
    return device_->MapNodeFile(name, at, length, access);
  }
  absl::StatusOr<bool> EndServingNodeFile(std::string_view name) override {
    return device_->EndServingNodeFile(name);
  }
  absl::Status AllocateNodeFile(std::string_view name, Range range) override {
    return device_->AllocateNodeFile(name, range);
  }
  absl::Status ResizeNodeFile(std::string_view name, std::uint64_t size,
                              std::uint64_t allocated) override {
    return device_->ResizeNodeFile(name, size, allocated);
  }
  absl::Status LengthenNodeFile(std::string_view name,
                                std::uint64_t size) override {
    return device_->LengthenNodeFile(name, size);
  }
  absl::Status TrimNodeFile(std::string_view name,
                            std::uint64_t allocated) override {
    return device_->TrimNodeFile(name, allocated);
  }
  absl::Status RemoveNodeFile(std::string_view name) override {
    return device_->RemoveNodeFile(name);
  }
  absl::StatusOr<std::vector<NodeFile>> ListNodeFiles() override {
    return device_->ListNodeFiles();
  }
  absl::StatusOr<std::uint64_t> NodeFileLacking(
      std::string_view name, std::uint64_t allocated) override {
    return device_->NodeFileLacking(name, allocated);
  }
  [[nodiscard]] Capabilities capabilities() const override {
    return device_->capabilities();
  }

 private:
  std::unique_ptr<DaxDevice> device_;
  Gate& gate_;
  Barrier* const look_;  // may be null
};

std::string MakeDirectory() {
  std::string path = "/dev/shm/famfs-controller-test.XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) std::abort();
  return path;
}

}  // namespace

void Gate::Pass(std::uint64_t length) {
  if (length != length_) return;
  std::unique_lock lock(mutex_);
  arrived_ = true;
  changed_.notify_all();
  changed_.wait_for(lock, kPatience, [this] { return open_; });
}

bool Gate::AwaitArrival() {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [this] { return arrived_; });
}

void Gate::Open() {
  const std::lock_guard lock(mutex_);
  open_ = true;
  changed_.notify_all();
}

void Barrier::Pass() {
  std::unique_lock lock(mutex_);
  ++waiting_;
  changed_.notify_all();
  changed_.wait_for(lock, kPatience, [this] { return !closed_; });
  --waiting_;
}

void Barrier::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

void Barrier::Open() {
  const std::lock_guard lock(mutex_);
  closed_ = false;
  changed_.notify_all();
}

bool Barrier::AwaitWaiting(int count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience,
                           [&] { return closed_ && waiting_ >= count; });
}

int Barrier::waiting() {
  const std::lock_guard lock(mutex_);
  return waiting_;
}

ProvisionerTest::ProvisionerTest()
    : directory_(MakeDirectory()), gate_(std::make_unique<Gate>(kGatedSize)) {
  ::setenv("FAMFS_SYSTEM_UUID_FILE", (directory_ + "/system_uuid").c_str(), 1);
  for (const char* name : {"one", "two"}) {
    csi::PoolSection pool;
    pool.name = name;
    pool.device = {DeviceSpec::Kind::kEmulated, directory_ + "/" + name};
    pool.format = csi::FormatPolicy::kIfBlank;
    EmulatedConfig device;
    device.size = 4 * kGiB;
    device.tag = Uuid::Random();
    device.sparse = true;
    const absl::Status made =
        CreateEmulatedDevice(directory_ + "/" + name, device);
    EXPECT_TRUE(made.ok()) << made;
    config_.pools.push_back(pool);
  }
  config_.defaults.pool = "one";
  Restart();
}

ProvisionerTest::~ProvisionerTest() {
  gate_->Open();
  opening_.Open();
  look_.Open();
  provisioner_.reset();
  pools_.reset();
  std::filesystem::remove_all(directory_);
}

void ProvisionerTest::Restart(std::chrono::milliseconds patience) {
  provisioner_.reset();
  pools_.reset();
  PoolOptions options;
  options.patience = patience;
  options.open_device =
      [this](const DeviceSpec& spec,
             Access access) -> absl::StatusOr<std::unique_ptr<DaxDevice>> {
    const bool is_one = spec.path.ends_with("/one");
    if (is_one) opening_.Pass();
    FAMFS_ASSIGN_OR_RETURN(auto device, OpenDevice(spec, access));
    return std::make_unique<GatedDevice>(std::move(device), *gate_,
                                         is_one ? &look_ : nullptr);
  };
  auto pools = PoolSet::Start(config_, options);
  ASSERT_TRUE(pools.ok()) << pools.status();
  pools_ = *std::move(pools);
  provisioner_ = std::make_unique<Provisioner>(*pools_, patience);
}

absl::StatusOr<VolumeInfo> ProvisionerTest::Create(const std::string& name,
                                                   std::uint64_t size,
                                                   const std::string& pool) {
  ::csi::v1::CapacityRange range;
  range.set_required_bytes(static_cast<std::int64_t>(size));
  CreateRequest request;
  request.name = name;
  request.parameters.pool = pool;
  request.range = &range;
  return provisioner().Create(request);
}

AvailableSpace ProvisionerTest::FreeOf(const std::string& pool) {
  csi::VolumeParameters parameters;
  parameters.pool = pool;
  const auto capacity = provisioner().GetCapacity(parameters);
  EXPECT_TRUE(capacity.ok()) << capacity.status();
  return capacity.ok() ? *capacity : AvailableSpace{};
}

}  // namespace famfs::controller
