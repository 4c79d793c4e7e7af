#include "fuse/operations/appending.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "fuse/operations/settling.h"

namespace famfs {
namespace {

NodeId NodeOf(const OpenInode& file) {
  return Inode::FromKernel(file.shape().node.id).node;
}

AppendRights::Store StoreOf(Service& service) {
  return [&service](const MailboxPlace& place, const AppendClaimBits& files) {
    return service.owner->StoreClaims(place, files);
  };
}

bool HoldsNow(Service& service, const PlaceOfOpen& place) {
  const std::optional<MailboxPlace> mailbox = service.owner->Place();
  return mailbox.has_value() &&
         service.appends.Holds(place.node, *mailbox, place.revision);
}

/// Whether the log says of the file's size all that this host knows.
bool IsSizeTold(const Service& service, NodeId node) {
  TreePlace place;
  if (FindInTree(service, node, place) != 0) return true;
  const auto unsettled = service.unsettled.Find(node);
  return !unsettled.has_value() || unsettled->size <= place.size ||
         unsettled->truncation < place.truncation;
}

/// After Stop: tells what was stored, then takes the claim back.
void LeaveAppend(Service& service, NodeId node) {
  Settle(service, nullptr, node, [&service, node](int) {
    const auto told_at = service.appends.Leave(
        node, [&service, node] { return IsSizeTold(service, node); },
        StoreOf(service));
    TreePlace place;
    if (!told_at.has_value() || FindInTree(service, node, place) != 0) return;
    TreeRequest give_up = place.Request(TreeOp::kAppend);
    give_up.flags = kAppendGiveUp;
    give_up.size = *told_at;
    service.asking.load()->Ask(nullptr, std::move(give_up),
                               [](const TreeAnswer&) {});
  });
}

/// Where the owner's answer puts the bytes; nullopt: it is to be looked again.
std::optional<std::uint64_t> OffsetIn(const TreeAnswer& answer,
                                      const PlaceOfOpen& place,
                                      std::uint64_t bytes) {
  if (answer.error != 0 || place.is_removed) return std::nullopt;
  // Else another host has cut it off again, and it is nobody's.
  if (answer.node > place.size || bytes > place.size - answer.node) {
    return std::nullopt;
  }
  return answer.node;
}

void Answered(Service& service, OpenInode& file, std::uint64_t bytes,
              const TreeAnswer& answer, const AppendThen& then) {
  const PlaceOfOpen place = FindOpen(service, file);
  const bool is_alone = answer.error == 0 && (answer.node & kAppendAlone) != 0;
  service.appends.EndAsking(
      NodeOf(file),
      is_alone ? std::optional(static_cast<std::uint32_t>(answer.node))
               : std::nullopt,
      place.revision);
  switch (answer.error) {
    case 0:
    case EBUSY:  // others have not stopped so far
      then(0, OffsetIn(answer, place, bytes));
      return;
    case EINVAL:
      then(EOPNOTSUPP, std::nullopt);
      return;
    default:
      then(answer.error, std::nullopt);
  }
}

}  // namespace

AppendTurn FindTurn(Service& service, OpenInode& file, PlaceOfOpen& place) {
  // Of a node file the size, before others store what the log then shows.
  const PlaceOfOpen before = FindOpen(service, file);
  std::uint64_t known = before.own_size;
  IgnoreError(service.follower->CatchUp(), "the owner looks, too");
  {
    // None stores here any more when this finds out that it must not.
    const MutexLock lock(file.growing);
    place = FindOpen(service, file);
    if (place.is_removed || HoldsNow(service, place)) return AppendTurn::kHere;
    // What another host has cut off must not come back.
    if (place.truncation != before.truncation) known = 0;
    if (const auto stored = service.unsettled.Find(place.node);
        stored.has_value() && stored->truncation >= place.truncation) {
      known = std::max(known, stored->size);
    }
  }
  if (known <= place.size) return AppendTurn::kAsk;
  NoteStored(service, file, place, known);
  return AppendTurn::kSettle;
}

std::uint64_t PlaceOfAppend(const PlaceOfOpen& place, std::uint64_t at,
                            bool in_parts) {
  if (in_parts && at >= place.size) return at;
  // Of a range that another host has not stored to yet only the log knows.
  return std::max(place.own_size, place.size);
}

std::optional<FileMemory::Done> AppendBytes(Service& service, OpenInode& file,
                                            std::span<const std::byte> bytes,
                                            std::uint64_t& at, bool in_parts) {
  const MutexLock lock(file.growing);
  const PlaceOfOpen place = FindOpen(service, file);
  if (!place.is_removed && !HoldsNow(service, place)) return std::nullopt;
  const std::uint64_t offset = PlaceOfAppend(place, at, in_parts);
  if (offset + bytes.size() > place.allocated) return std::nullopt;
  at = offset;
  FileMemory::Done done = file.tree()->fd() < 0
                              ? file.tree()->Write(at, bytes, place.own_size)
                              : file.tree()->WriteOwn(at, bytes);
  if (done.bytes > 0) NoteStored(service, file, place, at + done.bytes);
  return done;
}

void AskToAppend(fuse_req_t request, std::shared_ptr<OpenInode> file,
                 const PlaceOfOpen& place, std::uint64_t bytes,
                 AppendThen then) {
  Service& service = Service::Of(request);
  if (!service.appends.BeginAsking(place.node, place.id, service.owner->Place(),
                                   StoreOf(service))) {
    then(0, std::nullopt);
    return;
  }
  TreeRequest append = place.Request(TreeOp::kAppend);
  append.size = bytes;
  service.asking.load()->Ask(
      request, std::move(append),
      [&service, file = std::move(file), bytes,
       then = std::move(then)](const TreeAnswer& answer) {
        Answered(service, *file, bytes, answer, then);
      });
}

void LookAtAppends(Service& service, NodeId node) {
  if (service.appends.IsIdle()) return;
  TreePlace place;
  if (FindInTree(service, node, place) != 0) return;
  switch (service.appends.Look(node, place.id, place.revision)) {
    case AppendRights::Next::kNothing:
      return;
    case AppendRights::Next::kStop:
      if (const auto file =
              service.files->Find(Inode{.read_only = false}.Of(node));
          file != nullptr) {
        const MutexLock lock(file->growing);
        static_cast<void>(service.appends.Stop(node));
      } else {
        static_cast<void>(service.appends.Stop(node));
      }
      break;
    case AppendRights::Next::kLeave:
      break;
  }
  LeaveAppend(service, node);
}

void EndAppends(Service& service, OpenInode& file) {
  {
    const MutexLock lock(file.growing);
    if (!service.appends.Stop(NodeOf(file))) return;
  }
  LeaveAppend(service, NodeOf(file));
}

void LeaveAppends(Service& service) {
  for (const NodeId node : service.appends.Leaving()) {
    LeaveAppend(service, node);
  }
}

}  // namespace famfs
