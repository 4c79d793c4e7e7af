#include "tools/common/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/units.h"

namespace famfs {

ProgressBar::ProgressBar(std::string label)
    : label_(std::move(label)), visible_(::isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
  if (drawn_) std::fputc('\n', stderr);
}

void ProgressBar::Update(std::uint64_t done, std::uint64_t total) {
  if (!visible_ || total == 0) return;
  const Clock::time_point now = Clock::now();
  if (drawn_ && done < total &&
      now - drawn_at_ < std::chrono::milliseconds(100)) {
    return;
  }
  constexpr std::uint64_t kWidth = 30;  // characters
  const double part =
      static_cast<double>(std::min(done, total)) / static_cast<double>(total);
  const auto filled =
      static_cast<std::size_t>(part * static_cast<double>(kWidth));
  const double seconds =
      std::max(1e-3, std::chrono::duration<double>(now - start_).count());
  const auto rate =
      static_cast<std::uint64_t>(static_cast<double>(done) / seconds);
  const std::string line = fmt::format(
      "\r{} [{}{}] {:3.0f} %  {} of {}, {}/s ", label_,
      std::string(filled, '#'), std::string(kWidth - filled, '.'), part * 100,
      FormatSize(done), FormatSize(total), FormatSize(rate));
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
  drawn_ = true;
  drawn_at_ = now;
}

Progress ProgressBar::Callback() {
  return
      [this](std::uint64_t done, std::uint64_t total) { Update(done, total); };
}

}  // namespace famfs
