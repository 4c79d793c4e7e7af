// A whole file mapped at a 2 MiB boundary, so that huge pages can map it.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace famfs::bench {

class MappedFile {
 public:
  MappedFile(const std::string& path, std::size_t size, bool writable)
      : size_(size) {
    const int fd = ::open(path.c_str(), writable ? O_RDWR : O_RDONLY);
    reserved_ = ::mmap(nullptr, size + kHuge, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    const auto address = reinterpret_cast<std::uintptr_t>(reserved_);
    void* aligned =
        reinterpret_cast<void*>((address + kHuge - 1) / kHuge * kHuge);
    void* mapped =
        ::mmap(aligned, size, writable ? PROT_READ | PROT_WRITE : PROT_READ,
               MAP_SHARED | MAP_FIXED, fd, 0);
    if (fd < 0 || mapped == MAP_FAILED) {
      std::perror(path.c_str());
      std::exit(2);
    }
    ::close(fd);
    base_ = static_cast<std::byte*>(mapped);
  }
  ~MappedFile() { ::munmap(reserved_, size_ + kHuge); }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  [[nodiscard]] std::byte* data() const { return base_; }
  [[nodiscard]] std::size_t size() const { return size_; }

  /// Bytes of the mapping that 2 MiB page-table entries map now.
  [[nodiscard]] std::size_t HugeMapped() const {
    std::ostringstream start;
    start << std::hex << reinterpret_cast<std::uintptr_t>(base_) << '-';
    std::ifstream smaps("/proc/self/smaps");
    bool ours = false;
    std::size_t kib = 0;
    for (std::string line; std::getline(smaps, line);) {
      const std::size_t colon = line.find(':');
      if (line.find('-') < line.find(' ')) ours = line.starts_with(start.str());
      if (ours && line.find("PmdMapped:") != std::string::npos) {
        kib += std::stoul(line.substr(colon + 1));
      }
    }
    return kib * 1024;
  }

 private:
  static constexpr std::size_t kHuge = 2UL << 20;
  void* reserved_ = nullptr;
  std::byte* base_ = nullptr;
  std::size_t size_;
};

}  // namespace famfs::bench
