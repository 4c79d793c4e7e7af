// Somebody who uses a tree volume while its programs are killed, and knows for
// each name what must be there.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "base/status.h"
#include "tests/trees/hosts.h"
#include "tests/trees/options.h"

namespace famfs::trees {

/// What all clients share. Thread-safe.
class Traffic {
 public:
  /// The first failure counts; everybody stops.
  void Fail(const std::string& what);
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::string failure() const;
  void Stop() { stopping_ = true; }
  [[nodiscard]] bool stopping() const { return stopping_ || failed_; }
  /// A call that took so long.
  void NoteCall(const char* what, std::chrono::nanoseconds took);
  [[nodiscard]] std::string LongestStall() const;

  std::atomic<std::uint64_t> calls = 0;  // that succeeded
  std::atomic<std::uint64_t> lost = 0;   // whose server died
  std::atomic<std::uint64_t> done = 0;  // of those: they were done all the same
  std::atomic<std::uint64_t> looks = 0;     // from the other host
  std::atomic<std::uint64_t> finished = 0;  // clients

 private:
  std::atomic<bool> failed_ = false;
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;
  std::string failure_;
  std::chrono::nanoseconds longest_{0};
  const char* longest_call_ = "none";
};

/// One thread's, but for what is said.
class Client {
 public:
  /// Uses a directory of its own, as a program on `here`, and looks at it from
  /// `there`.
  Client(Host& here, Host& there, std::size_t number, std::uint64_t seed,
         Traffic& traffic);

  /// Makes the directory.
  [[nodiscard]] absl::Status Begin();
  /// Until the traffic stops; what goes wrong is the traffic's failure.
  void Run();
  /// Whether all is there as the client knows it, and nothing else.
  [[nodiscard]] absl::Status Verify(const Host& host) const;
  /// Bytes of memory that its files have, as that host says.
  [[nodiscard]] std::uint64_t Allocated(const Host& host) const;
  [[nodiscard]] std::string Diary() const;

 private:
  struct File {
    std::uint64_t seed = 0;  // of its bytes
    std::uint64_t size = 0;
    bool operator==(const File&) const = default;
  };
  enum class Result { kDone, kLost, kFailed };

  // Each is one step of the client's; false: the run is over.
  bool Create();
  bool Append();
  bool Cut();
  bool Rename();
  bool Unlink();
  bool MakeDirectory();
  bool RemoveDirectory();
  bool LookFromThere();

  /// Makes a call that returns -1 with errno when it fails.
  Result Call(const char* what, const std::function<long()>& call);
  /// After a call whose server died: once there is another server, whether the
  /// name is there, and how long it is. False: the run is over.
  bool Resolve(const std::string& name, bool& is_there, std::uint64_t& size);
  /// A file that may be of any size from `least` to `most` now.
  bool ResolveSize(const std::string& name, std::uint64_t least,
                   std::uint64_t most);
  [[nodiscard]] absl::Status Compare(const Host& host, const std::string& name,
                                     const File& file) const;

  [[nodiscard]] std::string Directory(const Host& host) const;
  [[nodiscard]] std::string Path(const std::string& name) const;
  std::string NewName(const char* kind);
  const std::string* AnyFile();
  bool Over(const std::string& why);
  void Note(std::string line);

  Host& here_;
  Host& there_;
  const std::size_t number_;
  Random random_;
  Traffic& traffic_;
  std::uint64_t names_ = 0;  // made so far
  std::map<std::string, File> files_;
  std::set<std::string> directories_;
  mutable std::mutex diary_mutex_;
  std::deque<std::string> diary_;
};

}  // namespace famfs::trees
