#include "tests/trees/hosts.h"

#include <sys/mount.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "dax/image.h"
#include "instance/check/mkfs.h"
#include "tests/integration/support/device.h"

namespace famfs::trees {
namespace {

constexpr std::size_t kKeptLog = 32 << 10;  // bytes

void Keep(std::string& log, const std::string& more) {
  log += more;
  if (log.size() > kKeptLog) log.erase(0, log.size() - kKeptLog);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Pool>> Pool::Make(const PoolOptions& options) {
  auto pool = std::make_unique<Pool>();
  const std::string locks = pool->memory_ / "locks";
  if (options.emulated) {
    FAMFS_ASSIGN_OR_RETURN(
        const rig::Device made,
        rig::Device::Create(pool->memory_ / "device",
                            {.size = options.size, .lock_directory = locks}));
    pool->spec_ = made.spec();
    pool->owner_ = made.system_uuid();
  } else {
    FAMFS_RETURN_IF_ERROR(CreateImage(pool->memory_ / "device", options.size));
    pool->spec_ = "image:" + pool->memory_ / "device";
    FAMFS_ASSIGN_OR_RETURN(auto device,
                           OpenDevice(pool->spec_, Access::kReadWrite));
    MkfsOptions mkfs;
    mkfs.system_uuid = pool->owner_;
    mkfs.lock_directory = locks;
    FAMFS_RETURN_IF_ERROR(Mkfs(*device, mkfs));
  }
  rig::WriteFile(pool->UuidFile(), pool->owner_.ToString());
  FAMFS_ASSIGN_OR_RETURN(auto writer, pool->OpenWriter());
  VolumeAttributes attributes;
  attributes.name = "pvc-v";
  attributes.capacity = options.capacity;
  attributes.layout = VolumeLayout::kTree;
  FAMFS_RETURN_IF_ERROR(writer->CreateVolume("v", attributes, {.mode = 0777}));
  return pool;
}

absl::StatusOr<std::unique_ptr<Writer>> Pool::OpenWriter() const {
  FAMFS_ASSIGN_OR_RETURN(auto device, OpenDevice(spec_, Access::kReadWrite));
  return Writer::Open(std::move(device), {owner_, memory_ / "locks"});
}

absl::Status Pool::Check() const {
  FAMFS_ASSIGN_OR_RETURN(
      const auto fsck,
      rig::Process::Start({.argv = {rig::Binary("famfs"), "fsck", spec_}}));
  FAMFS_ASSIGN_OR_RETURN(const int status, fsck->Wait());
  if (status == 0) return absl::OkStatus();
  return DataLoss("famfs fsck ends with {}:\n{}", status, fsck->output());
}

absl::Status OwnerHere::Start(const Pool& pool) {
  FAMFS_ASSIGN_OR_RETURN(writer_, pool.OpenWriter());
  FAMFS_ASSIGN_OR_RETURN(answerer_, Answerer::Start(*writer_));
  return absl::OkStatus();
}

Controller::Controller(const Pool& pool)
    : pool_(pool), socket_(pool.In("csi.sock")) {
  rig::WriteFile(pool_.In("config.yaml"),
                 fmt::format("pools: [{{name: p, device: \"{}\"}}]\n"
                             "controller: {{reclaimInterval: 1s}}\n",
                             pool_.spec()));
}

absl::Status Controller::Start() {
  FAMFS_ASSIGN_OR_RETURN(
      process_,
      rig::Process::Start(
          {.argv = {rig::Binary("famfs-csi-controller"), "--config",
                    pool_.In("config.yaml"), "--endpoint", "unix://" + socket_},
           .environment = {"FAMFS_SYSTEM_UUID_FILE=" + pool_.UuidFile()}}));
  return rig::WaitForSocket(socket_, process_.get());
}

void Controller::Kill() {
  if (process_ == nullptr) return;
  process_->Kill();
  Keep(log_, process_->output() + "---- killed\n");
  process_ = nullptr;
}

absl::Status Controller::Stop() {
  if (process_ == nullptr) return absl::OkStatus();
  FAMFS_ASSIGN_OR_RETURN(const int status, process_->Stop());
  Keep(log_, process_->output());
  process_ = nullptr;
  if (status == 0) return absl::OkStatus();
  return FailedPrecondition("the controller ended with {}", status);
}

std::string Controller::Log() const {
  return log_ + (process_ == nullptr ? "" : process_->output());
}

struct Host::Served {
  rig::TempDir directory{"famfs-host"};
  std::unique_ptr<rig::Process> server;
  ~Served() {
    if (server != nullptr) server->Kill();
    ::umount2(directory.path().c_str(), MNT_DETACH);
  }
};

Host::Host(const Pool& pool, std::string name, std::string data_path)
    : pool_(pool), name_(std::move(name)), data_path_(std::move(data_path)) {
  rig::WriteFile(pool_.In(("uuid-" + name_).c_str()),
                 Uuid::Random().ToString());
}

Host::~Host() = default;

absl::Status Host::Serve() {
  auto served = std::make_unique<Served>();
  FAMFS_ASSIGN_OR_RETURN(
      served->server,
      rig::Process::Start(
          {.argv = {rig::Binary("famfs-fused"), pool_.spec(),
                    served->directory.path(), "--data-path", data_path_,
                    "--poll-ms", "50"},
           .environment = {"FAMFS_SYSTEM_UUID_FILE=" +
                           pool_.In(("uuid-" + name_).c_str())}}));
  FAMFS_RETURN_IF_ERROR(served->server->WaitForOutput(" is mounted on "));
  const std::lock_guard lock(mutex_);
  // The one before stays for who still uses its path.
  if (served_.size() > 1) served_.erase(served_.begin());
  served_.push_back(std::move(served));
  return absl::OkStatus();
}

void Host::Kill() {
  rig::Process& server = *served_.back()->server;
  ++kills_;
  server.Kill();
  ++kills_;
  Keep(log_, server.output() + "---- killed\n");
}

absl::Status Host::Stop() {
  FAMFS_ASSIGN_OR_RETURN(const int status, served_.back()->server->Stop());
  Keep(log_, served_.back()->server->output());
  if (status == 0) return absl::OkStatus();
  return FailedPrecondition("the server of {} ended with {}", name_, status);
}

std::string Host::Log() const {
  return log_ + (served_.empty() ? "" : served_.back()->server->output());
}

std::string Host::Root() const {
  const std::lock_guard lock(mutex_);
  return served_.back()->directory.path() + "/v/";
}

std::string MissingFor(const std::string& data_path) {
  if (::access("/dev/fuse", R_OK | W_OK) != 0) {
    return "this machine has no /dev/fuse that this user may open";
  }
  if (data_path != "passthrough") return "";
  static const std::string why = []() -> std::string {
    const auto pool = Pool::Make({.size = 4 * kGiB, .capacity = 64 * kMiB});
    if (!pool.ok()) return "";  // the tests will tell
    Host host(**pool, "probe", "passthrough");
    if (const absl::Status served = host.Serve(); !served.ok()) {
      return "the kernel has no FUSE passthrough: " +
             std::string(Message(served));
    }
    return "";
  }();
  return why;
}

}  // namespace famfs::trees
