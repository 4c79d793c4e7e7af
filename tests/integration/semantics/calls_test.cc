// What CSI calls promise: examples 18, 19, 23 and 24.
#include "tests/integration/semantics/fixture.h"

namespace famfs::semantics {
namespace {

TEST_F(Semantics, Example18_ACallMadeTwiceIsACallMadeOnce) {
  const auto first = Create("claim");
  ASSERT_TRUE(first.ok()) << Message(first.status());
  const auto second = Create("claim");
  ASSERT_TRUE(second.ok()) << Message(second.status());
  EXPECT_EQ(first->volume_id(), second->volume_id());
  EXPECT_THAT(Create("claim", {.required = 2 * kSize}).status(),
              HasCode(StatusCode::kAlreadyExists));

  const std::string& id = first->volume_id();
  const std::string target = a().TargetPath("pod");
  EXPECT_THAT(Publish(a(), id, target),
              HasCode(StatusCode::kFailedPrecondition));  // not staged
  for (int i = 0; i < 2; ++i) EXPECT_THAT(Stage(a(), id), IsOk());
  for (int i = 0; i < 2; ++i) EXPECT_THAT(Publish(a(), id, target), IsOk());
  EXPECT_THAT(Publish(a(), id, target, {.readonly = true}),
              HasCode(StatusCode::kAlreadyExists));
  for (int i = 0; i < 2; ++i) EXPECT_THAT(Unpublish(a(), id, target), IsOk());
  for (int i = 0; i < 2; ++i) EXPECT_THAT(Unstage(a(), id), IsOk());
  for (int i = 0; i < 2; ++i) EXPECT_THAT(Delete(id), IsOk());
  EXPECT_THAT(Delete("never-heard-of"), IsOk());
  EXPECT_THAT(Stage(a(), id), HasCode(StatusCode::kNotFound));
}

TEST_F(Semantics, Example19_CapacityIsRoundedUpTo2MiB) {
  const auto capacity = [this](const std::string& name,
                               const CreateOptions& options) -> std::uint64_t {
    const auto volume = Create(name, options);
    EXPECT_TRUE(volume.ok()) << Message(volume.status());
    return volume.ok() ? static_cast<std::uint64_t>(volume->capacity_bytes())
                       : 0;
  };
  EXPECT_EQ(capacity("one-byte", {.required = 1}), 2 * kMiB);
  EXPECT_EQ(capacity("five", {.required = 5 * kMiB}), 6 * kMiB);
  EXPECT_EQ(capacity("limited", {.required = 0, .limit = 5 * kMiB}), 4 * kMiB);
  EXPECT_EQ(capacity("unsaid", {.range = false}), kGiB);
  EXPECT_THAT(
      Create("between", {.required = 3 * kMiB, .limit = 3 * kMiB}).status(),
      HasCode(StatusCode::kOutOfRange));
  EXPECT_THAT(Create("huge", {.required = kTiB}).status(),
              HasCode(StatusCode::kOutOfRange));
}

TEST_F(Semantics, Example23_NothingLessThanTheNamedDataPathIsServed) {
  const auto create = [this](const std::string& path, Mode::Mode mode) {
    return Create("claim-" + path,
                  {.parameters = {{"dataPath", path}}, .mode = mode})
        .status();
  };
  EXPECT_THAT(create("fmap", Mode::SINGLE_NODE_WRITER),
              HasCode(StatusCode::kInvalidArgument));
  EXPECT_THAT(create("copy", Mode::MULTI_NODE_MULTI_WRITER),
              HasCode(StatusCode::kInvalidArgument));
  const auto volume =
      Create("claim", {.parameters = {{"dataPath", "passthrough"}}});
  ASSERT_TRUE(volume.ok()) << Message(volume.status());
  EXPECT_THAT(
      Stage(a(), volume->volume_id()),
      HasCode(cluster().passes_through() ? StatusCode::kOk
                                         : StatusCode::kFailedPrecondition));
}

TEST_F(Semantics, Example24_AccessModesThatNobodyCouldKeepAreRefused) {
  EXPECT_THAT(
      Create("claim", {.mode = Mode::MULTI_NODE_SINGLE_WRITER}).status(),
      HasCode(StatusCode::kInvalidArgument));
  EXPECT_THAT(Create("claim", {.block = true}).status(),
              HasCode(StatusCode::kInvalidArgument));
  const PublishOptions one = {.mode = Mode::SINGLE_NODE_WRITER};
  const std::string id = NewVolume("claim", {.mode = Mode::SINGLE_NODE_WRITER});
  Mount(a(), id, "first", one);
  EXPECT_THAT(Publish(a(), id, a().TargetPath("second"), one),
              HasCode(StatusCode::kFailedPrecondition));
  // Between nodes it is a convention: nothing refuses the second node.
  Mount(b(), id, "elsewhere", one);
}

}  // namespace
}  // namespace famfs::semantics
