#include "tests/integration/tools/famfs_command.h"

#include "tests/integration/support/rig.h"

namespace famfs {
namespace {

const auto* const kIsolation =
    ::testing::AddGlobalTestEnvironment(new rig::Isolation);

void Append(std::vector<std::string>& to,
            const std::vector<std::string>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

}  // namespace

Outcome RunProgram(const std::vector<std::string>& argv) {
  const rig::TempDir dir;
  const std::string errors = dir / "stderr";
  std::vector<std::string> words = {"/bin/sh", "-c", "exec \"$@\" 2>\"$0\"",
                                    errors};
  Append(words, argv);
  auto process = rig::Process::Start(
      {.argv = words, .environment = {}, .working_directory = {}});
  if (!process.ok()) {
    ADD_FAILURE() << process.status();
    return {};
  }
  const auto exit = (*process)->Wait();
  if (!exit.ok()) ADD_FAILURE() << exit.status();
  return {.exit = exit.value_or(-1),
          .out = (*process)->output(),
          .err = rig::ReadWholeFile(errors)};
}

Outcome Famfs(const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {rig::Binary("famfs")};
  Append(argv, arguments);
  return RunProgram(argv);
}

nlohmann::json JsonOf(const Outcome& outcome) {
  auto json = nlohmann::json::parse(outcome.out, nullptr, false);
  EXPECT_FALSE(json.is_discarded()) << "not JSON:\n"
                                    << outcome.out << "\nstderr:\n"
                                    << outcome.err;
  return json;
}

std::vector<std::string> Workplace::Identity() const {
  return {"--system-uuid", kOwner, "--lock-directory", LockDirectory()};
}

Outcome Workplace::Write(const std::string& command, const std::string& device,
                         const std::vector<std::string>& arguments) const {
  std::vector<std::string> words = {command, device};
  Append(words, arguments);
  Append(words, Identity());
  return Famfs(words);
}

std::string Workplace::Make(const std::string& spec) const {
  EXPECT_THAT(Write("mkfs", spec, {"--size", "4G"}), Exits(kOk));
  return spec;
}

std::string Workplace::Emulated(const std::string& name) const {
  return Make("emulated:" + File(name));
}

std::string Workplace::Image(const std::string& name) const {
  return Make("image:" + File(name));
}

std::string Pattern(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint64_t state = 0x9e3779b97f4a7c15;
  for (char& byte : bytes) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    byte = static_cast<char>(state >> 56);
  }
  return bytes;
}

}  // namespace famfs
