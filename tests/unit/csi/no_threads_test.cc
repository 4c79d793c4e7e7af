// What starts a thread where there is none to be had says so; nothing ends the
// process.
#include <gtest/gtest.h>

#include "csi/process/end_limit.h"
#include "csi/rpc/acceptor.h"
#include "csi/rpc/listener.h"
#include "csi/telemetry/http_server.h"
#include "tests/unit/base/no_threads.h"

namespace famfs::csi {
namespace {

using ::famfs::testing::ExitWithoutThreads;
using ::testing::ExitedWithCode;

class NoThreads : public ::testing::Test {
 protected:
  NoThreads() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

Endpoint AnyPort() { return *ParseEndpoint("tcp://127.0.0.1:0"); }

TEST_F(NoThreads, ForConnections) {
  EXPECT_EXIT(ExitWithoutThreads([]() -> absl::Status {
                FAMFS_ASSIGN_OR_RETURN(auto listener,
                                       Listener::Open(AnyPort()));
                return Acceptor::Start(std::move(listener), {},
                                       [](const UniqueFd& /*fd*/) {})
                    .status();
              }),
              ExitedWithCode(0), "a thread cannot be started");
}

TEST_F(NoThreads, ForHttp) {
  EXPECT_EXIT(ExitWithoutThreads(
                  [] { return HttpServer::Start(AnyPort(), {}).status(); }),
              ExitedWithCode(0), "a thread cannot be started");
}

TEST_F(NoThreads, ForTheEnd) {
  EXPECT_EXIT(ExitWithoutThreads(
                  [] { return EndLimit::Start([] { return ""; }).status(); }),
              ExitedWithCode(0), "a thread cannot be started");
}

}  // namespace
}  // namespace famfs::csi
