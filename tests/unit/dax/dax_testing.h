// What the tests of dax share: bytes to store, a second process, and a file
// system of one's own.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "dax/device.h"
#include "dax/emulated.h"

namespace famfs::testing {

inline std::span<const std::byte> AsBytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::string TextAt(const Mapping& mapping, std::size_t at,
                          std::size_t length) {
  const auto bytes = mapping.bytes().subspan(at, length);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Whether each byte of the range is `value`.
bool Holds(const Mapping& mapping, std::size_t at, std::size_t length,
           std::byte value);

/// A fixed tag for devices whose tag does not matter.
Uuid SomeTag();

/// Creates the device in `directory`, 64 MiB unless told, and opens it.
absl::StatusOr<std::unique_ptr<DaxDevice>> MakeEmulated(
    const std::string& directory, Access access = Access::kReadWrite,
    EmulatedConfig config = {});

/// A child process that runs `body` and exits with what that returns. Signals
/// pass between the two as single bytes. Killed when it goes out of scope.
class Process {
 public:
  /// The child's end: Tell and Await talk to the parent.
  class Peer {
   public:
    Peer(UniqueFd in, UniqueFd out)
        : in_(std::move(in)), out_(std::move(out)) {}
    bool Tell();  // false: the other side is gone
    bool
    Await();      // until the other side tells; false: it is gone, or 60 s went
    bool Told();  // without waiting

   private:
    UniqueFd in_;
    UniqueFd out_;
  };

  explicit Process(const std::function<int(Peer&)>& body);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  Peer& peer() { return *peer_; }
  /// The exit code, or 128 + the signal that ended it.
  int Wait();
  void Kill();

 private:
  pid_t pid_ = -1;
  std::optional<Peer> peer_;
};

/// For the body of EXPECT_EXIT(..., KilledBySignal(SIGSEGV), ""): a sanitizer's
/// handler would turn the fault into an ordinary exit.
void LetFaultsKill();

/// Mounts a fresh file system on `directory`, in a mount namespace that this
/// thread alone has from then on. Empty when it worked; otherwise the missing
/// capability in words, for GTEST_SKIP.
std::string MountPrivately(const std::string& type,
                           const std::string& directory,
                           const std::string& options);
/// Makes what MountPrivately mounted read-only; answers alike.
std::string RemountReadOnly(const std::string& directory);

}  // namespace famfs::testing
