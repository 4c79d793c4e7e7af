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
  int refused = 0;
  {
    const MutexLock lock(mutex_);
    if (stopping_) {
      refused = EINTR;
    } else if (jobs_.size() >= kMostJobs) {
      refused = EAGAIN;
    } else {
      jobs_.push_back({request, std::move(file), range});
    }
  }
  if (refused != 0) {
    fuse_reply_err(request, refused);
  } else {
    wake_.NotifyOne();
  }
}

bool Zeroing::Step(Job& job) {
  int error = fuse_req_interrupted(job.request) != 0 ? EINTR : 0;
  if (error == 0) {
    const Range part{job.left.offset, std::min(job.left.length, kSlice)};
    job.left = {part.end(), job.left.length - part.length};
    error = zero_part_(*job.file, part);
  }
  if (error == 0 && job.left.length > 0) return false;
  fuse_reply_err(job.request, error);
  return true;
}

void Zeroing::Run() {
  MutexLock lock(mutex_);
  for (;;) {
    while (!stopping_ && jobs_.empty()) wake_.Wait(mutex_);
    if (stopping_) break;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.Unlock();
    const bool answered = Step(job);
    lock.Lock();
    if (!answered) jobs_.push_back(std::move(job));
  }
}

void Zeroing::Stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  if (thread_.joinable()) thread_.join();
  const MutexLock lock(mutex_);
  for (const Job& job : jobs_) fuse_reply_err(job.request, EINTR);
  jobs_.clear();
}

}  // namespace famfs
