// Reads the requests of all connections, in one thread: who floods the port
// with connections costs a few system calls each, and no thread.
//
// Nobody keeps others out. When there are too many that have not asked yet, or
// too many of one address, a newcomer takes the place of the oldest of the
// address that has the most, and of those of the one from which most came
// lately; never that of a connection whose request has come.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "csi/telemetry/http_connection.h"

namespace famfs::csi {

struct HttpLimits {
  std::size_t connections = 32;
  std::size_t per_address = 8;  // of them
};

/// Thread-safe.
class HttpReception {
 public:
  /// A connection that has asked.
  struct Asked {
    UniqueFd fd;
    std::string address;  // PeerAddress
    HttpReading reading;
  };
  /// Called in the reception's thread, or in Take's; never waits.
  using Taker = std::function<void(Asked)>;

  /// Unavailable: no thread or descriptor can be had.
  static absl::StatusOr<std::unique_ptr<HttpReception>> Start(
      const HttpLimits& limits, Taker taker);
  /// Closes those that have not asked yet.
  ~HttpReception();
  HttpReception(const HttpReception&) = delete;
  HttpReception& operator=(const HttpReception&) = delete;

  /// A non-blocking connection. Never waits.
  void Take(UniqueFd fd);

 private:
  using Clock = std::chrono::steady_clock;
  struct Waiting {
    std::uint64_t id;
    UniqueFd fd;
    std::string address;
    HttpHead head{};
    Clock::time_point end;
  };
  using Place = std::list<Waiting>::iterator;

  HttpReception(const HttpLimits& limits, Taker taker)
      : limits_(limits), taker_(std::move(taker)) {}
  absl::Status Open();
  void Run();
  void Read(std::uint64_t id);
  void EndLate();
  /// Until the next one's time is over; -1: nobody waits.
  int Timeout();

  // What has asked is added to `asked`.
  void MakeRoomLocked(const std::string& address, std::vector<Asked>& asked)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Place ChooseLocked(const std::string* address)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Whether it does not wait any more: it has asked, or has gone.
  bool TryReadLocked(Place at, std::vector<Asked>& asked)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  [[nodiscard]] std::size_t CountLocked(const std::string& address) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteArrivalLocked(const std::string& address)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  [[nodiscard]] std::uint32_t ArrivalsLocked(const std::string& address) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void HandOver(std::vector<Asked> asked) const;

  const HttpLimits limits_;
  const Taker taker_;
  UniqueFd epoll_;
  UniqueFd wake_;  // an eventfd: there is somebody, or it is time to end

  Mutex mutex_;  // held for moments
  /// The oldest first.
  std::list<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  // How many came from where: since arrivals_since_, and in the second before.
  std::map<std::string, std::uint32_t> arrivals_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::uint32_t> earlier_arrivals_
      ABSL_GUARDED_BY(mutex_);
  Clock::time_point arrivals_since_ ABSL_GUARDED_BY(mutex_){};
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;  // last: runs on the members above
};

}  // namespace famfs::csi
