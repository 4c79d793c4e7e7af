#include "media/tree_request.h"

#include <cstring>
#include <limits>

#include "base/text.h"
#include "media/rules.h"

namespace famfs {
namespace {

// Hosts of one instance may run different programs: a request of another
// version is refused, not guessed.
constexpr std::uint8_t kVersion = 1;

/// The request's fixed part; volume, name, new name and target follow it
/// without padding, and nothing follows them.
struct RequestHead {
  std::uint8_t version;
  std::uint8_t op;
  std::uint8_t kind;
  std::uint8_t volume_length;
  std::uint8_t name_length;
  std::uint8_t new_name_length;
  std::uint16_t target_length;
  std::uint64_t node;
  std::uint64_t parent;
  std::uint64_t new_parent;
  std::uint64_t size;
  std::int64_t mtime_ns;
  std::int64_t ctime_ns;
  std::uint32_t flags;
  std::uint32_t set;
  std::uint32_t truncation;
  std::uint32_t uid;
  std::uint32_t gid;
  std::uint32_t mode;
};
static_assert(sizeof(RequestHead) == 80);
static_assert(offsetof(RequestHead, target_length) == 6);
static_assert(offsetof(RequestHead, node) == 8);
static_assert(offsetof(RequestHead, size) == 32);
static_assert(offsetof(RequestHead, ctime_ns) == 48);
static_assert(offsetof(RequestHead, flags) == 56);
static_assert(offsetof(RequestHead, mode) == 76);
static_assert(kMaxTreeVolume <= std::numeric_limits<std::uint8_t>::max());
static_assert(kMaxNodeName <= std::numeric_limits<std::uint8_t>::max());
// A creation has one name and a target, a rename two names.
static_assert(sizeof(RequestHead) + kMaxTreeVolume + kMaxNodeText <=
              kMaxTreeRequest);
static_assert(sizeof(RequestHead) + kMaxTreeVolume + 2 * kMaxNodeName <=
              kMaxTreeRequest);

struct AnswerBytes {
  std::uint32_t version;
  std::int32_t error;
  std::uint64_t node;
  std::uint64_t generation;
  std::uint64_t entries;
};
static_assert(sizeof(AnswerBytes) == kMaxTreeAnswer);
static_assert(offsetof(AnswerBytes, node) == 8);

constexpr std::uint64_t kMaxSize = std::numeric_limits<std::int64_t>::max();

bool HasName(TreeOp op) {
  return op == TreeOp::kCreate || op == TreeOp::kRemove ||
         op == TreeOp::kRename;
}

std::uint32_t FlagsOf(TreeOp op) {
  if (op == TreeOp::kRename) return kRenameNoReplace | kRenameExchange;
  if (op == TreeOp::kExtend) return kExtendExactly;
  if (op == TreeOp::kAppend) return kAppendGiveUp;
  return op == TreeOp::kRemove ? kRemoveDirectory : 0;
}

std::uint32_t SetOf(TreeOp op) {
  if (op != TreeOp::kSetAttributes) return 0;
  return kSetMode | kSetUid | kSetGid | kSetMtime | kSetSize;
}

absl::Status CheckVolume(std::string_view volume) {
  if (volume.size() > kMaxTreeVolume) {
    return InvalidArgument("volume has {} bytes, more than {}", volume.size(),
                           kMaxTreeVolume);
  }
  if (volume.find('/') != std::string_view::npos) {
    return InvalidArgument("volume '{}' has a '/'", Printable(volume));
  }
  return Annotate(CheckPath(volume), "volume");
}

/// A name where the operation has one, nothing elsewhere.
absl::Status CheckName(std::string_view field, std::string_view name,
                       bool wanted) {
  if (wanted) return Annotate(CheckNodeName(name), field);
  if (name.empty()) return absl::OkStatus();
  return InvalidArgument("{} '{}' with an operation that has none", field,
                         Printable(name));
}

absl::Status CheckTarget(const TreeRequest& request) {
  const std::string& target = request.target;
  if (request.op != TreeOp::kCreate || request.kind != NodeKind::kSymlink) {
    if (target.empty()) return absl::OkStatus();
    return InvalidArgument("target of {} bytes with op {} and kind {}",
                           target.size(), static_cast<int>(request.op),
                           static_cast<int>(request.kind));
  }
  if (target.empty()) return InvalidArgument("target of a link is empty");
  if (target.find('\0') != std::string::npos) {
    return InvalidArgument("target '{}' has a NUL", Printable(target));
  }
  if (request.name.size() + target.size() > kMaxNodeText) {
    return OutOfRange(
        "target of {} bytes with a name of {}: more than {} together",
        target.size(), request.name.size(), kMaxNodeText);
  }
  return absl::OkStatus();
}

absl::Status CheckNumbers(const TreeRequest& request) {
  const auto& r = request;
  const auto op = static_cast<int>(r.op);
  if ((r.flags & ~FlagsOf(r.op)) != 0) {
    return InvalidArgument("flags are {:#x}, of which op {} knows {:#x}",
                           r.flags, op, FlagsOf(r.op));
  }
  // As renameat2: what must not be there cannot be exchanged.
  if (r.op == TreeOp::kRename && r.flags == FlagsOf(r.op)) {
    return InvalidArgument(
        "flags are {:#x}: no-replace and exchange exclude "
        "each other",
        r.flags);
  }
  if ((r.set & ~SetOf(r.op)) != 0) {
    return InvalidArgument("set is {:#x}, of which op {} knows {:#x}", r.set,
                           op, SetOf(r.op));
  }
  if ((r.mode & ~07777U) != 0) {
    return InvalidArgument("mode is {:#o}: more than permission bits", r.mode);
  }
  if (r.size > kMaxSize) {
    return InvalidArgument("size is {}, more than {}", r.size, kMaxSize);
  }
  if ((r.op == TreeOp::kExtend || r.op == TreeOp::kSettle ||
       r.op == TreeOp::kAppend) &&
      r.node == kVolumeRoot) {
    return InvalidArgument("node is 0, the volume's directory, with op {}", op);
  }
  if (r.op == TreeOp::kAppend && r.flags == 0 && r.size == 0) {
    return InvalidArgument("size is 0: nothing to append");
  }
  return absl::OkStatus();
}

/// The rules that hold on both sides of a mailbox.
absl::Status CheckRequest(const TreeRequest& request) {
  const auto op = static_cast<unsigned>(request.op);
  if (op < static_cast<unsigned>(TreeOp::kCreate) ||
      op > static_cast<unsigned>(TreeOp::kAppend)) {
    return InvalidArgument("op {} does not exist", op);
  }
  const auto kind = static_cast<unsigned>(request.kind);
  if (kind < static_cast<unsigned>(NodeKind::kDirectory) ||
      kind > static_cast<unsigned>(NodeKind::kSymlink)) {
    return InvalidArgument("kind {} does not exist", kind);
  }
  FAMFS_RETURN_IF_ERROR(CheckVolume(request.volume));
  FAMFS_RETURN_IF_ERROR(CheckName("name", request.name, HasName(request.op)));
  FAMFS_RETURN_IF_ERROR(
      CheckName("new_name", request.new_name, request.op == TreeOp::kRename));
  FAMFS_RETURN_IF_ERROR(CheckTarget(request));
  return CheckNumbers(request);
}

/// Takes the strings one after the other from bytes that CheckShape counted.
class Text {
 public:
  explicit Text(std::string_view text) : text_(text) {}
  std::string Take(std::size_t length) {
    std::string taken(text_.substr(0, length));
    text_.remove_prefix(taken.size());
    return taken;
  }

