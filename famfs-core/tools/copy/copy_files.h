// One file into an instance, and one out of it.
#pragma once

#include <memory>
#include <string>

#include "dax/device.h"
#include "instance/reader/reader.h"
#include "instance/writer/writer.h"
#include "tools/common/changer.h"
#include "tools/common/instance_file.h"
#include "tools/copy/copy_run.h"

namespace famfs {

/// How a file that is there already is told from one that is to be copied.
enum class Compare {
  kFull,    // size and every byte
  kSample,  // size, and 64 pages spread over the file, its ends among them
  kSize,    // size alone
};

struct CopyChoices {
  bool skip_alike = false;  // a file that is there, alike, is done
  Compare compare = Compare::kSample;
  bool replace = false;  // a local file that is there
  FileLayout layout{};   // of new files in the instance
};

/// In the log when all bytes are on the medium, never before.
std::unique_ptr<FileCopy> NewCopyIn(Changer& changer, const std::string& from,
                                    std::uint64_t size, const std::string& to,
                                    const Ownership& owner,
                                    const CopyChoices& choices);

/// Has its name when it is whole, and the instance still has it.
std::unique_ptr<FileCopy> NewCopyOut(Reader& reader, InstanceFile from,
                                     const std::string& to,
                                     const CopyChoices& choices);

}  // namespace famfs
