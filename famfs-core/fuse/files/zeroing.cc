#include "fuse/files/zeroing.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/thread.h"

namespace famfs {

absl::Status Zeroing::Start() {
  FAMFS_ASSIGN_OR_RETURN(thread_, StartThread([this] { Run(); }));
  return absl::OkStatus();
}

void Zeroing::Add(fuse_req_t request, std::shared_ptr<OpenInode> file,
                  Range range) {
  Add(request, std::move(file), range,
      [request](int error) { fuse_reply_err(request, error); });
}

void Zeroing::Add(fuse_req_t request, std::shared_ptr<OpenInode> file,
                  Range range, Then then) {
  Add(
      request,
      [this, file = std::move(file), left = range]() mutable {
        const Range part{left.offset, std::min(left.length, kSlice)};
        left = {part.end(), left.length - part.length};
        const int error = zero_part_(*file, part);
        return error == 0 && left.length > 0 ? std::nullopt
                                             : std::optional(error);
      },
      std::move(then));
}

void Zeroing::Add(fuse_req_t request, Step step, Then then) {
  int refused = 0;
  {
    const MutexLock lock(mutex_);
    if (stopping_) {
      refused = EINTR;
    } else if (jobs_.size() >= kMostJobs) {
      refused = EAGAIN;
    } else {
      jobs_.push_back({request, std::move(step), std::exchange(then, nullptr)});
    }
  }
  if (refused != 0) {
    then(refused);
  } else {
    wake_.NotifyOne();
  }
}

bool Zeroing::Go(const Job& job) {
  const std::optional<int> ended =
      fuse_req_interrupted(job.request) != 0 ? EINTR : job.step();
  if (ended.has_value()) job.then(*ended);
  return ended.has_value();
}

void Zeroing::Run() {
  MutexLock lock(mutex_);
  for (;;) {
    while (!stopping_ && jobs_.empty()) wake_.Wait(mutex_);
    if (stopping_) break;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.Unlock();
    const bool ended = Go(job);
    lock.Lock();
    if (!ended) jobs_.push_back(std::move(job));
  }
}

void Zeroing::Stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  if (thread_.joinable()) thread_.join();
  std::deque<Job> left;
  {
    const MutexLock lock(mutex_);
    left.swap(jobs_);
  }
  for (const Job& job : left) job.then(EINTR);
}

}  // namespace famfs
