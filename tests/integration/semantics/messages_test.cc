// The messages of docs/troubleshooting.md are those of the programs.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "tests/integration/support/rig.h"

namespace famfs::semantics {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kTelling = 7;  // a shorter fragment is found anywhere
constexpr const char* kAround = " :\"";

// All of the programs' text, with each literal in one piece.
std::string Sources() {
  std::string text;
  for (const char* room :
       {"famfs-core", "csi", "controller", "node", "deploy/tools"}) {
    const fs::path root = fs::path(FAMFS_SOURCE_DIR) / room;
    for (const auto& file : fs::recursive_directory_iterator(root)) {
      if (file.path().extension() != ".cc") continue;
      std::istringstream lines(rig::ReadWholeFile(file.path().string()));
      for (std::string line; std::getline(lines, line);) {
        const std::size_t begin = line.find_first_not_of(' ');
        if (begin == std::string::npos) continue;
        line.erase(0, begin);
        if (line.front() == '"' && text.ends_with('"')) {
          text.pop_back();
          line.erase(0, 1);
        }
        text += line;
      }
    }
  }
  return std::regex_replace(text, std::regex(R"(\\")"), "\"");
}

std::vector<std::string> Split(const std::string& message) {
  std::vector<std::string> fragments;
  std::size_t at = 0;
  while (at <= message.size()) {
    const std::size_t end = std::min(message.find("...", at), message.size());
    std::string fragment = message.substr(at, end - at);
    at = end + 3;
    fragment.erase(0, fragment.find_first_not_of(kAround));
    fragment.erase(fragment.find_last_not_of(kAround) + 1);
    if (fragment.size() >= kTelling) fragments.push_back(fragment);
  }
  return fragments;
}

TEST(TroubleshootingPage, EachMessageIsOneOfThePrograms) {
  const std::string sources = Sources();
  std::istringstream page(
      rig::ReadWholeFile(FAMFS_SOURCE_DIR "/docs/troubleshooting.md"));
  int messages = 0;
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("| `")) continue;
    ++messages;
    const std::string message = line.substr(3, line.find('`', 3) - 3);
    for (const std::string& fragment : Split(message)) {
      EXPECT_NE(sources.find(fragment), std::string::npos) << fragment;
    }
  }
  EXPECT_GT(messages, 30);
}

}  // namespace
}  // namespace famfs::semantics
