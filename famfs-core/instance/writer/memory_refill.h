// Memory of extents, and of nodes' own files, that programs which map them gave
// back to the machine (dax/extent_pin.h says how, and what forbids it): gives
// it again.
//
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/status.h"
#include "dax/device.h"
#include "instance/writer/admission.h"
#include "instance/writer/writer_state.h"

namespace famfs {

class MemoryRefill {
 public:
  MemoryRefill(WriterState& state, Admission& admission)
      : state_(state), admission_(admission) {}

  /// Writer::RefillMemory.
  absl::Status Run() ABSL_LOCKS_EXCLUDED(state_.mutex);
  /// Given again so far.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  /// For messages: the file that has the extent.
  [[nodiscard]] std::string OwnerOf(const MediaExtent& extent) const;
  absl::Status RefillDevice(std::uint64_t index, DaxDevice& device);
  absl::Status RefillNodeFiles(DaxDevice& device);
  /// As the log has it now; no file: there is none.
  struct NodeFileOwner {
    std::string file;
    std::uint64_t size = 0;       // bytes
    std::uint64_t allocated = 0;  // bytes
    bool operator==(const NodeFileOwner&) const = default;
  };
  [[nodiscard]] NodeFileOwner FindNodeFile(NodeId id) const
      ABSL_LOCKS_EXCLUDED(state_.mutex);
  void TellOfNodeFile(const DaxDevice& device, NodeId id,
                      const NodeFileOwner& one, std::uint64_t lacking) const
      ABSL_LOCKS_EXCLUDED(state_.mutex);
  /// For messages.
  [[nodiscard]] std::string PathOf(NodeId id) const
      ABSL_LOCKS_EXCLUDED(state_.mutex);

  WriterState& state_;
  Admission& admission_;
  std::atomic<std::uint64_t> bytes_{0};
};

}  // namespace famfs
