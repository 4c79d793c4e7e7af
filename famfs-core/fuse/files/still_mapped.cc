#include "fuse/files/still_mapped.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace famfs {

void StillMapped::Add(std::shared_ptr<DaxDevice> device, std::uint64_t offset) {
  Place place(device.get(), offset);
  AddPlace(std::move(place), std::move(device));
}

void StillMapped::Add(std::shared_ptr<DaxDevice> device,
                      std::string node_file) {
  Place place(device.get(), std::move(node_file));
  AddPlace(std::move(place), std::move(device));
}

void StillMapped::AddPlace(Place place, std::shared_ptr<DaxDevice> device) {
  const MutexLock lock(mutex_);
  waiting_[std::move(place)] = {.device = std::move(device),
                                .next = Clock::time_point{},
                                .pause = kFirstPause,
                                .added = ++added_};
  next_ = Clock::time_point{};
}

std::size_t StillMapped::size() const {
  const MutexLock lock(mutex_);
  return waiting_.size();
}

std::vector<std::pair<StillMapped::Place, StillMapped::Waiting>>
StillMapped::Due(Clock::time_point now) {
  std::vector<std::pair<Place, Waiting>> due;
  const MutexLock lock(mutex_);
  if (now < next_) return due;
  next_ = Clock::time_point::max();
  for (const auto& one : waiting_) {
    if (one.second.next <= now) {
      due.emplace_back(one);
    } else {
      next_ = std::min(next_, one.second.next);
    }
  }
  std::sort(due.begin(), due.end(), [](const auto& a, const auto& b) {
    return a.second.next < b.second.next;
  });
  return due;
}

void StillMapped::Look(const Place& place, const Waiting& waiting,
                       Clock::time_point now) {
  const auto* const offset = std::get_if<std::uint64_t>(&place.second);
  const auto over =
      offset != nullptr
          ? waiting.device->EndServing(*offset)
          : waiting.device->EndServingNodeFile(std::get<1>(place.second));
  if (!over.ok()) spdlog::warn("{}", Message(over.status()));
  const MutexLock lock(mutex_);
  const auto found = waiting_.find(place);
  // Added again meanwhile: opened and closed once more, so look once more.
  if (found == waiting_.end() || found->second.added != waiting.added) return;
  if (!over.ok() || *over) {
    waiting_.erase(found);
    return;
  }
  found->second.next = now + waiting.pause;
  found->second.pause = std::min(2 * waiting.pause, kLongestPause);
  next_ = std::min(next_, found->second.next);
}

void StillMapped::Round(Clock::time_point now) {
  auto due = Due(now);
  if (due.size() > kLooksPerRound) {
    due.resize(kLooksPerRound);
    const MutexLock lock(mutex_);
    next_ = now;
  }
  for (const auto& [place, waiting] : due) Look(place, waiting, now);
}

void StillMapped::End() {
  for (const auto& [place, waiting] : Due(Clock::time_point::max())) {
    Look(place, waiting, Clock::now());
  }
  if (const std::size_t left = size(); left > 0) {
    spdlog::info(
        "{} extents are still mapped: they keep the immutable flag until the "
        "pool's owner finds that they are not",
        left);
  }
}

}  // namespace famfs
