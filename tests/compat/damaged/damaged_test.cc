// Damaged images by the thousand: fsck must end, name what is wrong and where;
// a Reader must refuse, or show the valid part where the rules say so; one that
// salvages must bring out every file but those of the damaged entry.
//
// Each image is checked in a child process with bounds on time and memory, so
// that a crash, a hang or a greedy allocation is one failed image. The seed and
// the count are printed; FAMFS_DAMAGED_SEED and FAMFS_DAMAGED_IMAGES set them.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>

#include "damages.h"
#include "instance/check/fsck.h"
#include "instance/reader/reader.h"

namespace famfs::testing {
namespace {

constexpr std::uint64_t kDefaultImages = 1040;
constexpr std::uint64_t kDefaultSeed = 8;
constexpr unsigned kSecondsPerImage = 20;
constexpr rlim_t kBytesPerImage = 1ULL << 30;
constexpr std::uint64_t kToolEvery = 16;  // images

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // reserves terabytes of address space
#else
constexpr bool kSanitized = false;
#endif

std::uint64_t FromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// What a child found: how it ended, and a line for each thing.
struct Outcome {
  int status = 0;
  std::vector<std::string> lines;

  [[nodiscard]] bool Has(std::string_view start) const {
    return std::any_of(lines.begin(), lines.end(), [&](const auto& line) {
      return line.starts_with(start);
    });
  }
};

std::string ReaderLine(const RawImage& image) {
  const auto reader = Reader::Open(image.Open());
  if (!reader.ok()) {
    return fmt::format("reader refuses: {}", Message(reader.status()));
  }
  const auto tree = (*reader)->Tree();
  return fmt::format("reader opens: {} entries, last {}, w/data {}",
                     (*reader)->Figures().entries,
                     tree->FindPath("last") != nullptr,
                     tree->FindPath("w/data") != nullptr);
}

/// Which of the good image's files come out with their own bytes.
std::string SalvageLine(const RawImage& image) {
  const auto reader =
      Reader::OpenSalvaged(std::make_shared<DeviceSet>(image.Open()));
  if (!reader.ok()) {
    return fmt::format("salvage refuses: {}", Message(reader.status()));
  }
  RawImage good;
  MakeGood(good);
  const auto all = Reader::Open(good.Open());
  if (!all.ok()) throw std::runtime_error("the good image is not");
  const auto wanted = (*all)->Tree();
  const auto tree = (*reader)->Tree();
  std::string line =
      fmt::format("salvage tells {}, lost:", (*reader)->Damage().count());
  for (const auto& [id, node] : wanted->nodes()) {
    if (node->is_directory || node->is_meta) continue;
    const std::string path = wanted->PathOf(*node);
    const Node* const found = tree->FindPath(path);
    if (found == nullptr || found->extents != node->extents) line += " " + path;
  }
  return line;
}

[[noreturn]] void RunChild(const RawImage& image, int out) {
  ::alarm(kSecondsPerImage);
  if (!kSanitized) {
    const rlimit limit{kBytesPerImage, kBytesPerImage};
    ::setrlimit(RLIMIT_AS, &limit);
  }
  std::string text;
  const FsckReport report = Fsck(*image.Open());
  for (const Finding& finding : report.findings) {
    text += finding.ToString() + "\n";
  }
  text += ReaderLine(image) + "\n";
  text += SalvageLine(image) + "\n";
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::write(out, text.data() + done, text.size() - done);
    if (n <= 0) ::_exit(3);
    done += static_cast<std::size_t>(n);
  }
  ::_exit(0);
}

std::vector<std::string> ReadLines(std::FILE* from) {
  std::string text;
  std::array<char, 4096> buffer;
  while (const std::size_t n =
             std::fread(buffer.data(), 1, buffer.size(), from)) {
    text.append(buffer.data(), n);
  }
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

Outcome Judge(const RawImage& image) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("pipe failed");
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    RunChild(image, ends[1]);
  }
  ::close(ends[1]);
  Outcome outcome;
  std::FILE* from = ::fdopen(ends[0], "r");
  outcome.lines = ReadLines(from);
  std::fclose(from);
  ::waitpid(child, &outcome.status, 0);
  return outcome;
}

/// Whether a line of fsck has one of the rules, and the entry where it is
/// known.
bool NamesDamage(const std::vector<std::string>& lines, const Damage& damage) {
  for (const std::string& rule : damage.rules) {
    const std::string tail =
        damage.entry ? fmt::format("entry {}: {}: ", *damage.entry, rule)
                     : fmt::format("{}: ", rule);
    for (const char* severity : {"error: ", "unfinished: "}) {
      const std::string start = severity + tail;
      if (std::any_of(lines.begin(), lines.end(), [&](const auto& line) {
            return line.starts_with(start);
          })) {
        return true;
      }
    }
  }
  return false;
}

