#include "fuse/kernel/wire.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace famfs {
namespace {

// The messages' layout, as far as we touch it.
struct InHeader {
  std::uint32_t length;
  std::uint32_t opcode;
  std::uint64_t unique;
  std::uint64_t node;
  std::uint32_t uid, gid, pid;
  std::uint32_t more;
};
static_assert(sizeof(InHeader) == 40);
constexpr std::uint32_t kOpcodeSetAttributes = 4;
constexpr std::uint32_t kOpcodeOpen = 14;
constexpr std::uint32_t kOpcodeRead = 15;
constexpr std::uint32_t kOpcodeWrite = 16;
constexpr std::uint32_t kOpcodeInit = 26;

struct ReadIn {
  std::uint64_t handle;
  std::uint64_t offset;
  std::uint32_t size, read_flags;
};
static_assert(sizeof(ReadIn) == 24);
/// A direct read says on whose behalf it comes; one that fills pages cannot.
constexpr std::uint32_t kReadLockOwner = 2;

// Whether the READ that this thread took last fills the kernel's page cache.
// libfuse does not hand read_flags on; a worker answers what it has read before
// it reads again.
thread_local bool fills_page_cache = false;

// The same for whether it takes privileges away.
thread_local bool kills_privileges = false;

bool FillsPages(const void* message, std::size_t length) {
  struct {
    InHeader header;
    ReadIn read;
  } in{};
  if (length < sizeof(in)) return false;
  std::memcpy(&in, message, sizeof(in));
  return in.header.opcode == kOpcodeRead &&
         (in.read.read_flags & kReadLockOwner) == 0;
}

/// The 32-bit word at that byte of what follows the header; 0 beyond its end.
std::uint32_t WordAt(const void* message, std::size_t length, std::size_t at) {
  std::uint32_t word = 0;
  at += sizeof(InHeader);
  if (length < at + sizeof(word)) return 0;
  std::memcpy(&word, static_cast<const std::byte*>(message) + at, sizeof(word));
  return word;
}

/// FATTR_, FUSE_OPEN_ and FUSE_WRITE_KILL_SUIDGID.
bool KillsBits(const void* message, std::size_t length) {
  InHeader header{};
  if (length < sizeof(header)) return false;
  std::memcpy(&header, message, sizeof(header));
  switch (header.opcode) {
    case kOpcodeSetAttributes:  // fuse_setattr_in: valid
      return (WordAt(message, length, 0) & (1U << 11)) != 0;
    case kOpcodeOpen:  // fuse_open_in: flags, open_flags
      return (WordAt(message, length, 4) & 1U) != 0;
    case kOpcodeWrite:  // fuse_write_in: fh, offset, size, write_flags
      return (WordAt(message, length, 20) & (1U << 2)) != 0;
    default:
      return false;
  }
}

struct OutHeader {
  std::uint32_t length;
  std::int32_t error;
  std::uint64_t unique;
};
static_assert(sizeof(OutHeader) == 16);

struct InitIn {
  std::uint32_t major, minor, max_readahead, flags, flags2;
};
constexpr std::size_t kInitInBeforeFlags2 = 16;  // bytes, before 7.36

struct InitOut {
  std::uint32_t major, minor, max_readahead, flags;
  std::uint16_t max_background, congestion_threshold;
  std::uint32_t max_write, time_gran;
  std::uint16_t max_pages, map_alignment;
  std::uint32_t flags2, max_stack_depth;
  std::uint32_t unused[6];
};
static_assert(sizeof(InitOut) == 64);

struct OpenOut {
  std::uint64_t handle;
  std::uint32_t flags;
  std::int32_t backing_id;
};
static_assert(sizeof(OpenOut) == 16);

struct AttributesOut {
  std::uint64_t node, size, blocks, atime, mtime, ctime;
  std::uint32_t atime_ns, mtime_ns, ctime_ns;
  std::uint32_t mode, links, uid, gid, device, block_size, flags;
};
static_assert(sizeof(AttributesOut) == 88);

struct EntryOut {
  std::uint64_t node, generation, entry_valid, attributes_valid;
  std::uint32_t entry_valid_ns, attributes_valid_ns;
  AttributesOut attributes;
};
static_assert(sizeof(EntryOut) == 128);

AttributesOut ToWire(const struct stat& attr) {
  return {.node = attr.st_ino,
          .size = static_cast<std::uint64_t>(attr.st_size),
          .blocks = static_cast<std::uint64_t>(attr.st_blocks),
          .atime = static_cast<std::uint64_t>(attr.st_atim.tv_sec),
          .mtime = static_cast<std::uint64_t>(attr.st_mtim.tv_sec),
          .ctime = static_cast<std::uint64_t>(attr.st_ctim.tv_sec),
          .atime_ns = static_cast<std::uint32_t>(attr.st_atim.tv_nsec),
          .mtime_ns = static_cast<std::uint32_t>(attr.st_mtim.tv_nsec),
          .ctime_ns = static_cast<std::uint32_t>(attr.st_ctim.tv_nsec),
          .mode = attr.st_mode,
          .links = static_cast<std::uint32_t>(attr.st_nlink),
          .uid = attr.st_uid,
          .gid = attr.st_gid,
          .device = 0,
          .block_size = static_cast<std::uint32_t>(attr.st_blksize),
          .flags = 0};
}

struct BackingMap {
  std::int32_t fd;
  std::uint32_t flags;
  std::uint64_t padding;
};
static_assert(sizeof(BackingMap) == 16);
constexpr unsigned kIoctlMagic = 229;

}  // namespace

