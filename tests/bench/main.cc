// famfs_bench: prints a table of ratios and, with --json, one JSON line a row.
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/utsname.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>

#include "dax/cacheline.h"
#include "tests/bench/benches.h"
#include "tests/integration/support/rig.h"

namespace famfs::bench {
namespace {

const std::map<std::string, std::vector<Row> (*)()> kBenches = {
    {"alloc", AllocBench}, {"bulk", BulkBench},     {"list", ListBench},
    {"log", LogBench},     {"mapped", MappedBench}, {"node", NodeBench},
    {"play", PlayBench},   {"read", ReadBench},     {"calls", CallBench}};

// A mount namespace of our own: whatever we leave mounted goes with us.
bool Isolate() {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

int Run(std::vector<std::string> names, const std::string& json) {
  if (names.empty()) {
    for (const auto& [name, bench] : kBenches) names.push_back(name);
  }
  for (const std::string& name : names) {
    if (!kBenches.contains(name)) {
      fmt::print(stderr,
                 "no benchmark {}: there are alloc, bulk, calls, list, log, "
                 "mapped, node, "
                 "play, read\n",
                 name);
      return 2;
    }
  }
  if (!Isolate()) {
    std::perror("a mount namespace (root is needed)");
    return 2;
  }
  utsname system{};
  ::uname(&system);
  fmt::print("machine: Linux {}, {} CPUs, write-back by {}\n",
             static_cast<const char*>(system.release),
             sysconf(_SC_NPROCESSORS_ONLN), WriteBackInstruction());
  bool ok = true;
  for (const std::string& name : names) {
    fmt::print("\n{}\n", name);
    std::fflush(stdout);
    ok = Print(kBenches.at(name)(), json) && ok;
  }
  return ok ? 0 : 1;
}

}  // namespace
}  // namespace famfs::bench

int main(int argc, char** argv) {
  CLI::App app{
      "What a published volume costs beside what a user would compare it with. "
      "Ratios of interleaved rounds; exits 1 when one leaves its band."};
  std::vector<std::string> names;
  std::string json;
  std::string echo;
  app.add_option(
      "names", names,
      "alloc, bulk, calls, list, log, mapped, node, play, read; default "
      "all");
  app.add_option("--json", json, "Append JSON lines to this file");
  app.add_option("--echo", echo, "Serve the bare echo on a socket (internal)");
  CLI11_PARSE(app, argc, argv);
  if (!echo.empty()) return famfs::bench::ServeEcho(echo);
  return famfs::bench::Run(names, json);
}
