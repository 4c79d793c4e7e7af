// What moves many bytes: the copy of `famfs cp` beside cp(1) to a file of the
// same tmpfs, which is what a user would do instead, and beside memcpy with as
// many threads; and a scrub beside plain streaming stores.
//
// The first store to a page of a new file costs its zeroing by the kernel,
// about as much as the copy itself. Streaming stores push out the lines that
// were just zeroed, which ordinary stores find in the cache: that costs them a
// tenth to a fifth beside memcpy, and saves the write-back that memory outside
// of this machine needs. So a new file is bounded beside cp, and the copy
// itself beside memcpy where both store to pages that are there.
#include <emmintrin.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/units.h"
#include "dax/image.h"
#include "dax/scrub.h"
#include "tests/bench/benches.h"
#include "tests/bench/mapped_file.h"
#include "tests/bench/stack.h"
#include "tools/common/changer.h"
#include "tools/copy/copy_files.h"
#include "tools/copy/copy_run.h"

namespace famfs::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kCopied = 4 * kGiB;
constexpr std::uint64_t kScrubbed = 2 * kGiB;
constexpr std::uint64_t kPart = 64 * kMiB;  // that a thread takes

unsigned Threads() {
  return std::clamp(std::thread::hardware_concurrency(), 2U, 4U);
}

/// GiB/s of work that moves so many bytes.
template <typename Work>
double Rate(std::uint64_t bytes, const Work& work) {
  const auto start = Clock::now();
  work();
  const std::chrono::duration<double> taken = Clock::now() - start;
  return static_cast<double>(bytes) / static_cast<double>(kGiB) / taken.count();
}

/// Each thread takes the next part, as RunCopies and Scrub have it: a thread
/// that the machine holds up does not hold up the others.
void InParts(std::uint64_t bytes,
             const std::function<void(std::uint64_t at)>& part) {
  std::atomic<std::uint64_t> next{0};
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < Threads(); ++i) {
    threads.emplace_back([&] {
      for (;;) {
        const std::uint64_t at = next.fetch_add(kPart);
        if (at >= bytes) return;
        part(at);
      }
    });
  }
}

void MakeFile(const std::string& path, std::uint64_t size) {
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
  if (!fd.valid() ||
      ::posix_fallocate(fd.get(), 0, static_cast<off_t>(size)) != 0) {
    std::perror(path.c_str());
    std::exit(2);
  }
}

void Fill(const std::string& path, std::uint64_t size) {
  MakeFile(path, size);
  const MappedFile file(path, size, true);
  InParts(size, [&](std::uint64_t at) {
    std::memset(file.data() + at, static_cast<int>(at / kPart % 251 + 1),
                kPart);
  });
}

/// What `famfs cp` copies to: an emulated device with an empty instance.
class Target {
 public:
  explicit Target(const std::string& directory) : directory_(directory) {
    std::filesystem::create_directory(directory_);
    device_.emplace(Must(rig::Device::Create(directory_ + "/device"),
                         "an emulated device"));
  }
  ~Target() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;
  [[nodiscard]] const rig::Device& device() const { return *device_; }

 private:
  std::string directory_;
  std::optional<rig::Device> device_;
};

CopyResult Copy(std::unique_ptr<FileCopy> copy) {
  std::vector<std::unique_ptr<FileCopy>> copies;
  copies.push_back(std::move(copy));
  CopyResult result = RunCopies(std::move(copies), Threads(), "copying in");
  for (const absl::Status& problem : result.problems) Must(problem, "cp");
  return result;
}

std::unique_ptr<Changer> OpenTarget(const rig::Device& device) {
  return ChangerOf(
      Must(Writer::Open(Must(device.Open(Access::kReadWrite), "Open"),
                        {.system_uuid = device.system_uuid(),
                         .lock_directory = device.lock_directory()}),
           "Writer::Open"));
}

std::unique_ptr<FileCopy> NewCopy(Changer& changer, const std::string& source) {
  return NewCopyIn(changer, source, kCopied, "copied",
                   {.uid = 0, .gid = 0, .mode = 0644}, CopyChoices{});
}

/// What the command does, from opening the instance to the entry in its log; in
/// this process, as its peer is, so that both have the same share of a machine
/// that others use.
double RunCp(const std::string& memory, const std::string& source) {
  const Target target(memory + "/target");
  return Rate(kCopied, [&] {
    const auto changer = OpenTarget(target.device());
    Copy(NewCopy(*changer, source));
  });
}

void CopyParts(const MappedFile& to, const MappedFile& from) {
  InParts(kCopied, [&](std::uint64_t at) {
    std::memcpy(to.data() + at, from.data() + at, kPart);
  });
}

