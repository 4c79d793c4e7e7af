// A host of a pool: a mount namespace with an identity of its own and a
// famfs-fused.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "tests/integration/support/rig.h"

namespace famfs::itest {

class Host {
 public:
  /// Nothing is served yet. `dir` outlives the host; `name` is unique there.
  Host(const rig::TempDir& dir, const std::string& name, std::string device);
  /// A second server of the same machine, on a mount of its own.
  explicit Host(const Host& machine);
  ~Host();
  Host& operator=(const Host&) = delete;

  /// A new boot id for the next Serve.
  void Reboot() const;
  void Serve(const std::vector<std::string>& arguments = {});
  /// SIGKILL: the mount stays behind without a server.
  void Kill();
  void Unmount() const;
  /// Unmounts and waits until the server has ended.
  void Leave();

  /// 0 or open(2)'s errno.
  [[nodiscard]] int TryOpen(const std::string& file) const;
  /// A writable mapping whose descriptor is closed: nothing else holds the
  /// file. To be unmapped by the caller.
  [[nodiscard]] char* Map(const std::string& file, std::size_t size) const;
  /// Whether the whole file is zeros, by read(2). False, and a failed
  /// test, when it cannot be read.
  [[nodiscard]] bool ReadsAsZeros(const std::string& file) const;

  /// In the host's mount namespace.
  void Run(const std::function<void()>& body) const { namespace_.Run(body); }
  [[nodiscard]] const Uuid& uuid() const { return uuid_; }
  [[nodiscard]] rig::Process& server() const { return *server_; }
  [[nodiscard]] const std::string& path() const { return mount_.path(); }

 private:
  rig::TempDir mount_{"famfs-mount"};
  rig::MountNamespace namespace_;
  std::string device_;
  std::string uuid_file_;
  std::string boot_file_;
  Uuid uuid_ = Uuid::Random();
  std::unique_ptr<rig::Process> server_;
};

}  // namespace famfs::itest
