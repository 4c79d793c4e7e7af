// What listing a directory of many names costs beside the same on tmpfs: the
// programs that people use, `ls -lU` and `find`, on a fresh mount, which has
// everything to ask for, and again, when the kernel knows it.
#include <fcntl.h>
#include <sys/mount.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/units.h"
#include "instance/writer/writer.h"
#include "tests/bench/benches.h"
#include "tests/bench/stack.h"

namespace famfs::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kNames = 60'000;
constexpr std::uint64_t kFileSize = 2 * kMiB;  // bytes

std::string NameOf(int i) { return fmt::format("many/name-{:05}", i); }

/// Milliseconds of a program and what it is given, its output thrown away.
double TimeOf(std::vector<std::string> argv) {
  const auto start = Clock::now();
  const auto process =
      Must(rig::Process::Start({.argv = std::move(argv)}), "a program");
  if (Must(process->Wait(), "a program") != 0) {
    Must(absl::InternalError(process->output()), "a program");
  }
  return std::chrono::duration<double, std::milli>(Clock::now() - start)
      .count();
}

double List(const std::string& directory) {
  return TimeOf(
      {"/bin/sh", "-c", "exec ls -lU \"$1\" >/dev/null", "sh", directory});
}

// By a property that is in no directory entry.
double Find(const std::string& directory) {
  return TimeOf({"/bin/sh", "-c", "exec find \"$1\" -size +0 >/dev/null", "sh",
                 directory});
}

/// An instance with kNames files in one directory, served when asked for.
class Instance {
 public:
  explicit Instance(const std::string& directory)
      : device_(Must(rig::Device::Create(directory, {.size = 160 * kGiB,
                                                     .sparse = true,
                                                     .log_length = 64 * kMiB}),
                     "an emulated device")) {
    const auto writer =
        Must(Writer::Open(Must(device_.Open(Access::kReadWrite), "Open"),
                          {.system_uuid = device_.system_uuid(),
                           .lock_directory = device_.lock_directory()}),
             "Writer::Open");
    Must(writer->Mkdir("many", {.uid = 0, .gid = 0, .mode = 0755}), "mkdir");
    for (int i = 0; i < kNames; ++i) {
      Must(writer->CreateFile(NameOf(i), kFileSize,
                              {.uid = 0, .gid = 0, .mode = 0644}),
           "a file");
    }
  }
  ~Instance() { Unmount(); }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  /// The directory on a mount that nobody has looked at yet.
  std::string MountAnew() {
    Unmount();
    server_ = Must(
        rig::Process::Start({.argv = {rig::Binary("famfs-fused"),
                                      device_.spec(), mount_point_.path()}}),
        "famfs-fused");
    Must(server_->WaitForOutput(" is mounted on "), "famfs-fused");
    return mount_point_ / "many";
  }
  std::string Again() const { return mount_point_ / "many"; }

 private:
  void Unmount() {
    if (server_ == nullptr) return;
    ::umount2(mount_point_.path().c_str(), MNT_DETACH);
    server_ = nullptr;
  }

  const rig::Device device_;
  const rig::TempDir mount_point_;
  std::unique_ptr<rig::Process> server_;
};

std::string MakePeer(const std::string& directory) {
  std::filesystem::create_directories(directory + "/many");
  for (int i = 0; i < kNames; ++i) {
    const UniqueFd fd(::open((directory + "/" + NameOf(i)).c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!fd.valid() || ::ftruncate(fd.get(), kFileSize) != 0) {
      std::perror(directory.c_str());
      std::exit(2);
    }
  }
  return directory + "/many";
}

}  // namespace

std::vector<Row> ListBench() {
  UseAllCpus();
  const rig::Tmpfs memory("4G");
  Instance instance(memory / "device");
  const std::string peer = MakePeer(memory / "peer");
  const auto compare = [&](const std::string& name,
                           double (*program)(const std::string&)) {
    const auto of_peer = [&] { return program(peer); };
    return std::vector<Row>{
        Compare(
            "list." + name + ".60000_first", "ms", {.high = 3.0},
            [&] { return program(instance.MountAnew()); }, of_peer),
        Compare(
            "list." + name + ".60000_again", "ms", {.high = 3.0},
            [&] { return program(instance.Again()); }, of_peer)};
  };
  std::vector<Row> rows = compare("ls_lU", List);
  for (Row& row : compare("find", Find)) rows.push_back(std::move(row));
  return rows;
}

}  // namespace famfs::bench
