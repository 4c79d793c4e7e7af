#include "csi/telemetry/http_serving.h"

#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "base/thread.h"

namespace famfs::csi {
namespace {

// Pages up to kSmall are not worth counting; of larger ones, so many bytes may
// wait for those who read them.
constexpr std::size_t kSmall = 64 << 10;
constexpr std::size_t kMaxKept = 64 << 20;
// Of a page that is being made anew: so many who ask cost no thread each.
constexpr std::chrono::seconds kNewEnough{1};

std::shared_ptr<const HttpAnswer> Share(HttpAnswer answer) {
  return std::make_shared<const HttpAnswer>(std::move(answer));
}

}  // namespace

class HttpServing::Page {
 public:
  Page(std::string path, std::function<HttpAnswer()> make)
      : path_(std::move(path)), make_(std::move(make)) {}

  /// Made now. While another thread makes it: the last one if it is new
  /// enough, else what that thread makes.
  std::shared_ptr<const HttpAnswer> Get() {
    const MutexLock lock(mutex_);
    if (!being_made_) return MakeLocked();
    if (last_ == nullptr || Clock::now() - last_made_ > kNewEnough) {
      const std::uint64_t made = made_;
      while (made_ == made) changed_.Wait(mutex_);
    }
    return last_;
  }

 private:
  using Clock = std::chrono::steady_clock;

  std::shared_ptr<const HttpAnswer> MakeLocked()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    being_made_ = true;
    std::shared_ptr<const HttpAnswer> answer;
    {
      const MutexUnlock unlock(mutex_);
      answer = Share(Make());
    }
    being_made_ = false;
    ++made_;
    last_ = answer;
    last_made_ = Clock::now();
    changed_.NotifyAll();
    return answer;
  }

  HttpAnswer Make() const {
    try {
      return make_();
    } catch (const std::exception& e) {
      return HttpAnswer::Text(500, fmt::format("{}: {}\n", path_, e.what()));
    }
  }

  const std::string path_;
  const std::function<HttpAnswer()> make_;
  Mutex mutex_;
  CondVar changed_;
  bool being_made_ ABSL_GUARDED_BY(mutex_) = false;
  /// Times.
  std::uint64_t made_ ABSL_GUARDED_BY(mutex_) = 0;
  std::shared_ptr<const HttpAnswer> last_ ABSL_GUARDED_BY(mutex_);
  Clock::time_point last_made_ ABSL_GUARDED_BY(mutex_){};
};

namespace {

// Its functions are moved out.
// NOLINTBEGIN(performance-unnecessary-value-param)
template <class Page>
std::map<std::string, std::unique_ptr<Page>> MakePages(HttpPages pages) {
  std::map<std::string, std::unique_ptr<Page>> made;
  for (auto& [path, make] : pages) {
    made[path] = std::make_unique<Page>(path, std::move(make));
  }
  return made;
}
// NOLINTEND(performance-unnecessary-value-param)

}  // namespace

HttpServing::HttpServing(HttpPages pages, const HttpLimits& limits)
    : pages_(MakePages<Page>(std::move(pages))), limits_(limits) {}
HttpServing::~HttpServing() = default;

void HttpServing::Take(HttpReception::Asked asked) {
  const MutexLock lock(mutex_);
  if (!MakeRoomLocked(asked.address)) return;
  const auto at = open_.insert(
      open_.end(),
      {.fd = std::move(asked.fd), .address = std::move(asked.address)});
  auto thread = StartThread(
      [self = shared_from_this(), at, reading = std::move(asked.reading)] {
        self->Run(at, reading);
      });
  if (!thread.ok()) {
    open_.erase(at);
    return;
  }
  thread->detach();
  ++in_time_;
}

bool HttpServing::MakeRoomLocked(const std::string& address) {
  // Those that were pushed out end soon; who floods must not make more of them
  // than end.
  if (open_.size() >= 2 * limits_.connections) return false;
  if (CountLocked(address) >= limits_.per_address) {
    return PushOutReaderLocked(&address);
  }
  return in_time_ < limits_.connections || PushOutReaderLocked(nullptr);
}

std::size_t HttpServing::CountLocked(const std::string& address) const {
  return static_cast<std::size_t>(
      std::count_if(open_.begin(), open_.end(), [&](const Connection& c) {
        return !c.pushed_out && c.address == address;
      }));
}

// The oldest of the address, or of the busiest one. False: none of them reads.
bool HttpServing::PushOutReaderLocked(const std::string* address) {
  Connection* chosen = nullptr;
  std::size_t most = 0;
  for (Connection& connection : open_) {
    if (connection.pushed_out || !connection.sends) continue;
    if (address != nullptr && connection.address != *address) continue;
    const std::size_t count = CountLocked(connection.address);
    if (chosen != nullptr && count <= most) continue;
    chosen = &connection;
    most = count;
  }
  if (chosen == nullptr) return false;
  PushOutLocked(*chosen);
  return true;
}

void HttpServing::PushOutLocked(Connection& connection) {
  connection.pushed_out = true;
  --in_time_;
  ::shutdown(connection.fd.get(), SHUT_RDWR);
}

void HttpServing::PushOutAllAndWait() {
  const MutexLock lock(mutex_);
  for (Connection& connection : open_) {
    if (!connection.pushed_out) PushOutLocked(connection);
  }
  while (!open_.empty()) changed_.Wait(mutex_);
}

void HttpServing::Run(Place at, const HttpReading& reading) {
  Serve(at, reading);
  const MutexLock lock(mutex_);
  if (!at->pushed_out) --in_time_;
  open_.erase(at);
  changed_.NotifyAll();
}

void HttpServing::Serve(Place at, const HttpReading& reading) {
  std::shared_ptr<const HttpAnswer> answer = AnswerTo(reading);
  const std::size_t large =
      answer->body.size() > kSmall ? answer->body.size() : 0;
  if (!Keep(large)) {
    answer = Share(HttpAnswer::Text(503, "too many wait for large pages\n"));
  }
  {
    const MutexLock lock(mutex_);
    at->sends = true;
  }
  const bool with_body = !reading.ok || reading.request.method != "HEAD";
  SendAnswer(at->fd.get(), *answer, with_body);
  Release(large);
}

std::shared_ptr<const HttpAnswer> HttpServing::AnswerTo(
    const HttpReading& reading) {
  if (!reading.ok) return Share(reading.refusal);
  const HttpRequest& request = reading.request;
  if (request.method != "GET" && request.method != "HEAD") {
    return Share(HttpAnswer::Text(405, "only GET is served here\n"));
  }
  const auto page = pages_.find(request.path);
  if (page != pages_.end()) return page->second->Get();
  std::string known = "not here; there are:\n";
  for (const auto& [path, unused] : pages_) known += path + "\n";
  return Share(HttpAnswer::Text(404, std::move(known)));
}

// Whether so many bytes more may wait for their readers; one page always may.
bool HttpServing::Keep(std::size_t bytes) {
  const MutexLock lock(mutex_);
  const bool fits = kept_ == 0 || kept_ + bytes <= kMaxKept;
  kept_ += bytes;
  return fits || bytes == 0;
}

void HttpServing::Release(std::size_t bytes) {
  const MutexLock lock(mutex_);
  kept_ -= bytes;
}

}  // namespace famfs::csi
