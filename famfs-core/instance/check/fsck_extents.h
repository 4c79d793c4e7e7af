// Fsck's part for emulated devices: the extent files against the log.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/range.h"
#include "dax/device.h"
#include "instance/log/finding.h"
#include "instance/log/log_player.h"

namespace famfs {

struct ExtentFileCheck {
  std::uint64_t device_index = 0;
  std::uint64_t log_length = 0;  // bytes; 0: the log is not here
  std::optional<Range> image{};  // of a compaction under way
  /// What of the log could not be read ("entry 3"); empty: nothing. An extent
  /// that no entry names may then be that of a file.
  std::string unread{};
  /// The primary's capability: the bytes of tree volumes' files are not here.
  bool has_node_files = false;
};

/// A live file without its extent file (or one of another length) is an error
/// that names the path; a file that no entry names is unfinished work, of a
/// creation, or of a removal after a compaction, unless an entry could not be
/// read (rule "unnamed"). Memory that programs gave back
/// (DaxDevice::GivenBack) is unfinished, too. Nothing on devices without
/// extent files.
std::vector<Finding> CheckExtentFiles(DaxDevice& device,
                                      const LogPlayer& player,
                                      const ExtentFileCheck& check);

}  // namespace famfs
