// Marks by which the processes of one machine see each other at a device, in
// whichever containers they run and wherever each keeps its lock files.
//
// A mark is a lock of an open file description (fcntl(2)) on one byte of a file
// of the device, far behind any contents: of the file by which it is opened or,
// of an emulated one that is not being made, of the extent at 0. The kernel
// drops it with its holder, however that ends. Only who may write the file can
// mark it; locks of its readers mean nothing.
//
// Where the device has no such file, this process may not write it, or its file
// system has no such locks, there are no marks, and nothing is known.
#pragma once

#include <cstdint>
#include <optional>

#include "base/status.h"
#include "base/unique_fd.h"
#include "dax/device.h"

namespace famfs {

enum class Use {
  kMaking,   // an instance is being made there; number 0
  kServing,  // a server shows it; any number
  kWriting,  // a writer; the number is its epoch
};

class UseMark {
 public:
  /// No mark.
  UseMark() = default;
  /// Never waits. Unavailable when another has the same mark; no mark where
  /// there are none. Of a number its lower 32 bits count.
  static absl::StatusOr<UseMark> Set(DaxDevice& device, Use use,
                                     std::uint64_t number);
  [[nodiscard]] bool held() const { return fd_.valid(); }
  /// Whether another holder has that mark of the file on which this one stands;
  /// nullopt: this is no mark, or nothing can be seen.
  [[nodiscard]] std::optional<bool> SeesAnother(Use use,
                                                std::uint64_t number) const;

 private:
  explicit UseMark(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

/// Whether somebody has that mark, this process too; nullopt: there are none
/// that could be seen.
std::optional<bool> IsMarked(DaxDevice& device, Use use, std::uint64_t number);
/// The same of any number.
std::optional<bool> IsMarked(DaxDevice& device, Use use);
/// The same of an emulated device's file, opened already.
std::optional<bool> IsBeingMade(int device_yaml);

}  // namespace famfs