std::string Expected(ReaderMay reader) {
  switch (reader) {
    case ReaderMay::kNothing:
      return "reader refuses: ";
    case ReaderMay::kValidPrefix:
      return fmt::format("reader opens: {} entries, last false, w/data true",
                         kGoodEntries - 1);
    case ReaderMay::kAll:
      return fmt::format("reader opens: {} entries, last true, w/data true",
                         kGoodEntries);
  }
  return "";
}

std::string Joined(const std::vector<std::string>& lines) {
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(lines.size(), 12); ++i) {
    text += "\n    " + lines[i];
  }
  return text;
}

/// One damage costs one entry, or two where a forged one passes for a whole
/// one; nothing is lost to a damaged header, region or superblock.
void ExpectSalvaged(const Outcome& outcome, const DamageKind& kind,
                    const Damage& damage) {
  const std::string_view name = kind.name;
  // Nothing tells where the log lies, or it is not there.
  const bool may_refuse = name == "Truncate" || name == "ForgedSuperblock";
  const std::string& line = outcome.lines.back();
  if (may_refuse && line.starts_with("salvage refuses")) return;
  ASSERT_TRUE(line.starts_with("salvage tells ")) << Joined(outcome.lines);
  if (damage.reader != ReaderMay::kAll) {
    EXPECT_FALSE(line.starts_with("salvage tells 0")) << line;
  }
  if (name == "Truncate") return;  // what lies behind is gone
  const std::string lost = line.substr(line.find("lost:") + 5);
  EXPECT_LE(std::count(lost.begin(), lost.end(), ' '), damage.entry ? 2 : 0)
      << line;
}

/// The real program; exit code 1 and a line that names the damage.
void ExpectToolTells(const RawImage& image, const Damage& damage) {
  const std::string command =
      fmt::format("timeout {} '{}' fsck 'image:{}' 2>&1", kSecondsPerImage,
                  FAMFS_TOOL, image.path());
  std::FILE* pipe = ::popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr) << command;
  const std::vector<std::string> lines = ReadLines(pipe);
  const int status = ::pclose(pipe);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1)
      << "famfs fsck ended with " << status << Joined(lines);
  EXPECT_TRUE(NamesDamage(lines, damage)) << Joined(lines);
}

TEST(DamagedImages, TheUndamagedOneIsCleanAndOpens) {
  RawImage image;
  MakeGood(image);
  const Outcome outcome = Judge(image);
  EXPECT_EQ(outcome.lines,
            (std::vector<std::string>{Expected(ReaderMay::kAll),
                                      "salvage tells 0, lost:"}));
}

TEST(DamagedImages, EachIsNamedByFsckAndNoneIsShownDamaged) {
  const std::uint64_t seed =
      FromEnvironment("FAMFS_DAMAGED_SEED", kDefaultSeed);
  const std::uint64_t images =
      FromEnvironment("FAMFS_DAMAGED_IMAGES", kDefaultImages);
  const bool have_tool = ::access(FAMFS_TOOL, X_OK) == 0;
  const std::vector<DamageKind> kinds = DamageKinds();
  std::map<std::string, int> counts;
  std::uint64_t tool_runs = 0;
  for (std::uint64_t i = 0; i < images; ++i) {
    const DamageKind& kind = kinds[i % kinds.size()];
    Random random(seed * 1'000'000 + i);
    RawImage image;
    MakeGood(image);
    const Damage damage = kind.make(image, random);
    SCOPED_TRACE(fmt::format("image {} of seed {}: {}: {}", i, seed, kind.name,
                             damage.what));
    const Outcome outcome = Judge(image);
    EXPECT_TRUE(WIFEXITED(outcome.status) && WEXITSTATUS(outcome.status) == 0)
        << "fsck or Reader crashed, hung or took too much: wait status "
        << outcome.status;
    EXPECT_TRUE(NamesDamage(outcome.lines, damage)) << Joined(outcome.lines);
    EXPECT_TRUE(outcome.Has(Expected(damage.reader)))
        << "expected: " << Expected(damage.reader) << Joined(outcome.lines);
    ExpectSalvaged(outcome, kind, damage);
    if (have_tool && (i / kinds.size()) % kToolEvery == i % kToolEvery) {
      ExpectToolTells(image, damage);
      ++tool_runs;
    }
    ++counts[kind.name];
  }
  for (const auto& [name, count] : counts) {
    fmt::print("  {:<24} {:>4}\n", name, count);
  }
  fmt::print("{} damaged images of seed {}; {}\n", images, seed,
             have_tool ? fmt::format("{} also by the famfs program", tool_runs)
                       : "the famfs program is not built here: " FAMFS_TOOL);
}

}  // namespace
}  // namespace famfs::testing
