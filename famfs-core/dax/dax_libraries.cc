#include "dax/dax_libraries.h"

#include <daxctl/libdaxctl.h>
#include <ndctl/libndctl.h>

#include <cerrno>
#include <cstring>

namespace famfs {
namespace {

constexpr std::uint64_t kBadBlock = 512;  // bytes

struct ContextEnd {
  void operator()(ndctl_ctx* context) const { ndctl_unref(context); }
};

// What it would print is told by what it answers.
void Keep(ndctl_ctx* /*context*/, int /*priority*/, const char* /*file*/,
          int /*line*/, const char* /*function*/, const char* /*format*/,
          va_list /*arguments*/) {}

std::uint64_t BadBytesOf(ndctl_namespace* space) {
  std::uint64_t bytes = 0;
  badblock* bad = nullptr;
  ndctl_namespace_badblock_foreach(space, bad) { bytes += bad->len; }
  return bytes * kBadBlock;
}

// Not by names: the chardev dax0.0 may belong to the namespace's device dax0.1.
void AddDevices(ndctl_namespace* space, std::vector<DaxNamespace>& found) {
  ndctl_dax* const holder = ndctl_namespace_get_dax(space);
  if (holder == nullptr) return;
  daxctl_region* const region = ndctl_dax_get_daxctl_region(holder);
  if (region == nullptr) return;
  DaxNamespace one;
  ndctl_dax_get_uuid(holder, one.uuid.bytes.data());
  one.bad_bytes = BadBytesOf(space);
  daxctl_dev* device = nullptr;
  daxctl_dev_foreach(region, device) {
    one.device = daxctl_dev_get_devname(device);
    found.push_back(one);
  }
}

class Libraries final : public DaxLibraries {
 public:
  absl::StatusOr<std::vector<DaxNamespace>> Namespaces() override {
    ndctl_ctx* made = nullptr;
    if (const int error = ndctl_new(&made); error < 0) {
      return Unavailable("libndctl cannot look for namespaces: {}",
                         std::strerror(-error));
    }
    const std::unique_ptr<ndctl_ctx, ContextEnd> context(made);
    ndctl_set_log_fn(context.get(), Keep);
    std::vector<DaxNamespace> found;
    ndctl_bus* bus = nullptr;
    ndctl_bus_foreach(context.get(), bus) {
      ndctl_region* region = nullptr;
      ndctl_region_foreach(bus, region) {
        ndctl_namespace* space = nullptr;
        ndctl_namespace_foreach(region, space) { AddDevices(space, found); }
      }
    }
    return found;
  }
};

}  // namespace

std::shared_ptr<DaxLibraries> RealDaxLibraries() {
  return std::make_shared<Libraries>();
}

}  // namespace famfs
