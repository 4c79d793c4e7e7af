#include <algorithm>

#include "tests/crash/verdict.h"

namespace famfs::crash {
namespace {

constexpr std::uint8_t kSuccessor = 0x99;

}  // namespace

std::vector<std::string> JudgeTakeOver(Medium& medium, const Expected& expected,
                                       const std::string& lock_directory) {
  std::vector<std::string> problems;
  // The other host has lock files of its own.
  WriterOptions options =
      FixedWriterOptions(lock_directory + "-successor", kSuccessor);
  options.take_over = true;
  const auto writer = Writer::Open(MakeDevices(medium, nullptr), options);
  if (!writer.ok()) {
    problems.push_back(
        fmt::format("a take-over: {}", Message(writer.status())));
    return problems;
  }
  const State tree = StateOf(*(*writer)->Tree());
  const bool is_published =
      SameTree(tree, expected.in_flight) &&
      !SameTree(expected.acknowledged, expected.in_flight);
  const std::uint64_t stored =
      is_published ? 0 : expected.stored.size() * kAllocUnit;
  const std::uint64_t waits_least =
      std::min(QuarantinedBytes(expected.acknowledged),
               QuarantinedBytes(expected.in_flight));
  const std::uint64_t waits_most =
      std::max(QuarantinedBytes(expected.acknowledged),
               QuarantinedBytes(expected.in_flight));
  const std::uint64_t kept = (*writer)->Figures().quarantined;
  if (kept < stored + waits_least) {
    problems.push_back(fmt::format(
        "a take-over: {} bytes that its predecessor still stores to may be "
        "given to others; {} are kept, {} of them for hosts",
        stored, kept, waits_least));
  }
  if (expected.is_at_end && kept != waits_least) {
    problems.push_back(fmt::format("a take-over: {} bytes are kept for nobody",
                                   kept - waits_least));
  }
  if (kept <= waits_most) return problems;
  const absl::Status evicted =
      (*writer)->EvictHost(FixedUuid(expected.in_flight.owner));
  if (!evicted.ok()) {
    problems.push_back(
        fmt::format("evicting the predecessor: {}", Message(evicted)));
  }
  const std::uint64_t left = (*writer)->Figures().quarantined;
  if (left < waits_least || left > waits_most) {
    problems.push_back(
        fmt::format("with its predecessor evicted, {} bytes are kept, not {}",
                    left, waits_most));
  }
  return problems;
}

}  // namespace famfs::crash
