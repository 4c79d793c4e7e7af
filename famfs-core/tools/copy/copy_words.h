// The words of `famfs cp`: which device, and which of them lie in its instance.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace famfs {

struct CopyWords {
  std::string device;
  std::vector<std::string> sources;  // without their colons
  std::string target;                // without its colon
  bool into = false;                 // the instance; else out of it
};

/// Takes `DEVICE SOURCE... :DEST` and `DEVICE :SOURCE... DEST`; and, where no
/// word begins with a colon, `SOURCE... DEVICE:DEST` and `DEVICE:SOURCE...
/// DEST`, where DEVICE is there and the whole word is no local file.
/// InvalidArgument says what is missing.
absl::StatusOr<CopyWords> ReadCopyWords(const std::vector<std::string>& words);

}  // namespace famfs
