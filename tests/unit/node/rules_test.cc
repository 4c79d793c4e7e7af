// The decisions that need no mount: data paths, writers, the ready line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/fused/fused.h"
#include "node/volumes/attachments.h"

namespace famfs::node {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Volume Asking(DataPath data_path) {
  return Volume{.id = {.instance = "aaaaaaaa", .directory = "v1"},
                .size = 2 << 20,
                .data_path = data_path,
                .sealed = false};
}

TEST(DataPathRule, NothingLessThanAskedForIsServed) {
  using enum DataPath;
  struct Case {
    DataPath asked;
    DataPath served;
    bool allowed;
  };
  for (const Case& c :
       {Case{kAuto, kCopy, true}, Case{kAuto, kPassthrough, true},
        Case{kCopy, kCopy, true}, Case{kCopy, kPassthrough, true},
        Case{kPassthrough, kPassthrough, true}, Case{kPassthrough, kFmap, true},
        Case{kPassthrough, kCopy, false}, Case{kFmap, kPassthrough, false},
        Case{kFmap, kCopy, false}, Case{kFmap, kFmap, true}}) {
    const absl::Status status = CheckDataPath(Asking(c.asked), c.served);
    EXPECT_EQ(status.ok(), c.allowed)
        << ToString(c.asked) << " over " << ToString(c.served);
    if (c.allowed) continue;
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(Message(status)),
                AllOf(HasSubstr(std::string(ToString(c.asked))),
                      HasSubstr(std::string(ToString(c.served)))));
  }
}

TEST(WritersRule, CopyHasNoWritersOnSeveralNodes) {
  EXPECT_EQ(CheckWriters(true, false, DataPath::kCopy).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(CheckWriters(true, true, DataPath::kCopy).ok());
  EXPECT_TRUE(CheckWriters(false, false, DataPath::kCopy).ok());
  EXPECT_TRUE(CheckWriters(true, false, DataPath::kPassthrough).ok());
}

TEST(ReadyLine, NamesTheDataPath) {
  const auto path = ParseServedPath("ready passthrough\n");
  ASSERT_TRUE(path.ok()) << Message(path.status());
  EXPECT_EQ(*path, DataPath::kPassthrough);
}

TEST(ReadyLine, AnErrorIsToldInTheServersWords) {
  const auto path = ParseServedPath("error: /dev/dax0.0: busy\n");
  EXPECT_EQ(path.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(Message(path.status())),
              HasSubstr("/dev/dax0.0: busy"));
}

TEST(ReadyLine, NoLineAndAnotherLineAreErrors) {
  EXPECT_FALSE(ParseServedPath("").ok());
  EXPECT_FALSE(ParseServedPath("ready").ok());
  EXPECT_FALSE(ParseServedPath("ready sideways\n").ok());
  EXPECT_FALSE(ParseServedPath("hello\n").ok());
}

}  // namespace
}  // namespace famfs::node
