// A whole instance from hostile bytes, through fsck and, when fsck calls it
// clean, through a Reader, which then has to agree.
//
// Input: byte 0 chooses what is repaired, then superblock (200 bytes), log
// header (48), the four region lines (256) and entries (544 each). Repairs: bit
// 0 the superblock's checksum, bit 1 the header's, bit 2 the entries' checksums
// and sequence numbers, bit 3 the counters (as many as there are entries), bit
// 4 the region lines' checksums and tags, bit 5 the log's geometry.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "instance/check/fsck.h"
#include "instance/reader/reader.h"
#include "media/checksum.h"
#include "media/region.h"
#include "require.h"

namespace famfs {
namespace {

constexpr std::uint64_t kDeviceSize = 4ULL << 30;
// What the device has of itself: head, log, and room for a compaction's image.
// The rest of it cannot be mapped, like missing extents of an emulated device.
constexpr std::uint64_t kBacked = 12ULL << 20;
constexpr std::uint64_t kLogLength = 8ULL << 20;
constexpr std::size_t kMaxEntries = 64;

class MemoryMapping : public Mapping {
 public:
  MemoryMapping(std::byte* data, std::size_t size) : Mapping(data, size) {}
  void Store(std::size_t, std::span<const std::byte>) override { Refuse(); }
  void StoreZeros(std::size_t, std::size_t) override { Refuse(); }
  void Store16(std::size_t, std::uint64_t, std::uint64_t) override { Refuse(); }
  void WriteBack(std::size_t, std::size_t) override { Refuse(); }
  void Invalidate(std::size_t at, std::size_t length) const override {
    FUZZ_REQUIRE(at <= size() && length <= size() - at);
  }

 private:
  static void Refuse() {
    constexpr bool kFsckOrReaderStores = false;
    FUZZ_REQUIRE(kFsckOrReaderStores);
  }
};

/// Has `backed` bytes of a device of kDeviceSize, for reading.
class MemoryDevice : public DaxDevice {
 public:
  explicit MemoryDevice(std::vector<std::byte>& backed) : backed_(backed) {}
  std::string spec() const override { return "memory"; }
  std::uint64_t size() const override { return kDeviceSize; }
  Uuid tag() const override { return {}; }
  absl::StatusOr<std::unique_ptr<Mapping>> Map(std::uint64_t offset,
                                               std::uint64_t length,
                                               Access access) override {
    FUZZ_REQUIRE(access == Access::kRead);
    if (offset > backed_.size() || length > backed_.size() - offset) {
      return NotFound("nothing is at {:#x} of {:#x} bytes", offset, length);
    }
    return std::make_unique<MemoryMapping>(backed_.data() + offset, length);
  }
  absl::Status CreateExtent(Range) override { return Unimplemented("no"); }
  absl::Status RemoveExtent(std::uint64_t) override {
    return Unimplemented("no");
  }
  absl::StatusOr<std::vector<Range>> ListExtents() override {
    return std::vector<Range>{{0, kDeviceSize}};
  }
  absl::StatusOr<UniqueFd> OpenExtent(std::uint64_t) override {
    return Unimplemented("no");
  }
  Capabilities capabilities() const override { return {}; }

 private:
  std::vector<std::byte>& backed_;
};

/// Takes the next bytes of the input; what is missing is zero.
class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  template <typename T>
  void Take(T& value) {
    const std::size_t n = std::min(sizeof(T), bytes_.size());
    std::memcpy(static_cast<void*>(&value), bytes_.data(), n);
    bytes_ = bytes_.subspan(n);
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

void RepairLine(Line& line, const Uuid& fs_uuid) {
  std::memcpy(line.data() + 8, fs_uuid.bytes.data(), 8);
  std::memset(line.data() + 4, 0, 4);
  const auto sum = static_cast<std::uint32_t>(Crc32(line));
  std::memcpy(line.data() + 4, &sum, sizeof(sum));
}

/// Builds the instance in memory that keeps its pages between inputs.
class Image {
 public:
  void Fill(std::uint8_t repair, Input input) {
    std::fill(dirty_.begin(), dirty_.end(), std::byte{0});
    MediaSuperblock super;
    MediaLogHeader header;
    input.Take(super);
    input.Take(header);
    if ((repair & 32) != 0) {
      super.log_offset = kLogOffset;
      super.log_length = header.length = kLogLength;
      header.last_index = LastIndex(kLogLength);
    }
    if ((repair & 1) != 0) Seal(super);
    FillRegion(repair, super.fs_uuid, input);
    const std::uint64_t entries = FillEntries((repair & 4) != 0, input);
    if ((repair & 8) != 0) header.next_seqnum = header.next_index = entries;
    if ((repair & 2) != 0) Seal(header);
    Put(kSuperblockOffset, super);
    Put(kLogOffset, header);
  }
  std::vector<std::byte>& bytes() { return bytes_; }

 private:
  void FillRegion(std::uint8_t repair, const Uuid& fs_uuid, Input& input) {
    for (std::size_t i = 0; i < 4; ++i) {
      Line line{};
      input.Take(line);
      if ((repair & 16) != 0) RepairLine(line, fs_uuid);
      Put(kRegionOffset + i * kLineSize, line);
    }
  }

  std::uint64_t FillEntries(bool repair, Input& input) {
    std::uint64_t index = 0;
    for (; !input.empty() && index < kMaxEntries; ++index) {
      MediaEntry entry{};
      input.Take(entry);
      if (repair) {
        entry.seqnum = index;
        Seal(entry);
      }
      Put(kLogOffset + EntryAt(index), entry);
    }
    return index;
  }

  template <typename T>
  void Put(std::uint64_t at, const T& value) {
    std::memcpy(bytes_.data() + at, &value, sizeof(value));
  }

  std::vector<std::byte> bytes_ = std::vector<std::byte>(kBacked);
  /// All that inputs ever write to in the log; the head is overwritten whole.
  std::span<std::byte> dirty_ =
      std::span(bytes_).subspan(kLogOffset, EntryAt(kMaxEntries));
};

void Run(std::uint8_t repair, std::span<const std::uint8_t> input) {
  static Image image;
  image.Fill(repair, Input(input));
  const auto device = std::make_shared<MemoryDevice>(image.bytes());
  const FsckReport report = Fsck(*device);
  FUZZ_REQUIRE(report.findings.size() <= 1000);
  FUZZ_REQUIRE(report.entries <= report.slots);
  for (const Finding& finding : report.findings) {
    FUZZ_REQUIRE(!finding.rule.empty() && !finding.message.empty());
  }
  if (!report.clean()) return;
  FUZZ_REQUIRE(report.have_superblock);
  const auto reader = Reader::Open(device);
  FUZZ_REQUIRE(reader.ok());
  const PoolFigures figures = (*reader)->Figures();
  FUZZ_REQUIRE(figures.entries == report.entries);
  FUZZ_REQUIRE(figures.free == report.free_bytes);
}

}  // namespace
}  // namespace famfs

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size > 1) famfs::Run(data[0], {data + 1, size - 1});
  return 0;
}
