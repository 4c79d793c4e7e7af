#include "fuse/server/server.h"

#include <spdlog/spdlog.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/thread.h"
#include "fuse/kernel/connections.h"
#include "fuse/kernel/data_path.h"
#include "fuse/operations/appending.h"
#include "fuse/operations/removing.h"
#include "fuse/operations/settling.h"
#include "fuse/server/mailbox_owner.h"

namespace famfs {
namespace {

// Workers beyond those that were asked for, in place of held up ones.
constexpr std::size_t kMostExtraWorkers = 64;

fuse_lowlevel_ops served_ops;  // what Gate guards

/// Puts before one operation what holds for all: when the device holds another
/// instance, this mount has nothing any more.
template <auto kField, typename... Arguments>
void Gated(fuse_req_t request, Arguments... arguments) {
  if (Service::Of(request).follower->replaced()) {
    fuse_reply_err(request, ESTALE);
    return;
  }
  (served_ops.*kField)(request, arguments...);
}

template <auto kField, typename... Arguments>
void Gate(fuse_lowlevel_ops& table,
          void (*operation)(fuse_req_t, Arguments...)) {
  served_ops.*kField = operation;
  table.*kField = Gated<kField, Arguments...>;
}

/// All but what gives something back (forget, release, releasedir).
void GateAll(fuse_lowlevel_ops& table) {
  using Ops = fuse_lowlevel_ops;
  Gate<&Ops::lookup>(table, table.lookup);
  Gate<&Ops::getattr>(table, table.getattr);
  Gate<&Ops::setattr>(table, table.setattr);
  Gate<&Ops::opendir>(table, table.opendir);
  Gate<&Ops::readdir>(table, table.readdir);
  Gate<&Ops::readdirplus>(table, table.readdirplus);
  Gate<&Ops::open>(table, table.open);
  Gate<&Ops::read>(table, table.read);
  Gate<&Ops::write>(table, table.write);
  Gate<&Ops::fsync>(table, table.fsync);
  Gate<&Ops::fallocate>(table, table.fallocate);
  Gate<&Ops::copy_file_range>(table, table.copy_file_range);
  Gate<&Ops::getxattr>(table, table.getxattr);
  Gate<&Ops::listxattr>(table, table.listxattr);
  Gate<&Ops::statfs>(table, table.statfs);
  Gate<&Ops::flush>(table, table.flush);
  Gate<&Ops::create>(table, table.create);
  Gate<&Ops::mknod>(table, table.mknod);
  Gate<&Ops::mkdir>(table, table.mkdir);
  Gate<&Ops::symlink>(table, table.symlink);
  Gate<&Ops::readlink>(table, table.readlink);
  Gate<&Ops::unlink>(table, table.unlink);
  Gate<&Ops::rmdir>(table, table.rmdir);
  Gate<&Ops::rename>(table, table.rename);
}

fuse_lowlevel_ops MakeTable() {
  fuse_lowlevel_ops table = {};
  table.init = [](void*, fuse_conn_info* connection) {
    // Contents change only where the kernel is told, or at an open.
    connection->want &= ~static_cast<unsigned>(FUSE_CAP_AUTO_INVAL_DATA);
    // Attributes with every listing. Left to itself the kernel asks for them
    // with a part of it only, and then for each of the other files alone.
    connection->want &= ~static_cast<unsigned>(FUSE_CAP_READDIRPLUS_AUTO);
    connection->max_write = kMaxWrite;
    connection->max_background = 64;
  };
  FillNameOps(table);
  FillDirectoryOps(table);
  FillFileOps(table);
  FillSpaceOps(table);
  FillQueryOps(table);
  FillTreeNameOps(table);
  FillRefusals(table);
  GateAll(table);
  return table;
}

void LogFromLibfuse(fuse_log_level level, const char* format,
                    va_list arguments) {
  std::array<char, 512> line{};
  if (std::vsnprintf(line.data(), line.size(), format, arguments) < 0) return;
  std::string_view text(line.data());
  while (text.ends_with('\n')) text.remove_suffix(1);
  spdlog::log(level <= FUSE_LOG_ERR ? spdlog::level::err : spdlog::level::info,
              "libfuse: {}", text);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    std::unique_ptr<Reader> reader, const ServerOptions& options) {
  UniqueFd fuse(options.fuse_fd);
  std::unique_ptr<Server> server(new Server());
  server->options_ = options;
  server->service_.devices = reader->devices();
  server->service_.path_asked = options.data_path;
  server->service_.read_only = options.salvage;
  server->service_.reader = std::move(reader);

  FAMFS_ASSIGN_OR_RETURN(
      server->mount_,
      CreateMount(options.source.empty()
                      ? server->service_.reader->device()->spec()
                      : options.source,
                  options.salvage, std::move(fuse)));
  FAMFS_RETURN_IF_ERROR(server->OpenSession(std::move(server->mount_.fuse)));
  FAMFS_RETURN_IF_ERROR(server->Negotiate());
  server->connection_ = ConnectionOf(server->mount_);
  FAMFS_RETURN_IF_ERROR(server->JoinHostTable(server->connection_));
  server->ended_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!server->ended_.valid()) return ErrnoError(errno, "eventfd");
  server->service_.patience = std::make_unique<Patience>();
  FAMFS_RETURN_IF_ERROR(server->service_.patience->Start());
  FAMFS_RETURN_IF_ERROR(server->FindOwner());
  if (server->service_.asking != nullptr) TakeOverSizes(server->service_);
  FAMFS_RETURN_IF_ERROR(server->StartThreads());
  return server;
}

absl::Status Server::Attach() {
  FAMFS_RETURN_IF_ERROR(
      CheckMountPoint(options_.mount_point, options_.allow_existing_mount));
  FAMFS_RETURN_IF_ERROR(AttachMount(mount_, options_.mount_point));
  attached_ = true;
  mount_.mount.reset();  // would keep the mount busy
  return absl::OkStatus();
}

absl::Status Server::OpenSession(UniqueFd fuse_fd) {
  static const fuse_lowlevel_ops kTable = MakeTable();
  fuse_set_log_func(LogFromLibfuse);
  std::uint64_t wanted =
      kInitAllowIdmap | kInitHandleKillprivV2 | kInitNoExportSupport;
  if (options_.data_path != DataPath::kCopy &&
      service_.reader->device()->capabilities().can_pass_through) {
    wanted |= kInitPassthrough;
  }
  service_.wire = std::make_unique<Wire>(std::move(fuse_fd), wanted, &service_);
  service_.files = std::make_unique<OpenInodes>(
      service_.devices, *service_.wire, service_.still_mapped);

  std::string name = "famfs-fused";
  std::array<char*, 1> arguments = {name.data()};
  fuse_args args = FUSE_ARGS_INIT(1, arguments.data());
  session_.reset(
      fuse_session_new(&args, &kTable, sizeof(kTable), service_.wire.get()));
  fuse_opt_free_args(&args);
  if (session_ == nullptr) return Internal("libfuse refused the session");
  FAMFS_RETURN_IF_ERROR(service_.wire->Attach(session_.get()));
  MakeFollower();
  service_.memory_errors =
      std::make_unique<MemoryErrors>(options_.memory_report);
  service_.zeroing =
      std::make_unique<Zeroing>([this](OpenInode& file, Range part) {
        return service_.ZeroPart(file, part);
      });
  return absl::OkStatus();
}

void Server::MakeFollower() {
  service_.follower = std::make_unique<Follower>(
      *service_.reader, session_.get(),
      [this](const Inode& inode) {
        const auto file = service_.files->Find(inode.Of(inode.node));
        // What is written here is known here.
        return file != nullptr && file->tree() != nullptr &&
               file->backing_id() == 0 && file->writers == 0;
      },
      [this](NodeId id) {
        for (const bool read_only : {false, true}) {
          service_.files->MarkRemoved(Inode{.read_only = read_only}.Of(id));
        }
        service_.attributes.Forget(id);
      },
      [this](NodeId id) {
        RememberOpen(service_, id);
        LookAtAppends(service_, id);
      },
      [this] { Round(); },
      [this] { service_.still_mapped.Round(StillMapped::Clock::now()); });
}

void Server::Round() {
  FollowPieces(service_);
  service_.deletion_acknowledger->AcknowledgeOnce();
  service_.memory_errors->Report();
  SettleLeftOvers(service_);
  LeaveAppends(service_);
  RemoveHiddenLeftOvers(service_);
  LookForOwner();
  // An evicted host has no row for ever.
  const HostSession* const session = service_.deletion_acknowledger->session();
  if (session != nullptr && session->evicted() && service_.owner != nullptr) {
    service_.owner->Stop();
  }
}

absl::Status Server::FindOwner() {
  const HostSession* const session = service_.deletion_acknowledger->session();
  if (options_.salvage || session == nullptr) return absl::OkStatus();
  FAMFS_ASSIGN_OR_RETURN(auto owner,
                         AskByMailbox(*service_.devices->primary(), *session));
  auto asking =
      std::make_unique<Asking>(*owner, *service_.follower, *service_.reader);
  service_.owner = std::move(owner);
  service_.made_asking = std::move(asking);
  service_.asking = service_.made_asking.get();
  return absl::OkStatus();
}

// The host table may have been full, or not there before a controller came.
void Server::LookForOwner() {
  constexpr std::chrono::seconds kBetweenLooks{1};
  if (options_.salvage || service_.asking != nullptr) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_look_for_owner_) return;
  next_look_for_owner_ = now + kBetweenLooks;
  if (service_.deletion_acknowledger->session() == nullptr) {
    auto registered = Register(*service_.devices->primary(), connection_);
    if (!registered.ok()) return;  // it was logged
    service_.deletion_acknowledger->Adopt(*std::move(registered));
  }
  if (!FindOwner().ok()) return;
  service_.made_asking->Start();
  spdlog::info("tree volumes can be changed by this mount from now on");
}

