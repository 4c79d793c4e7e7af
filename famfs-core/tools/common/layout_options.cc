#include "tools/common/layout_options.h"

#include "media/format.h"
#include "tools/common/context.h"

namespace famfs {

absl::StatusOr<FileLayout> LayoutOptions::Resolve() const {
  if (strips == 0) {
    if (!chunk && buckets == 0) return FileLayout{};
    return AsUsage(
        InvalidArgument("{} needs --strips", chunk ? "--chunk" : "--buckets"));
  }
  return FileLayout{.strips = strips,
                    .chunk = chunk.value_or(kAllocUnit),
                    .buckets = buckets};
}

void AddLayoutOptions(Command* command, LayoutOptions& options) {
  command
      ->add_option("-N,--strips", options.strips,
                   "Interleave the file over so many strips, one on each of as "
                   "many devices. Default: contiguous")
      ->within(1, kMaxStrips)
      ->type_name("N");
  AddSize(
      command, "-C,--chunk", options.chunk,
      "Bytes on a strip before the next one comes: a power of two, at least "
      "2M. Default: 2M");
  command
      ->add_option("-B,--buckets", options.buckets,
                   "Take the strips from so many equal parts of one device "
                   "instead")
      ->type_name("N");
}

}  // namespace famfs
