// Questions that may never be answered: to a FUSE server that hangs, or to
// whatever serves the directories of the orchestrator's paths.
//
// Each runs in a helper thread; who asks waits for it, at most so long. A
// question that is asked already is joined, not asked twice, so calls that are
// repeated while a server hangs cost no further helper. Helpers are few; what
// they have no time for waits its turn. One object for each server: one that
// hangs takes the helpers of no other.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/status.h"
#include "base/unique_fd.h"

namespace famfs::node {

/// How long one question to a FUSE server may take.
inline constexpr std::chrono::seconds kServerPatience{10};

/// Thread-safe.
class Questions {
 public:
  /// What came of a question: a descriptor, a text, or both.
  struct Answer {
    UniqueFd fd{};
    std::string text{};
  };
  using Result = absl::StatusOr<std::shared_ptr<const Answer>>;
  using Work = std::function<absl::StatusOr<Answer>()>;

  /// `whom` and `advice` are for messages: "famfs-fused", "see its log".
  Questions(std::string whom, std::string advice);
  /// Stop(). A helper that hangs is left behind, and its answer dropped
  /// whenever it comes.
  ~Questions();
  Questions(const Questions&) = delete;
  Questions& operator=(const Questions&) = delete;

  /// The answer to `question`, which also begins the message of an error; all
  /// who ask the same at one time share it. `work` must own what it uses: it
  /// may outlive this object. Unavailable: not answered within `limit`, or
  /// stopped.
  Result Ask(const std::string& question, std::chrono::milliseconds limit,
             Work work);

  /// Whoever waits, or asks later, gets Unavailable at once.
  void Stop();
  [[nodiscard]] bool stopped() const;
  /// Questions that somebody gave up on, and that are still not answered.
  [[nodiscard]] std::size_t overdue() const;
  /// Callers that wait now.
  [[nodiscard]] std::size_t waiting() const;

 private:
  struct Item;
  struct State;
  static absl::StatusOr<Answer> Guarded(const Work& work);

  const std::string whom_;
  const std::string advice_;
  const std::shared_ptr<State> state_;  // helpers may outlive this object
};

}  // namespace famfs::node