 private:
  std::string_view text_;
};

absl::Status CheckShape(const RequestHead& head, std::size_t size) {
  const std::size_t length = sizeof(RequestHead) + head.volume_length +
                             head.name_length + head.new_name_length +
                             head.target_length;
  if (length == size) return absl::OkStatus();
  return DataLoss(
      "request: {} bytes do not fit a volume of {}, a name of {}, a new_name "
      "of {} and a target of {} bytes",
      size, head.volume_length, head.name_length, head.new_name_length,
      head.target_length);
}

TreeRequest RequestOf(const RequestHead& head, Text text) {
  TreeRequest request;
  request.op = static_cast<TreeOp>(head.op);
  request.volume = text.Take(head.volume_length);
  request.node = head.node;
  request.parent = head.parent;
  request.name = text.Take(head.name_length);
  request.new_parent = head.new_parent;
  request.new_name = text.Take(head.new_name_length);
  request.flags = head.flags;
  request.kind = static_cast<NodeKind>(head.kind);
  request.uid = head.uid;
  request.gid = head.gid;
  request.mode = head.mode;
  request.target = text.Take(head.target_length);
  request.set = head.set;
  request.size = head.size;
  request.truncation = head.truncation;
  request.mtime_ns = head.mtime_ns;
  request.ctime_ns = head.ctime_ns;
  return request;
}

void Append(std::vector<std::byte>& bytes, std::string_view text) {
  const auto added = std::as_bytes(std::span(text));
  bytes.insert(bytes.end(), added.begin(), added.end());
}

}  // namespace

absl::StatusOr<std::vector<std::byte>> EncodeTreeRequest(
    const TreeRequest& request) {
  FAMFS_RETURN_IF_ERROR(CheckRequest(request));
  const RequestHead head{
      .version = kVersion,
      .op = static_cast<std::uint8_t>(request.op),
      .kind = static_cast<std::uint8_t>(request.kind),
      .volume_length = static_cast<std::uint8_t>(request.volume.size()),
      .name_length = static_cast<std::uint8_t>(request.name.size()),
      .new_name_length = static_cast<std::uint8_t>(request.new_name.size()),
      .target_length = static_cast<std::uint16_t>(request.target.size()),
      .node = request.node,
      .parent = request.parent,
      .new_parent = request.new_parent,
      .size = request.size,
      .mtime_ns = request.mtime_ns,
      .ctime_ns = request.ctime_ns,
      .flags = request.flags,
      .set = request.set,
      .truncation = request.truncation,
      .uid = request.uid,
      .gid = request.gid,
      .mode = request.mode,
  };
  std::vector<std::byte> bytes(sizeof(head));
  std::memcpy(bytes.data(), &head, sizeof(head));
  Append(bytes, request.volume);
  Append(bytes, request.name);
  Append(bytes, request.new_name);
  Append(bytes, request.target);
  return bytes;
}

absl::StatusOr<TreeRequest> DecodeTreeRequest(
    std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(RequestHead) || bytes.size() > kMaxTreeRequest) {
    return DataLoss("request: {} bytes, not {} to {}", bytes.size(),
                    sizeof(RequestHead), kMaxTreeRequest);
  }
  RequestHead head;
  std::memcpy(&head, bytes.data(), sizeof(head));
  if (head.version != kVersion) {
    return DataLoss(
        "request: version is {}, not {}; all hosts have to run one famfs-csi",
        head.version, kVersion);
  }
  FAMFS_RETURN_IF_ERROR(CheckShape(head, bytes.size()));
  const std::string_view text(
      reinterpret_cast<const char*>(bytes.data()) + sizeof(head),
      bytes.size() - sizeof(head));
  TreeRequest request = RequestOf(head, Text(text));
  if (const absl::Status status = CheckRequest(request); !status.ok()) {
    return DataLoss("request: {}", Message(status));
  }
  return request;
}