/// The peer of RunCp: a new file of the same tmpfs.
double CopyToNewFile(const std::string& memory, const std::string& source) {
  const std::string path = memory + "/new";
  const double rate = Rate(kCopied, [&] {
    MakeFile(path, kCopied);
    const MappedFile to(path, kCopied, true);
    const MappedFile from(source, kCopied, false);
    CopyParts(to, from);
  });
  ::unlink(path.c_str());
  return rate;
}

/// The same by the program that everybody uses.
double CpToNewFile(const std::string& memory, const std::string& source) {
  const std::string path = memory + "/new";
  const double rate = Rate(kCopied, [&] {
    const auto cp =
        Must(rig::Process::Start({.argv = {"/bin/cp", source, path}}), "cp");
    if (Must(cp->Wait(), "cp") != 0) {
      Must(absl::InternalError(cp->output()), "cp");
    }
  });
  ::unlink(path.c_str());
  return rate;
}

/// A copy that was begun; the pages of its file are there.
class BegunCopy final : public FileCopy {
 public:
  explicit BegunCopy(FileCopy& copy) : copy_(copy) {}
  std::uint64_t size() const override { return copy_.size(); }
  absl::StatusOr<bool> Begin() override { return true; }
  absl::Status Copy(std::uint64_t at, std::uint64_t length,
                    const Advance& advance) override {
    return copy_.Copy(at, length, advance);
  }
  absl::Status Finish() override { return copy_.Finish(); }

 private:
  FileCopy& copy_;
};

/// The copy's own code, from the first byte to the entry in the log; the pages
/// were touched by a copy before.
double CopyToPages(const std::string& memory, const std::string& source) {
  const Target target(memory + "/target");
  const auto changer = OpenTarget(target.device());
  const auto copy = NewCopy(*changer, source);
  Must(copy->Begin().status(), "Begin");
  InParts(kCopied, [&](std::uint64_t at) {
    Must(copy->Copy(at, kPart, [](std::uint64_t /*bytes*/) {}), "Copy");
  });
  return Rate(kCopied, [&] { Copy(std::make_unique<BegunCopy>(*copy)); });
}

/// The peer of CopyToPages: stores through a mapping that was stored to before.
double CopyToOldFile(const std::string& memory, const std::string& source) {
  const std::string path = memory + "/old";
  double rate = 0;
  MakeFile(path, kCopied);
  {
    const MappedFile to(path, kCopied, true);
    const MappedFile from(source, kCopied, false);
    CopyParts(to, from);
    rate = Rate(kCopied, [&] { CopyParts(to, from); });
  }
  ::unlink(path.c_str());
  return rate;
}

void AddCopyRows(std::vector<Row>& rows) {
  const rig::Tmpfs memory("9G");
  const std::string source = memory / "source";
  Fill(source, kCopied);
  rows.push_back(Compare(
      "cp.4GiB_vs_cp.new_file", "GiB/s", {.low = 1.0},
      [&] { return RunCp(memory.path(), source); },
      [&] { return CpToNewFile(memory.path(), source); }));
  rows.push_back(Compare(
      "cp.4GiB_vs_memcpy.new_file", "GiB/s", {},
      [&] { return RunCp(memory.path(), source); },
      [&] { return CopyToNewFile(memory.path(), source); }));
  rows.push_back(Compare(
      "cp.4GiB_vs_memcpy.pages_there", "GiB/s", {.low = 0.9},
      [&] { return CopyToPages(memory.path(), source); },
      [&] { return CopyToOldFile(memory.path(), source); }));
}

/// What the machine can do: four streaming stores a line, nothing else.
void StreamPlainly(std::byte* to, std::uint64_t length) {
  const __m128i zero = _mm_setzero_si128();
  for (std::uint64_t at = 0; at < length; at += sizeof(zero)) {
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + at), zero);
  }
  _mm_sfence();
}

void AddScrubRow(std::vector<Row>& rows) {
  const rig::Tmpfs memory("3G");
  const std::string path = memory / "image";
  // Not sparse: a scrub leaves holes as they are.
  Fill(path, kScrubbed);
  const auto device = Must(OpenImage(path, Access::kReadWrite), path);
  rows.push_back(Compare(
      "scrub.2GiB_vs_streaming_stores", "GiB/s", {.low = 0.85},
      [&] {
        return Rate(kScrubbed, [&] {
          Must(Scrub(*device, {0, kScrubbed}, {.threads = Threads()}), "Scrub");
        });
      },
      [&] {
        return Rate(kScrubbed, [&] {
          const MappedFile file(path, kScrubbed, true);
          InParts(kScrubbed, [&](std::uint64_t at) {
            StreamPlainly(file.data() + at, kPart);
          });
        });
      }));
}

}  // namespace

std::vector<Row> BulkBench() {
  UseAllCpus();
  std::vector<Row> rows;
  AddCopyRows(rows);
  AddScrubRow(rows);
  return rows;
}

}  // namespace famfs::bench
