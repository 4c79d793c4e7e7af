#include "fuse/server/mailbox_owner.h"

#include <optional>
#include <utility>

#include "instance/mailbox/asker.h"

namespace famfs {
namespace {

class MailboxOwner : public Owner {
 public:
  explicit MailboxOwner(std::unique_ptr<Asker> asker)
      : asker_(std::move(asker)) {}
  Id Ask(TreeRequest request, Done done) override {
    return asker_->Ask(std::move(request), std::move(done));
  }
  void Forget(Id id) override { asker_->Forget(id); }
  void Stop() override { asker_->Stop(); }

 private:
  std::unique_ptr<Asker> asker_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Owner>> AskByMailbox(
    DaxDevice& primary, const HostSession& session) {
  FAMFS_ASSIGN_OR_RETURN(
      std::unique_ptr<Asker> asker,
      Asker::Start(primary, [&session]() -> std::optional<SessionRow> {
        const std::optional<std::size_t> row = session.row();
        if (!row.has_value()) return std::nullopt;
        return SessionRow{*row, session.session()};
      }));
  return std::make_unique<MailboxOwner>(std::move(asker));
}

}  // namespace famfs
