#include "fuse/operations/settling.h"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <charconv>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "fuse/operations/removing.h"
#include "fuse/operations/tree_places.h"

namespace famfs {

namespace {

/// Where nobody interrupts it; who came meanwhile has stored more, perhaps.
void EndShared(Service& service, NodeId node, int error) {
  for (auto& then : service.unsettled.EndShared(node)) {
    error == 0 ? Settle(service, nullptr, node, std::move(then)) : then(error);
  }
}

}  // namespace

void Settle(Service& service, fuse_req_t request, NodeId node,
            std::function<void(int error)> then) {
  const bool shares = request == nullptr;
  const auto told = shares ? service.unsettled.TakeToShare(node, then)
                           : service.unsettled.Take(node, /*also_asked=*/true);
  if (then == nullptr) return;  // another one under way tells it
  TreePlace place;
  if (!told.has_value() || service.asking == nullptr ||
      FindInTree(service, node, place) != 0) {
    if (told.has_value()) {
      service.unsettled.NotSettled(node);
      if (shares) EndShared(service, node, 0);
    }
    then(0);
    return;
  }
  TreeRequest settle = place.Request(TreeOp::kSettle);
  settle.size = told->size;
  settle.truncation = told->truncation;
  settle.mtime_ns = told->mtime_ns;
  service.asking.load()->Ask(
      request, std::move(settle),
      [&service, node, shares, told = *told,
       then = std::move(then)](const TreeAnswer& answer) {
        const bool is_over = answer.error == 0 || answer.error == ESTALE;
        if (is_over) {
          // A file that is removed next stays as long as it was.
          RememberOpen(service, node);
          service.unsettled.Settled(node, told);
        } else {
          service.unsettled.NotSettled(node);
        }
        const int error = is_over ? 0 : answer.error;
        then(error);
        if (shares) EndShared(service, node, error);
      });
}

void SettleAll(Service& service, Patience::Clock::time_point until) {
  constexpr int kMostPasses = 3;  // what is stored meanwhile
  if (service.asking == nullptr) return;
  for (const std::shared_ptr<OpenInode>& file : service.files->TreeFiles()) {
    if (file->writers > 0) NoteMappedStores(service, *file);
  }
  for (int i = 0; i < kMostPasses && Patience::Clock::now() < until; ++i) {
    for (const NodeId node : service.unsettled.Waiting()) {
      if (!IsRemovedHere(service, node)) {
        Settle(service, nullptr, node, [](int) {});
      }
    }
    service.unsettled.AwaitAnswers(until);
  }
}

void RememberOpen(const Service& service, NodeId node) {
  for (const bool read_only : {false, true}) {
    const auto file =
        service.files->Find(Inode{.read_only = read_only}.Of(node));
    if (file != nullptr && file->tree() != nullptr) {
      static_cast<void>(FindOpen(service, *file));
    }
  }
}

void NoteMappedStores(Service& service, OpenInode& file) {
  const auto look = file.tree()->LookAtFile();
  if (!look.has_value()) return;
  const std::int64_t seen = file.seen_mtime_ns.exchange(look->mtime_ns);
  if (look->mtime_ns <= seen) return;
  const NodeId node = Inode::FromKernel(file.shape().node.id).node;
  service.unsettled.Stored(node, 0, 0, look->mtime_ns);
}

void SettleLeftOvers(Service& service) {
  for (const NodeId node : service.unsettled.Waiting()) {
    // Whoever has it open tells it at his close.
    if (service.files->Find(Inode{.read_only = false}.Of(node)) != nullptr) {
      continue;
    }
    TreePlace place;
    if (FindInTree(service, node, place) != 0) {
      service.unsettled.Forget(node);
      continue;
    }
    Settle(service, nullptr, node, [](int) {});
  }
}

void TakeOverSizes(Service& service) {
  DaxDevice& device = *service.devices->primary();
  if (!device.capabilities().has_node_files) return;
  const auto files = device.ListNodeFiles();
  if (!files.ok()) {
    spdlog::warn("what an earlier server has stored is not looked for: {}",
                 Message(files.status()));
    return;
  }
  const Reader::View tree = service.reader->Tree();
  for (const DaxDevice::NodeFile& file : *files) {
    const std::size_t dot = file.name.rfind('.');
    if (dot == std::string::npos) continue;
    const std::string_view digits = std::string_view(file.name).substr(dot + 1);
    TreeId id = kVolumeRoot;
    std::from_chars(digits.data(), digits.data() + digits.size(), id, 16);
    const Node* const volume = tree->FindDirectory(file.name.substr(0, dot));
    if (volume == nullptr || volume->tree == nullptr) continue;
    const Node* const node = tree->FindTreeNode(*volume, id);
    if (node == nullptr || node->is_directory || file.size <= node->size ||
        file.size > node->tree->allocated) {
      continue;
    }
    service.unsettled.Stored(node->id, node->tree->record.truncation, file.size,
                             0);
  }
}

void FollowPieces(Service& service) {
  for (const std::shared_ptr<OpenInode>& file : service.files->TreeFiles()) {
    static_cast<void>(FollowFile(service, *file));  // it was logged
  }
}

}  // namespace famfs
