#include "fuse/server/mailbox_owner.h"

#include <optional>
#include <utility>

#include "base/mutex.h"
#include "instance/mailbox/asker.h"
#include "instance/mailbox/claims_writer.h"

namespace famfs {
namespace {

class MailboxOwner : public Owner {
 public:
  MailboxOwner(std::unique_ptr<Asker> asker, ClaimsWriter claims,
               const HostSession& session)
      : asker_(std::move(asker)),
        claims_(std::move(claims)),
        session_(session) {}
  Id Ask(TreeRequest request, Done done) override {
    return asker_->Ask(std::move(request), std::move(done));
  }
  void Forget(Id id) override { asker_->Forget(id); }
  void Stop() override { asker_->Stop(); }
  [[nodiscard]] std::optional<MailboxPlace> Place() const override {
    const std::optional<std::size_t> row = session_.row();
    if (!row.has_value()) return std::nullopt;
    return MailboxPlace{*row, session_.session()};
  }
  bool StoreClaims(const MailboxPlace& place,
                   const AppendClaimBits& files) override {
    const MutexLock lock(mutex_);
    return claims_.Store(place.row, place.session, files);
  }

 private:
  std::unique_ptr<Asker> asker_;
  Mutex mutex_;
  ClaimsWriter claims_ ABSL_GUARDED_BY(mutex_);
  const HostSession& session_;
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
  FAMFS_ASSIGN_OR_RETURN(ClaimsWriter claims, ClaimsWriter::Open(primary));
  // What stands in the row may be damaged, and would claim all files.
  if (const std::optional<std::size_t> row = session.row(); row.has_value()) {
    static_cast<void>(claims.Store(*row, session.session(), {}));
  }
  return std::make_unique<MailboxOwner>(std::move(asker), std::move(claims),
                                        session);
}

}  // namespace famfs
