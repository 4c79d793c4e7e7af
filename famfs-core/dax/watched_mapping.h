// A range that is mapped shared and may lose its memory (dax/missing_memory.h):
// what the mappings of all kinds of device have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/unique_fd.h"
#include "dax/device.h"
#include "dax/missing_memory.h"

namespace famfs {

/// PROT_READ, and PROT_WRITE where it may be written.
int ProtectionFor(Access access);

/// What mmap gave; unmapped by its owner's end.
class MappedPages {
 public:
  /// `at`: of the first byte, in what `fd` stands for. `unit`: bytes that can
  /// only be mapped together (WatchedMemory); 0: a page. An error of mmap(2)
  /// names `name`.
  static absl::StatusOr<MappedPages> Map(int fd, std::uint64_t at,
                                         std::size_t length, Access access,
                                         const std::string& name,
                                         std::size_t unit = 0);
  ~MappedPages();
  MappedPages(MappedPages&& other) noexcept;
  MappedPages& operator=(MappedPages&&) = delete;

  [[nodiscard]] std::byte* base() const { return base_; }
  [[nodiscard]] std::size_t length() const { return length_; }
  [[nodiscard]] std::uint64_t at() const { return at_; }
  [[nodiscard]] std::size_t unit() const { return unit_; }
  /// The same range of another descriptor in their place, at once.
  [[nodiscard]] bool Replace(int fd, Access access) const;

 private:
  MappedPages(std::byte* base, std::size_t length, std::uint64_t at,
              std::size_t unit)
      : base_(base), length_(length), at_(at), unit_(unit) {}

  std::byte* base_ = nullptr;
  std::size_t length_ = 0;  // bytes
  std::uint64_t at_ = 0;
  std::size_t unit_ = 0;  // bytes
};

class WatchedMapping : public Mapping {
 public:
  [[nodiscard]] bool lost() const override { return watched_.lost(); }
  [[nodiscard]] absl::Status Check() const override;
  [[nodiscard]] absl::Status Renew() override;

 protected:
  /// The mapping is the `size` bytes that begin `skip` bytes into the pages.
  /// `name`: for messages.
  WatchedMapping(MappedPages pages, std::size_t skip, std::size_t size,
                 Access access, std::string name);

  /// What is to be mapped in the place of what was lost: the same memory, all
  /// of which is there; no descriptor, or an error, when it is not.
  [[nodiscard]] virtual absl::StatusOr<UniqueFd> OpenAgain() const = 0;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Access access() const { return access_; }
  /// Of the mapping's first byte, in what was mapped.
  [[nodiscard]] std::uint64_t begin() const { return pages_.at() + skip_; }

 private:
  const MappedPages pages_;
  const std::size_t skip_;  // bytes
  const Access access_;
  const std::string name_;
  // Last: pages that are unmapped are watched no more, since another mapping
  // may get their addresses.
  WatchedMemory watched_;
};

}  // namespace famfs
