// famfs-fused: serves one instance on one mount point, in the foreground.
#include <poll.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "base/descriptors.h"
#include "base/uuid.h"
#include "dax/use_mark.h"
#include "fuse/kernel/data_path.h"
#include "fuse/kernel/mount.h"
#include "fuse/server/command_line.h"
#include "fuse/server/supervision.h"
#include "runtime/signals.h"

namespace famfs {
namespace {

int Fail(const FusedCommandLine& options, FusedExit exit,
         const absl::Status& status) {
  spdlog::error("{}", Message(status));
  TellReady(options.ready_fd, fmt::format("error: {}", Message(status)));
  return static_cast<int>(exit);
}

/// Whether the session ended; false: a signal came.
bool WaitForEnd(int ended, int signals) {
  std::array<pollfd, 2> waits = {{{ended, POLLIN, 0}, {signals, POLLIN, 0}}};
  while (::poll(waits.data(), waits.size(), -1) < 0 && errno == EINTR) {
  }
  return (waits[0].revents & POLLIN) != 0;
}

/// What the lines of the file name; none when it cannot be read.
std::vector<DeviceSpec> DevicesListedIn(const std::string& file) {
  std::vector<DeviceSpec> specs;
  const auto text = ReadFile(file);
  if (!text.ok()) return specs;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    auto spec = DeviceSpec::Parse(line);
    if (spec.ok()) {
      specs.push_back(*std::move(spec));
    } else {
      spdlog::warn("{}: {}", file, Message(spec.status()));
    }
  }
  return specs;
}

/// For who would make an instance there and cannot see this process, such as a
/// mkfs in another container. What cannot be marked is served all the same.
std::vector<UseMark> MarkAsServed(DeviceSet& devices) {
  std::vector<UseMark> marks;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    const auto device = devices.At(i);
    if (!device.ok()) continue;
    // Not the process' id: that of another container may be the same.
    std::uint32_t number = 0;
    std::memcpy(&number, Uuid::Random().bytes.data(), sizeof(number));
    auto mark = UseMark::Set(**device, Use::kServing, number);
    if (mark.ok()) marks.push_back(*std::move(mark));
  }
  return marks;
}

void WarnOfMissingDevices(DeviceSet& devices) {
  for (std::size_t i = 0; i < devices.size(); ++i) {
    const auto device = devices.At(i);
    if (!device.ok()) {
      spdlog::warn("{}; files on it cannot be opened (ENXIO)",
                   Message(device.status()));
    }
  }
}

void WarnOfDamage(const Reader& reader) {
  const DamageList damage = reader.Damage();
  for (const Finding& finding : damage.findings()) {
    spdlog::warn("salvage: {}", finding.ToString());
  }
  if (damage.count() > 0) {
    spdlog::warn(
        "salvage: {} findings; what is whole is served, for reading alone",
        damage.count());
  }
}

/// With a warning of what is missing or damaged.
absl::StatusOr<std::unique_ptr<Reader>> OpenInstance(
    const FusedCommandLine& options) {
  const bool salvage = options.server.salvage;
  FAMFS_ASSIGN_OR_RETURN(
      auto devices,
      DeviceSet::Open(options.device, options.others,
                      salvage ? Access::kRead : Access::kReadWrite));
  if (!options.device_list.empty()) {
    devices->SetSource(
        [file = options.device_list] { return DevicesListedIn(file); });
  }
  auto reader = salvage ? Reader::OpenSalvaged(std::move(devices))
                        : Reader::Open(std::move(devices));
  if (!reader.ok()) return Annotate(reader.status(), options.device.ToString());
  WarnOfMissingDevices(*(*reader)->devices());
  WarnOfDamage(**reader);
  return reader;
}

/// After a signal, with what the owner has to know told: the mount stays
/// behind, or is detached if that was asked for.
[[noreturn]] void EndBySignal(const FusedCommandLine& options, Server& server) {
  const std::string& mount_point = options.server.mount_point;
  if (options.unmount_on_exit) {
    const absl::Status gone = Unmount(mount_point);
    if (!gone.ok()) spdlog::warn("{}", Message(gone));
    server.SettleFiles();
    if (gone.ok()) server.LeaveHostTable();
  } else {
    server.SettleFiles();
    spdlog::info("ended by a signal; {} stays mounted without a server",
                 mount_point);
  }
  server.EndServing();
  spdlog::shutdown();
  // Threads wait in read(2) for a kernel that may never speak again, and a
  // destructor would unmount: end here.
  ::_exit(static_cast<int>(FusedExit::kOk));
}

int Serve(const FusedCommandLine& options) {
  auto signals = TakeSignals(kEndSignals);
  if (!signals.ok()) {
    return Fail(options, FusedExit::kFailed, signals.status());
  }
  UniqueFd lock;
  if (!options.lock_file.empty()) {
    auto taken = TakeLockFile(options.lock_file);
    if (!taken.ok()) {
      return Fail(options,
                  absl::IsAlreadyExists(taken.status()) ? FusedExit::kLocked
                                                        : FusedExit::kFailed,
                  taken.status());
    }
    lock = *std::move(taken);
  }
  if (!options.server.detached) {
    const absl::Status usable = CheckMountPoint(
        options.server.mount_point, options.server.allow_existing_mount);
    if (!usable.ok()) return Fail(options, FusedExit::kMountPoint, usable);
  }
  auto reader = OpenInstance(options);
  if (!reader.ok()) return Fail(options, FusedExit::kDevice, reader.status());
  const std::vector<UseMark> marks = MarkAsServed(*(*reader)->devices());
  auto server = Server::Start(*std::move(reader), options.server);
  if (!server.ok()) {
    return Fail(options,
                IsPathRefused(server.status()) ? FusedExit::kDataPath
                                               : FusedExit::kFailed,
                server.status());
  }
  if (!options.server.detached) {
    const absl::Status attached = (*server)->Attach();
    if (!attached.ok()) return Fail(options, FusedExit::kMountPoint, attached);
  }
  spdlog::info("{} is {} on {}", options.device.ToString(),
               options.server.detached ? "to be mounted" : "mounted",
               options.server.mount_point);
  TellReady(options.ready_fd,
            fmt::format("ready {}", ToString((*server)->data_path())),
            (*server)->TakeMount().get());

  if (WaitForEnd((*server)->ended_fd(), signals->get())) {
    const bool failed = (*server)->failed();
    if (!failed) spdlog::info("{} was unmounted", options.server.mount_point);
    server->reset();
    return static_cast<int>(failed ? FusedExit::kFailed : FusedExit::kOk);
  }
  EndBySignal(options, **server);
}

}  // namespace
}  // namespace famfs

int main(int argc, char** argv) {
  famfs::KeepStandardDescriptors();
  std::signal(SIGPIPE, SIG_IGN);  // a log that nobody reads ends no service
  famfs::RaiseDescriptorLimit();
  int exit = 0;
  const auto options = famfs::ParseCommandLine(argc, argv, exit);
  if (!options.has_value()) return exit;
  famfs::SetUpLog("famfs-fused", options->log_format, options->log_level);
  return famfs::Serve(*options);
}
