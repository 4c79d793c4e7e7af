// The options of subcommands that make files: how these lie on the devices.
#pragma once

#include <optional>

#include "instance/writer/writer.h"
#include "tools/common/command_line.h"

namespace famfs {

struct LayoutOptions {
  std::uint32_t strips = 0;            // 0: contiguous
  std::optional<std::uint64_t> chunk;  // bytes; absent: 2 MiB
  std::uint32_t buckets = 0;           // 0: one strip on each device

  /// InvalidArgument for a chunk or buckets without strips. The Writer checks
  /// the rest against the devices.
  [[nodiscard]] absl::StatusOr<FileLayout> Resolve() const;
};
void AddLayoutOptions(Command* command, LayoutOptions& options);

}  // namespace famfs
