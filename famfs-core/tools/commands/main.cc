// famfs: makes, checks, shows and fills famfs instances by hand. This file is
// the command line alone; the work is in the subcommands' files.
#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string_view>

#include "base/log.h"
#include "tools/commands/commands.h"
#include "tools/common/interrupt.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Try it (an emulated device is a directory; on tmpfs its files can be shared):
  famfs mkfs emulated:/dev/shm/pool --size 4G
  famfs mkdir emulated:/dev/shm/pool data
  famfs cp emulated:/dev/shm/pool model.bin :data/model.bin
  famfs ls emulated:/dev/shm/pool -l -R
  famfs mount emulated:/dev/shm/pool /mnt/pool
  famfs umount /mnt/pool

DEVICE is emulated:DIR, image:FILE, devdax:PATH, tag:UUID, or a path: a directory
is an emulated device, a regular file a flat image, a character device such as
/dev/dax0.0 real memory. `famfs COMMAND --help` tells each command's options and
more examples.

Exit codes: 0 done; 1 problems were found, or the operation was refused; 2 a
wrong command line, or a device that could not be opened.)";

/// An image on a full file system, or a file that somebody shortens, answers a
/// store or load of a mapped page with SIGBUS. Only write(2) and _exit(2) are
/// allowed in here.
extern "C" void OnBusError(int /*signal*/) {
  constexpr std::string_view kText =
      "famfs: the memory behind the device gave way (SIGBUS): the file system "
      "that holds its file is full, or the file was shortened. Make room, then "
      "run the same command again.\n";
  [[maybe_unused]] const auto ignored =
      ::write(STDERR_FILENO, kText.data(), kText.size());
  ::_exit(static_cast<int>(ExitCode::kProblems));
}

/// The subcommand that was given, with a space behind it; or nothing.
std::string GivenCommand(const CLI::App& app) {
  const std::vector<CLI::App*> given = app.get_subcommands();
  return given.empty() ? std::string() : given.front()->get_name() + " ";
}

/// Each file of commands adds its own; the order is the one of a first visit.
void AddCommands(Command& famfs, ExitCode& exit) {
  AddOtherDevices(famfs);
  AddMkfs(famfs, exit);
  AddDevadd(famfs, exit);
  AddFsck(famfs, exit);
  AddDump(famfs, exit);
  AddLs(famfs, exit);
  AddMkvol(famfs, exit);
  AddRmvol(famfs, exit);
  AddMkdir(famfs, exit);
  AddCreat(famfs, exit);
  AddCp(famfs, exit);
  AddRm(famfs, exit);
  AddMv(famfs, exit);
  AddSymlink(famfs, exit);
  AddExport(famfs, exit);
  AddImport(famfs, exit);
  AddVerify(famfs, exit);
  AddStat(famfs, exit);
  AddDf(famfs, exit);
  AddDevices(famfs, exit);
  AddHosts(famfs, exit);
  AddEvict(famfs, exit);
  AddDu(famfs, exit);
  AddMap(famfs, exit);
  AddLogplay(famfs, exit);
  AddCompact(famfs, exit);
  AddFlush(famfs, exit);
  AddChkread(famfs, exit);
  AddMount(famfs, exit);
  AddUmount(famfs, exit);
}

int Main(int argc, char** argv) {
  SetUpLog("famfs", LogFormat::kText, "warning");
  struct sigaction action {};
  action.sa_handler = OnBusError;
  ::sigaction(SIGBUS, &action, nullptr);

  CLI::App app(
      "Makes, checks, shows and fills famfs instances: file systems "
      "whose files are shared memory.",
      "famfs");
  app.set_version_flag("--version", "famfs " FAMFS_VERSION);
  app.add_flag_callback(
      "-v,--verbose", [] { spdlog::set_level(spdlog::level::debug); },
      "Say on stderr what is being done");
  app.fallthrough();  // an option of all may also follow the subcommand
  app.require_subcommand(1);
  app.footer(kExamples);
  ExitCode exit = ExitCode::kOk;
  Command famfs(&app);
  AddCommands(famfs, exit);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    app.exit(help);  // --help and --version
  } catch (const CLI::ParseError& error) {
    std::fputs(fmt::format("famfs: {}\nTry: famfs {}--help\n", error.what(),
                           GivenCommand(app))
                   .c_str(),
               stderr);
    return static_cast<int>(ExitCode::kUsage);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "famfs: %s\n", error.what());
    return static_cast<int>(ExitCode::kProblems);
  }
  EndIfInterrupted();
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    std::fputs("famfs: the output could not be written whole\n", stderr);
    return static_cast<int>(ExitCode::kProblems);
  }
  return static_cast<int>(exit);
}

}  // namespace
}  // namespace famfs

int main(int argc, char** argv) { return famfs::Main(argc, argv); }
