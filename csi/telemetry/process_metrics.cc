#include "csi/telemetry/process_metrics.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace famfs::csi {
namespace {

std::string Read(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Of /proc/self/stat, by proc_pid_stat(5)'s numbers; the first after the
// program's name, which may hold anything, is 3.
std::vector<double> StatFields() {
  const std::string text = Read("/proc/self/stat");
  std::vector<double> fields(4);
  std::istringstream words(text.substr(text.rfind(')') + 1));
  std::string state;
  words >> state;
  for (double value = 0; words >> value;) fields.push_back(value);
  return fields;
}

double BootTime() {
  const std::string text = Read("/proc/stat");
  const std::size_t at = text.find("btime ");
  return at == std::string::npos ? 0 : std::stod(text.substr(at + 6));
}

// nullopt: it cannot be told now, such as when none is left to look with.
std::optional<double> OpenDescriptors() {
  std::error_code error;
  std::filesystem::directory_iterator file("/proc/self/fd", error);
  double count = 0;
  for (; !error && file != std::filesystem::directory_iterator();
       file.increment(error)) {
    ++count;
  }
  if (error) return std::nullopt;
  return count - 1;  // the directory that was read was one of them
}

}  // namespace

void CollectProcess(Exposition& page) {
  constexpr std::size_t kUserTime = 14;
  constexpr std::size_t kSystemTime = 15;
  constexpr std::size_t kThreads = 20;
  constexpr std::size_t kStartTime = 22;
  constexpr std::size_t kVirtualBytes = 23;
  constexpr std::size_t kResidentPages = 24;
  const std::vector<double> stat = StatFields();
  if (stat.size() <= kResidentPages) return;
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  const auto page_size = static_cast<double>(::sysconf(_SC_PAGESIZE));
  static const double boot_time = BootTime();
  page.Counter("process_cpu_seconds_total",
               "User and system CPU time that the process has used.", {},
               (stat[kUserTime] + stat[kSystemTime]) / ticks);
  page.Gauge("process_resident_memory_bytes",
             "Memory of the process that is in RAM, mapped pools included.", {},
             stat[kResidentPages] * page_size);
  page.Gauge("process_virtual_memory_bytes",
             "Address space of the process, mapped pools included.", {},
             stat[kVirtualBytes]);
  page.Gauge("process_threads", "Threads of the process.", {}, stat[kThreads]);
  if (const auto descriptors = OpenDescriptors()) {
    page.Gauge("process_open_fds", "Open file descriptors.", {}, *descriptors);
  }
  page.Gauge("process_start_time_seconds",
             "When the process started, in seconds since 1970.", {},
             boot_time + stat[kStartTime] / ticks);
}

}  // namespace famfs::csi