absl::Status Wire::Attach(fuse_session* session) {
  const fuse_custom_io io = {.writev = &Wire::WriteHook,
                             .read = &Wire::ReadHook,
                             .splice_receive = nullptr,
                             .splice_send = nullptr};
  // The session closes what it is given.
  UniqueFd copy(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 3));
  if (!copy.valid()) return ErrnoError(errno, "copying a descriptor");
  if (const int error = fuse_session_custom_io(session, &io, copy.get());
      error != 0) {
    return ErrnoError(-error, "setting the FUSE session's descriptor");
  }
  static_cast<void>(copy.release());
  return absl::OkStatus();
}

std::string Wire::protocol() const {
  return fmt::format("{}.{}", major_, minor_);
}

ssize_t Wire::ReadHook(int fd, void* buffer, std::size_t length, void* self) {
  const ssize_t got = ::read(fd, buffer, length);
  if (got > 0) {
    Wire& wire = *static_cast<Wire*>(self);
    // Only the first message is an INIT, and it is answered before any other
    // thread reads: no lock.
    if (!wire.init_seen_) {
      wire.NoteInit(buffer, static_cast<std::size_t>(got));
    }
    fills_page_cache = FillsPages(buffer, static_cast<std::size_t>(got));
    kills_privileges = KillsBits(buffer, static_cast<std::size_t>(got));
  }
  return got;
}

bool Wire::FillsPageCache() { return fills_page_cache; }

bool Wire::KillsPrivileges() { return kills_privileges; }

void Wire::NoteInit(const void* message, std::size_t length) {
  InHeader header{};
  if (length < sizeof(header) + kInitInBeforeFlags2) return;
  std::memcpy(&header, message, sizeof(header));
  if (header.opcode != kOpcodeInit) return;
  InitIn init{};
  std::memcpy(&init, static_cast<const std::byte*>(message) + sizeof(header),
              std::min(sizeof(init), length - sizeof(header)));
  init_seen_ = true;
  init_unique_ = header.unique;
  major_ = init.major;
  minor_ = init.minor;
  offered_ = init.flags;
  if ((offered_ & kInitExt) != 0) {
    offered_ |= static_cast<std::uint64_t>(init.flags2) << 32;
  }
}

ssize_t Wire::WriteHook(int fd, iovec* parts, int count, void* self) {
  Wire& wire = *static_cast<Wire*>(self);
  if (wire.init_seen_ && !wire.init_answered_) {
    return wire.SendInitReply(parts, count);
  }
  return ::writev(fd, parts, count);
}

ssize_t Wire::SendInitReply(iovec* parts, int count) {
  OutHeader header{};
  if (count > 0 && parts[0].iov_len == sizeof(header)) {
    std::memcpy(&header, parts[0].iov_base, sizeof(header));
  }
  if (header.unique != init_unique_ || header.error != 0 || count != 2 ||
      parts[1].iov_len != sizeof(InitOut)) {
    return ::writev(fd_.get(), parts, count);  // refused, or an old kernel
  }
  InitOut reply{};
  std::memcpy(&reply, parts[1].iov_base, sizeof(reply));
  const std::uint64_t taken = offered_ & wanted_;
  reply.flags |= static_cast<std::uint32_t>(taken);
  if ((offered_ & kInitExt) != 0) {
    reply.flags |= static_cast<std::uint32_t>(kInitExt);
    reply.flags2 |= static_cast<std::uint32_t>(taken >> 32);
  }
  // The backing file lies on a file system that stacks on nothing.
  if ((taken & kInitPassthrough) != 0) reply.max_stack_depth = 1;
  std::array<iovec, 2> changed = {parts[0], {&reply, sizeof(reply)}};
  const ssize_t sent =
      ::writev(fd_.get(), changed.data(), static_cast<int>(changed.size()));
  init_answered_ = sent >= 0;
  return sent;
}

absl::StatusOr<int> Wire::OpenBacking(int file_fd) const {
  BackingMap map{.fd = file_fd, .flags = 0, .padding = 0};
  const int id = ::ioctl(fd_.get(), _IOW(kIoctlMagic, 1, BackingMap), &map);
  if (id > 0) return id;
  if (id < 0 && errno == ELOOP) {
    return Unimplemented(
        "the kernel refuses the extent's file as backing file (ELOOP): it lies "
        "on hugetlbfs or on a stacked file system; move the emulated device to "
        "a tmpfs (mount -t tmpfs -o huge=always ...)");
  }
  return ErrnoError(id < 0 ? errno : EPROTO, "registering a backing file");
}

void Wire::CloseBacking(int id) const {
  const auto number = static_cast<std::uint32_t>(id);
  // Fails only when the connection is gone, and the id with it.
  static_cast<void>(
      ::ioctl(fd_.get(), _IOW(kIoctlMagic, 2, std::uint32_t), &number));
}

int Wire::ReplyOpen(fuse_req_t request, std::uint64_t handle,
                    std::uint32_t flags, int backing_id) {
  const OpenOut reply{handle, flags, backing_id};
  return fuse_reply_buf(request, reinterpret_cast<const char*>(&reply),
                        sizeof(reply));
}

int Wire::ReplyCreate(fuse_req_t request, const fuse_entry_param& entry,
                      std::uint64_t handle, std::uint32_t flags,
                      int backing_id) {
  const struct {
    EntryOut entry;
    OpenOut open;
  } reply{{.node = entry.ino,
           .generation = entry.generation,
           .entry_valid = static_cast<std::uint64_t>(entry.entry_timeout),
           .attributes_valid = static_cast<std::uint64_t>(entry.attr_timeout),
           .entry_valid_ns = 0,
           .attributes_valid_ns = 0,
           .attributes = ToWire(entry.attr)},
          {handle, flags, backing_id}};
  return fuse_reply_buf(request, reinterpret_cast<const char*>(&reply),
                        sizeof(reply));
}

}  // namespace famfs
