#include "tests/crash/explorer.h"

#include <fmt/format.h>

#include "instance/devices/metadata_store.h"
#include "media/region_tables.h"

namespace famfs::crash {
namespace {

Expected ExpectedIn(const Step& step, bool at_end) {
  return {.acknowledged = at_end ? step.after : step.before,
          .in_flight = step.after,
          .is_mkfs = step.is_mkfs && !at_end,
          .is_take_over = step.before.owner != step.after.owner && !at_end,
          .is_add = step.is_add && !at_end,
          .is_at_end = at_end,
          .force = step.force,
          .filling = at_end ? std::string() : step.filling,
          .stored = {}};
}

std::uint64_t KeyOf(std::uint64_t medium, const Expected& expected) {
  return medium * 31 + HashOf(expected.acknowledged) * 7 +
         HashOf(expected.in_flight) * 3 + (expected.is_mkfs ? 1 : 0) +
         (expected.is_at_end ? 2 : 0) + expected.stored.size() * 1023;
}

/// Follows what space a step stores to that nothing but a promise holds. A
/// compaction's image is none: what may become of that says the record.
void NoteStored(const Step& step, const Event& event, Expected& during) {
  constexpr std::uint64_t kRows = kRegionOffset + kReservationsAt;
  const Range& range = event.range;
  const bool is_row =
      range.offset >= kRows && range.offset < kRegionOffset + kCleanAt;
  if (is_row && event.kind == Event::Kind::kStore && range.length == 8 &&
      IsZero(event.bytes)) {
    return during.stored.clear();  // it is cleared, or about to be written
  }
  if (range.offset < kLogOffset + kMinLogLength) return;
  const bool fills =
      step.name.starts_with("commit") || step.name.starts_with("give up");
  if (event.kind == Event::Kind::kZero ||
      (fills && event.kind == Event::Kind::kStore)) {
    for (const std::uint64_t unit :
         {range.offset / kAllocUnit, (range.end() - 1) / kAllocUnit}) {
      if (!step.own.contains(unit)) during.stored.insert(unit);
    }
  }
}

}  // namespace

void Explorer::Explore(Medium& medium, const History& history,
                       std::size_t first) {
  medium.Checkpoint();
  CrashSite site(medium);
  const std::deque<Event>& events = history.events();
  std::size_t at = 0;
  for (std::size_t i = 0; i < history.steps().size(); ++i) {
    const Step& step = history.steps()[i];
    while (at < step.begin) site.Advance(events[at++]);
    Expected during = ExpectedIn(step, false);
    for (; at < step.end; site.Advance(events[at++])) {
      if (!medium.has_extent_files()) NoteStored(step, events[at], during);
      if (i < first || Enough()) continue;
      CrashAt(medium, site, &events[at], during,
              fmt::format("{}, event {} of {}", step.name, at - step.begin,
                          step.end - step.begin));
    }
    if (i < first || Enough()) continue;
    CrashAt(medium, site, nullptr, ExpectedIn(step, true),
            fmt::format("{}, at its end", step.name));
  }
  medium.Rollback();
}

void Explorer::CrashAt(Medium& medium, CrashSite& site, const Event* next,
                       const Expected& expected, const std::string& place) {
  ++counts_.points;
  std::vector<Fate> fates = {{Loss::kAll, 0}};
  if (!site.IsCertain(next)) {
    fates.push_back({Loss::kNone, 0});
    for (std::uint64_t i = 0; i < options_.subsets; ++i) {
      fates.push_back(
          {Loss::kRandom, options_.seed * 1000003 + counts_.points * 101 + i});
    }
  }
  for (const Fate fate : fates) {
    ++counts_.crashes;
    site.Crash(fate, next);
    const std::uint64_t key = KeyOf(medium.hash(), expected);
    if (seen_.insert(key).second) {
      Examine(medium, expected,
              fmt::format("{}, loss {} seed {}", place,
                          static_cast<int>(fate.loss), fate.seed),
              key);
    }
    medium.Rollback();
  }
}

void Explorer::Examine(Medium& medium, const Expected& expected,
                       const std::string& place, std::uint64_t key) {
  ++counts_.judged;
  const Depth depth =
      key % options_.thorough_every == 0 ? Depth::kThorough : Depth::kBrief;
  medium.Checkpoint();
  Keep(Judge(medium, expected, options_.lock_directory, depth), place);
  medium.Rollback();
  if (!expected.stored.empty() ||
      (expected.is_at_end && depth == Depth::kThorough)) {
    ++counts_.taken_over;
    medium.Checkpoint();
    Keep(JudgeTakeOver(medium, expected, options_.lock_directory), place);
    medium.Rollback();
  }
  if (options_.recovery_every == 0 || expected.is_mkfs) return;
  if (key / 64 % options_.recovery_every == 0) {
    ExamineRecovery(medium, expected, place);
  }
}

void Explorer::ExamineRecovery(Medium& medium, const Expected& expected,
                               const std::string& place) {
  Recorder recorder;
  medium.Checkpoint();
  // Opened and let go again: a failure was told by Judge.
  IgnoreError(Writer::Open(MakeDevices(medium, &recorder),
                           FixedWriterOptions(options_.lock_directory,
                                              expected.in_flight.owner))
                  .status(),
              "told by Judge");
  medium.Rollback();
  medium.Checkpoint();
  CrashSite site(medium);
  std::size_t at = 0;
  for (const Event& event : recorder.events()) {
    ++counts_.recoveries;
    site.Crash({Loss::kRandom, options_.seed + counts_.recoveries}, &event);
    const std::uint64_t key = KeyOf(medium.hash(), expected);
    if (seen_.insert(key).second) {
      ++counts_.judged;
      Keep(Judge(medium, expected, options_.lock_directory, Depth::kBrief),
           fmt::format("{}, and event {} of the recovery", place, at));
    }
    medium.Rollback();
    site.Advance(event);
    ++at;
  }
  medium.Rollback();
}

void Explorer::Keep(const std::vector<std::string>& problems,
                    const std::string& place) {
  for (const std::string& problem : problems) {
    problems_.push_back(fmt::format("{}: {}", place, problem));
  }
}

}  // namespace famfs::crash