absl::Status Server::Negotiate() {
  // The INIT is waiting since the superblock was made. Nobody else reads yet.
  fuse_buf buffer = {};
  const int got = fuse_session_receive_buf(session_.get(), &buffer);
  if (got > 0) fuse_session_process_buf(session_.get(), &buffer);
  std::free(buffer.mem);
  if (got <= 0 || !service_.wire->initialised()) {
    return Unimplemented(
        "the kernel's FUSE (protocol {}) and this server do not agree",
        service_.wire->protocol());
  }
  FAMFS_ASSIGN_OR_RETURN(
      const ChosenPath chosen,
      ChooseDataPath(options_.data_path, *service_.reader->device(),
                     *service_.wire));
  service_.path = chosen.path;
  spdlog::info("data path {}{}{} (FUSE {}, idmapped mounts {})",
               ToString(chosen.path), chosen.why_not_better.empty() ? "" : ": ",
               chosen.why_not_better, service_.wire->protocol(),
               service_.wire->Negotiated(kInitAllowIdmap) ? "yes" : "no");
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<HostSession>> Server::Register(
    DaxDevice& primary, std::uint32_t connection) {
  FAMFS_ASSIGN_OR_RETURN(const HostIdentity identity,
                         MakeHostIdentity(connection));
  const auto connections = std::make_shared<FuseConnections>(connection);
  return HostSession::Register(
      primary, identity,
      [connections](const std::vector<HostRecord>& sessions) {
        return connections->FindGone(sessions);
      });
}

// On every kind of device, also where nobody waits for hosts: a row has the
// mailbox by which tree volumes are changed.
absl::Status Server::JoinHostTable(std::uint32_t connection) {
  std::unique_ptr<HostSession> session;
  DaxDevice& primary = *service_.devices->primary();
  if (!options_.salvage) {
    absl::StatusOr<std::unique_ptr<HostSession>> registered =
        Register(primary, connection);
    if (registered.ok()) {
      session = *std::move(registered);
    } else if (primary.capabilities().removed_extents_live_on) {
      // Nobody waits for this host; only its mailbox is missed.
      spdlog::error("tree volumes cannot be changed by this mount: {}",
                    Message(registered.status()));
    } else {
      return registered.status();
    }
  }
  service_.deletion_acknowledger = std::make_unique<DeletionAcknowledger>(
      std::move(session), *service_.reader, *service_.files);
  return absl::OkStatus();
}

void Server::SettleFiles() {
  constexpr std::chrono::seconds kLongest{2};
  SettleAll(service_, Patience::Clock::now() + kLongest);
}

void Server::LeaveHostTable() {
  service_.follower->Stop();
  service_.deletion_acknowledger->End();
}

absl::Status Server::StartThreads() {
  // From then on the follower looks for one where there is none.
  Asking* const asking = service_.asking;
  FAMFS_RETURN_IF_ERROR(service_.zeroing->Start());
  FAMFS_RETURN_IF_ERROR(service_.follower->Start(options_.poll));
  FAMFS_ASSIGN_OR_RETURN(watch_, StartThread([this] { WatchWorkers(); }));
  FAMFS_RETURN_IF_ERROR(AddWorker());
  for (unsigned i = 1; i < options_.threads; ++i) {
    const absl::Status started = AddWorker();
    if (started.ok()) continue;
    spdlog::warn("{} of {} threads answer: {}", i, options_.threads,
                 Message(started));
    break;
  }
  // What is less needed comes last.
  if (asking != nullptr) asking->Start();
  return absl::OkStatus();
}

absl::Status Server::AddWorker() {
  const MutexLock lock(mutex_);
  FAMFS_ASSIGN_OR_RETURN(std::thread worker, StartThread([this] { Work(); }));
  workers_.push_back(std::move(worker));
  return absl::OkStatus();
}

// A worker that is held up by a device which does not answer is not there for
// the files of all others: when no request was begun for a while and none of
// the workers waits for one, there are more.
void Server::WatchWorkers() {
  constexpr std::chrono::milliseconds kWhile{200};
  const std::size_t most = options_.threads + kMostExtraWorkers;
  std::uint64_t taken = 0;
  std::size_t workers = 0;
  for (;;) {
    {
      const auto end = std::chrono::steady_clock::now() + kWhile;
      const MutexLock lock(mutex_);
      while (!ending_ && wake_.WaitUntil(mutex_, end)) {
      }
      if (ending_) return;
      workers = workers_.size();
    }
    const std::uint64_t before = std::exchange(taken, taken_.load());
    if (taken != before || idle_ > 0 || workers >= most) continue;
    if (const absl::Status added = AddWorker(); !added.ok()) {
      spdlog::warn("all {} threads are held up: {}", workers, Message(added));
    } else {
      spdlog::debug("all {} threads are held up; there is one more", workers);
    }
  }
}

void Server::EndServing() { service_.still_mapped.End(); }

void Server::Work() {
  fuse_buf buffer = {};
  while (fuse_session_exited(session_.get()) == 0) {
    ++idle_;
    const int got = fuse_session_receive_buf(session_.get(), &buffer);
    --idle_;
    if (got == -EINTR || got == -EAGAIN) continue;
    if (got < 0) {
      failed_ = true;
      spdlog::error("reading /dev/fuse: {}",
                    Message(ErrnoError(-got, "this thread ends")));
    }
    if (got <= 0) break;
    ++taken_;
    fuse_session_process_buf(session_.get(), &buffer);
  }
  std::free(buffer.mem);
  const std::uint64_t one = 1;
  static_cast<void>(!::write(ended_.get(), &one, sizeof(one)));
}

Server::~Server() {
  mount_.mount.reset();
  if (attached_ && fuse_session_exited(session_.get()) == 0) {
    IgnoreError(Unmount(options_.mount_point), "it may be gone");
  }
  {
    const MutexLock lock(mutex_);
    ending_ = true;
  }
  wake_.NotifyAll();
  if (watch_.joinable()) watch_.join();  // adds no worker from here on
  for (std::thread& worker : workers_) worker.join();
  if (service_.zeroing != nullptr) service_.zeroing->Stop();
  if (service_.follower != nullptr) service_.follower->Stop();
  if (service_.files != nullptr) SettleFiles();
  // All requests are answered while their session is there.
  if (service_.owner != nullptr) service_.owner->Stop();
  if (service_.made_asking != nullptr) service_.made_asking->Stop();
  if (service_.patience != nullptr) service_.patience->Stop();
  if (service_.deletion_acknowledger != nullptr)
    service_.deletion_acknowledger->End();
  service_.files.reset();
  service_.still_mapped.End();
}

}  // namespace famfs
