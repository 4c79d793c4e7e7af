// Who makes a command's changes: the Writer of this process or, where another
// program has the instance open, that one. It is asked through the memory, as a
// server asks it for what pods change (instance/mailbox/asker.h), and does what
// lies in tree volumes alone.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "instance/devices/device_set.h"
#include "instance/reader/reader.h"
#include "instance/writer/writer.h"
#include "media/tree_request.h"
#include "tools/common/context.h"

namespace famfs {

/// Thread-safe.
class Changer {
 public:
  Changer() = default;
  virtual ~Changer() = default;
  Changer(const Changer&) = delete;
  Changer& operator=(const Changer&) = delete;

  /// With all that Change has answered.
  [[nodiscard]] virtual Reader::View Tree() const = 0;
  [[nodiscard]] virtual const std::shared_ptr<DeviceSet>& devices() const = 0;
  /// Before bytes are stored, and now and then meanwhile: whether they still
  /// may be.
  [[nodiscard]] virtual absl::Status CheckStanding() = 0;

  /// A change of a tree volume; returns when it is done, or refused with the
  /// answer's errno. An error says why the owner has not answered, and what is
  /// known of the change: Unavailable, and after a signal Cancelled.
  virtual absl::StatusOr<TreeAnswer> Change(const TreeRequest& request) = 0;
  /// To take back what a command has begun, although a signal has come or
  /// nobody has answered; waits a moment at most.
  virtual absl::StatusOr<TreeAnswer> TakeBack(const TreeRequest& request) = 0;
  /// The file's extents are stored to until LetGo: they are nobody else's until
  /// then, even when the file is removed. While the Tree() that shows it
  /// stands.
  virtual void Hold(const Node& file) = 0;
  virtual void LetGo(const Node& file) = 0;
  /// No more than so many bytes are to be asked for at once: the owner answers
  /// when they are there.
  [[nodiscard]] virtual std::uint64_t largest_growth() const = 0;

  /// For what lies outside of tree volumes; an error, with what to do, where
  /// another program has the instance open.
  virtual absl::StatusOr<Writer*> WriterFor(std::string_view path) = 0;
};

/// That Writer.
std::unique_ptr<Changer> ChangerOf(std::unique_ptr<Writer> writer);

/// The Writer or, where that is refused because another program or another host
/// has the instance, who asks. Errors else as OpenWriter.
absl::StatusOr<std::unique_ptr<Changer>> OpenChanger(
    const std::string& name, const WriteOptions& options);

/// AddWriteOptions, and for how long the owner is waited for.
void AddChangeOptions(Command* command, WriteOptions& options);

}  // namespace famfs
