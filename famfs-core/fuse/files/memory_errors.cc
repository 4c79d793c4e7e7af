#include "fuse/files/memory_errors.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>

#include "base/text.h"
#include "media/format.h"

namespace famfs {
namespace {

constexpr std::chrono::seconds kBetweenReports{1};

bool IsPowerOfTen(std::uint64_t count) {
  while (count % 10 == 0) count /= 10;
  return count == 1;
}

}  // namespace

MemoryErrors::MemoryErrors(std::string report_file)
    : report_file_(std::move(report_file)) {
  if (!report_file_.empty()) ::unlink(report_file_.c_str());
}

int MemoryErrors::Note(const std::string& path, const absl::Status& why) {
  const int error = absl::IsResourceExhausted(why) ? ENOSPC : EIO;
  std::uint64_t count = 0;
  bool is_due = false;
  {
    const MutexLock lock(mutex_);
    std::string name = Printable(path);
    if (counts_.size() >= kMostFiles && !counts_.contains(name)) name = "...";
    count = ++counts_[name];
    changed_ = true;
    is_due = std::chrono::steady_clock::now() - reported_ >= kBetweenReports;
  }
  if (is_due) Report();
  if (IsPowerOfTen(count)) {
    spdlog::error("{}: memory is missing, answered with {} ({} so far): {}",
                  Printable(path), error == ENOSPC ? "ENOSPC" : "EIO", count,
                  Message(why));
  }
  return error;
}

void MemoryErrors::Report() {
  if (report_file_.empty() || !report_mutex_.TryLock()) return;
  const MutexLock one(report_mutex_, std::adopt_lock);
  std::map<std::string, std::uint64_t> counts;
  {
    const MutexLock lock(mutex_);
    if (!changed_) return;
    changed_ = false;
    reported_ = std::chrono::steady_clock::now();
    counts = counts_;
  }
  const std::string fresh = report_file_ + ".new";
  std::ofstream file(fresh, std::ios::trunc);
  for (const auto& [path, count] : counts) file << count << ' ' << path << '\n';
  file.close();
  if (!file || std::rename(fresh.c_str(), report_file_.c_str()) != 0) {
    spdlog::warn("{}: cannot be written", report_file_);
  }
}

}  // namespace famfs
