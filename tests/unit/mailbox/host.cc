#include "host.h"
#include "instance/devices/mailbox_store.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace famfs {

Host::Host(std::shared_ptr<DaxDevice> device, std::uint32_t session,
           AskerOptions options)
    : device_(std::move(device)) {
  auto registered = HostSession::Register(
      *device_, {.host = Uuid::Random(), .boot = 7, .session = session});
  EXPECT_OK(registered);
  session_ = *std::move(registered);
  auto asker = Asker::Start(
      *device_,
      [held = session_.get()]() -> std::optional<SessionRow> {
        const std::optional<std::size_t> row = held->row();
        if (!row) return std::nullopt;
        return SessionRow{.row = *row, .session = held->session()};
      },
      options);
  EXPECT_OK(asker);
  asker_ = *std::move(asker);
}

Reply Host::Ask(TreeRequest request) {
  auto promise = std::make_shared<std::promise<TreeAnswer>>();
  Reply reply;
  reply.future_ = promise->get_future();
  reply.id = asker_->Ask(
      std::move(request),
      [promise](const TreeAnswer& answer) { promise->set_value(answer); });
  return reply;
}

void MailboxTest::TearDown() {
  EndOwner();
  WriteTest::TearDown();
}

void MailboxTest::StartTree(Kind kind) {
  ASSERT_NO_FATAL_FAILURE(Start(kind));
  VolumeAttributes attributes = Attributes("pvc-tree", 256 * kMiB);
  attributes.layout = VolumeLayout::kTree;
  ASSERT_OK(writer_->CreateVolume(kVolume, attributes, {}));
}

void MailboxTest::Answer() {
  auto answerer = Answerer::Start(*writer_);
  ASSERT_OK(answerer);
  answerer_ = *std::move(answerer);
}

void MailboxTest::EndOwner() {
  answerer_.reset();
  writer_.reset();
}

void MailboxTest::RestartOwner() {
  EndOwner();
  ASSERT_NO_FATAL_FAILURE(Open());
  Answer();
}

std::unique_ptr<Host> MailboxTest::AddHost(std::uint32_t session,
                                           AskerOptions options) {
  return std::make_unique<Host>(OpenAgain(), session, options);
}

std::vector<std::string> MailboxTest::Names() const {
  const Reader::View tree = writer_->Tree();
  std::vector<std::string> names;
  for (const Node& child : tree->Children(*tree->FindDirectory(kVolume))) {
    names.emplace_back(child.name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

TreeId MailboxTest::IdOf(const std::string& name) const {
  const Reader::View tree = writer_->Tree();
  const Node* node = tree->Lookup(tree->FindDirectory(kVolume)->id, name);
  return node == nullptr ? 0 : node->tree->id;
}

std::uint32_t MailboxTest::ModeOf(const std::string& name) const {
  const Reader::View tree = writer_->Tree();
  const Node* node = tree->Lookup(tree->FindDirectory(kVolume)->id, name);
  return node == nullptr ? 0 : node->owner.mode;
}

std::uint64_t MailboxTest::SizeOf(const std::string& name) const {
  const Reader::View tree = writer_->Tree();
  const Node* node = tree->Lookup(tree->FindDirectory(kVolume)->id, name);
  return node == nullptr ? 0 : node->tree->record.size;
}

Layout MailboxTest::OpenLayout() {
  auto layout = Layout::Open(*device_, Access::kReadWrite);
  EXPECT_OK(layout);
  return *std::move(layout);
}

std::uint64_t MailboxTest::Asked(std::size_t row) {
  const Layout layout = OpenLayout();
  const auto head = LoadMailboxHead(layout.head(), row, MailboxSide::kRequest,
                                    layout.superblock().fs_uuid);
  return head.ok() && head->has_value() ? (*head)->number : 0;
}

std::uint64_t MailboxTest::AwaitAsked(std::size_t row, std::uint64_t above) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < end) {
    if (const std::uint64_t number = Asked(row); number > above) return number;
    std::this_thread::yield();
  }
  ADD_FAILURE() << "nothing is asked in row " << row;
  return 0;
}

}  // namespace famfs