std::vector<std::byte> EncodeTreeAnswer(const TreeAnswer& answer) {
  const AnswerBytes encoded{.version = kVersion,
                            .error = answer.error,
                            .node = answer.node,
                            .generation = answer.generation,
                            .entries = answer.entries};
  std::vector<std::byte> bytes(sizeof(encoded));
  std::memcpy(bytes.data(), &encoded, sizeof(encoded));
  return bytes;
}

absl::StatusOr<TreeAnswer> DecodeTreeAnswer(std::span<const std::byte> bytes) {
  if (bytes.size() != sizeof(AnswerBytes)) {
    return DataLoss("answer: {} bytes, not {}", bytes.size(),
                    sizeof(AnswerBytes));
  }
  AnswerBytes encoded;
  std::memcpy(&encoded, bytes.data(), sizeof(encoded));
  if (encoded.version != kVersion) {
    return DataLoss(
        "answer: version is {}, not {}; all hosts have to run one famfs-csi",
        encoded.version, kVersion);
  }
  if (encoded.error < 0 || encoded.error > kMaxErrno) {
    return DataLoss("answer: error is {}, no errno", encoded.error);
  }
  return TreeAnswer{.error = encoded.error,
                    .node = encoded.node,
                    .generation = encoded.generation,
                    .entries = encoded.entries};
}

}  // namespace famfs
