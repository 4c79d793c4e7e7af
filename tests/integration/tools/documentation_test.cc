// docs/tools.md and --help tell the same: every subcommand and option is on the
// page, and every option on the page exists.
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "tests/integration/support/rig.h"
#include "tests/integration/tools/famfs_command.h"

namespace famfs {
namespace {

std::set<std::string> Matches(const std::string& text,
                              const std::string& pattern) {
  const std::regex regex(pattern);
  std::set<std::string> found;
  for (std::sregex_iterator i(text.begin(), text.end(), regex), end; i != end;
       ++i) {
    found.insert((*i)[1].str());
  }
  return found;
}

std::string HelpOf(const std::string& command) {
  const Outcome help = Famfs({command, "--help"});
  EXPECT_THAT(help, Exits(kOk));
  return help.out;
}

/// The part of docs/tools.md under the heading "### famfs COMMAND".
std::string SectionOf(const std::string& command) {
  const std::string page =
      rig::ReadWholeFile(FAMFS_SOURCE_DIR "/docs/tools.md");
  const std::size_t start = page.find("### famfs " + command + "\n");
  if (start == std::string::npos) return "";
  return page.substr(start, page.find("\n### ", start + 1) - start);
}

std::set<std::string> Subcommands() {
  const Outcome help = Famfs({"--help"});
  EXPECT_THAT(help, Exits(kOk));
  const std::string list = help.out.substr(help.out.find("Subcommands:"));
  return Matches(list.substr(0, list.find("\n\n")), "\n  ([a-z]+) ");
}

TEST(ToolsPage, HasEverySubcommandWithItsOptions) {
  const std::set<std::string> commands = Subcommands();
  EXPECT_GE(commands.size(), 11U);
  for (const std::string& command : commands) {
    const std::string section = SectionOf(command);
    ASSERT_FALSE(section.empty()) << "no section for famfs " << command;
    // An option's line in --help starts with it; so does a row of the page.
    auto in_help = Matches(HelpOf(command), "\n  (?:-., ?|-.,)?(--[-a-z]+)");
    in_help.erase("--help");
    const auto on_page = Matches(section, "\n\\| `(?:-., )?(--[-a-z]+)");
    EXPECT_EQ(in_help, on_page) << command;
  }
}

TEST(Help, OfEverySubcommandHasAnExampleOrTellsItsExitCodes) {
  for (const std::string& command : Subcommands()) {
    const std::string help = HelpOf(command);
    EXPECT_TRUE(help.find("famfs " + command + " ") != std::string::npos ||
                help.find("Exit code") != std::string::npos)
        << help;
  }
}

}  // namespace
}  // namespace famfs
