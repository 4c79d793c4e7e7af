// Answers HTTP requests that have been read, each in a thread of its own.
//
// A page is made by one thread at a time; who asks for it meanwhile gets the
// same, or the one before that if it is not a second old. When too many are
// answered at once, or too many of one address, a newcomer takes the place of
// who has been reading his answer for longest, of the address that has the
// most; a page that is being made is never given up.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "base/unique_fd.h"
#include "csi/telemetry/http_connection.h"
#include "csi/telemetry/http_reception.h"

namespace famfs::csi {

/// Path -> what makes it: one thread at a time each.
using HttpPages = std::map<std::string, std::function<HttpAnswer()>>;

/// Thread-safe. Shared with its threads, so that the last of them may leave at
/// its own pace.
class HttpServing : public std::enable_shared_from_this<HttpServing> {
 public:
  HttpServing(HttpPages pages, const HttpLimits& limits);
  ~HttpServing();
  HttpServing(const HttpServing&) = delete;
  HttpServing& operator=(const HttpServing&) = delete;

  /// Begins to answer; does not wait for it.
  void Take(HttpReception::Asked asked);
  /// Cuts off who reads, and waits for the pages that are being made.
  void PushOutAllAndWait();

 private:
  class Page;
  struct Connection {
    UniqueFd fd;
    std::string address;
    bool sends = false;  // the page is made
    bool pushed_out = false;
  };
  using Place = std::list<Connection>::iterator;

  void Run(Place at, const HttpReading& reading);
  void Serve(Place at, const HttpReading& reading);
  std::shared_ptr<const HttpAnswer> AnswerTo(const HttpReading& reading);
  bool Keep(std::size_t bytes);
  void Release(std::size_t bytes);

  bool MakeRoomLocked(const std::string& address)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool PushOutReaderLocked(const std::string* address)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PushOutLocked(Connection& connection)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  [[nodiscard]] std::size_t CountLocked(const std::string& address) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::map<std::string, std::unique_ptr<Page>> pages_;
  const HttpLimits limits_;

  Mutex mutex_;
  CondVar changed_;
  /// The oldest first.
  std::list<Connection> open_ ABSL_GUARDED_BY(mutex_);
  /// Of them, not pushed out.
  std::size_t in_time_ ABSL_GUARDED_BY(mutex_) = 0;
  /// Bytes of large pages.
  std::size_t kept_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace famfs::csi
