#include "csi/telemetry/http_reception.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "base/thread.h"
#include "csi/rpc/peer_address.h"

namespace famfs::csi {
namespace {

constexpr std::uint64_t kWake = 0;  // no connection's id
constexpr std::chrono::seconds kLately{1};
// Of more addresses than this nobody's arrivals tell much.
constexpr std::size_t kMaxArrivals = 4096;

}  // namespace

absl::StatusOr<std::unique_ptr<HttpReception>> HttpReception::Start(
    const HttpLimits& limits, Taker taker) {
  std::unique_ptr<HttpReception> reception(
      new HttpReception(limits, std::move(taker)));
  FAMFS_RETURN_IF_ERROR(reception->Open());
  FAMFS_ASSIGN_OR_RETURN(
      reception->thread_,
      StartThread([self = reception.get()] { self->Run(); }));
  return reception;
}

absl::Status HttpReception::Open() {
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll_.valid() || !wake_.valid()) {
    return ErrnoError(errno, "make an epoll and an event descriptor");
  }
  epoll_event event = {.events = EPOLLIN, .data = {.u64 = kWake}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0) {
    return ErrnoError(errno, "wait for an event descriptor");
  }
  return absl::OkStatus();
}

HttpReception::~HttpReception() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  if (!thread_.joinable()) return;
  ::eventfd_write(wake_.get(), 1);
  thread_.join();
}

void HttpReception::Take(UniqueFd fd) {
  std::string address = PeerAddress(fd.get());
  std::vector<Asked> asked;
  {
    const MutexLock lock(mutex_);
    NoteArrivalLocked(address);
    MakeRoomLocked(address, asked);
    const std::uint64_t id = next_id_++;
    epoll_event event = {.events = EPOLLIN, .data = {.u64 = id}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) == 0) {
      waiting_.push_back({.id = id,
                          .fd = std::move(fd),
                          .address = std::move(address),
                          .end = Clock::now() + HttpTimes().request});
      // The first one's time is to be watched.
      if (waiting_.size() == 1) ::eventfd_write(wake_.get(), 1);
    }
  }
  HandOver(std::move(asked));
}

void HttpReception::MakeRoomLocked(const std::string& address,
                                   std::vector<Asked>& asked) {
  for (;;) {
    Place victim = waiting_.end();
    if (CountLocked(address) >= limits_.per_address) {
      victim = ChooseLocked(&address);
    } else if (waiting_.size() >= limits_.connections) {
      victim = ChooseLocked(nullptr);
    }
    if (victim == waiting_.end()) return;
    // Its request may have come, and only wait to be read.
    if (!TryReadLocked(victim, asked)) waiting_.erase(victim);
  }
}

// The oldest one of the address; without one, of the busiest address.
HttpReception::Place HttpReception::ChooseLocked(const std::string* address) {
  Place chosen = waiting_.end();
  std::pair<std::size_t, std::uint32_t> most;
  for (auto at = waiting_.begin(); at != waiting_.end(); ++at) {
    if (address != nullptr) {
      if (at->address == *address) return at;
      continue;
    }
    const std::pair busy = {CountLocked(at->address),
                            ArrivalsLocked(at->address)};
    if (chosen != waiting_.end() && busy <= most) continue;
    chosen = at;
    most = busy;
  }
  return chosen;
}

bool HttpReception::TryReadLocked(Place at, std::vector<Asked>& asked) {
  std::optional<HttpReading> reading = at->head.Read(at->fd.get());
  if (!reading.has_value()) return false;
  if (!at->head.is_forsaken()) {
    // What follows is not read here.
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, at->fd.get(), nullptr);
    asked.push_back({.fd = std::move(at->fd),
                     .address = std::move(at->address),
                     .reading = *std::move(reading)});
  }
  waiting_.erase(at);
  return true;
}

std::size_t HttpReception::CountLocked(const std::string& address) const {
  return static_cast<std::size_t>(
      std::count_if(waiting_.begin(), waiting_.end(),
                    [&](const Waiting& w) { return w.address == address; }));
}

void HttpReception::NoteArrivalLocked(const std::string& address) {
  const Clock::time_point now = Clock::now();
  if (now - arrivals_since_ > kLately || arrivals_.size() >= kMaxArrivals) {
    earlier_arrivals_ = std::exchange(arrivals_, {});
    arrivals_since_ = now;
  }
  ++arrivals_[address];
}

std::uint32_t HttpReception::ArrivalsLocked(const std::string& address) const {
  std::uint32_t sum = 0;
  for (const auto* arrivals : {&arrivals_, &earlier_arrivals_}) {
    if (const auto at = arrivals->find(address); at != arrivals->end()) {
      sum += at->second;
    }
  }
  return sum;
}

void HttpReception::HandOver(std::vector<Asked> asked) const {
  for (Asked& one : asked) taker_(std::move(one));
}

int HttpReception::Timeout() {
  const MutexLock lock(mutex_);
  if (waiting_.empty()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(
      waiting_.front().end - Clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

void HttpReception::Run() {
  std::array<epoll_event, 64> events;
  for (;;) {
    const int count = ::epoll_wait(epoll_.get(), events.data(),
                                   static_cast<int>(events.size()), Timeout());
    for (int i = 0; i < count; ++i) {
      const std::uint64_t id = events[static_cast<std::size_t>(i)].data.u64;
      if (id != kWake) {
        Read(id);
        continue;
      }
      eventfd_t value = 0;
      ::eventfd_read(wake_.get(), &value);
      const MutexLock lock(mutex_);
      if (stopping_) return;
    }
    EndLate();
  }
}

void HttpReception::Read(std::uint64_t id) {
  std::vector<Asked> asked;
  {
    const MutexLock lock(mutex_);
    const auto at = std::find_if(waiting_.begin(), waiting_.end(),
                                 [id](const Waiting& w) { return w.id == id; });
    if (at == waiting_.end()) return;  // it was pushed out a moment ago
    TryReadLocked(at, asked);
  }
  HandOver(std::move(asked));
}

void HttpReception::EndLate() {
  std::vector<Asked> late;
  {
    const MutexLock lock(mutex_);
    const Clock::time_point now = Clock::now();
    while (!waiting_.empty() && waiting_.front().end <= now) {
      Waiting& first = waiting_.front();
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, first.fd.get(), nullptr);
      late.push_back({.fd = std::move(first.fd),
                      .address = std::move(first.address),
                      .reading = HttpReading::TooSlow()});
      waiting_.pop_front();
    }
  }
  HandOver(std::move(late));
}

}  // namespace famfs::csi
