// Owners and modes.
#include <gtest/gtest.h>

#include "csi/config/owner.h"
#include "tests/unit/csi/support.h"

namespace famfs::csi {
namespace {

TEST(Owner, IdsAreDecimalAndNeverMinusOne) {
  EXPECT_EQ(*ParseOwnerId("0"), 0U);
  EXPECT_EQ(*ParseOwnerId("4294967294"), 4294967294U);
  for (const char* bad : {"", "-1", "4294967295", "1x", " 1", "0x10", "1.0"}) {
    ExpectError(ParseOwnerId(bad).status(), absl::StatusCode::kInvalidArgument,
                "decimal");
  }
}

TEST(Owner, ModesAreOctalPermissionBits) {
  EXPECT_EQ(*ParseMode("0770"), 0770U);
  EXPECT_EQ(*ParseMode("770"), 0770U);
  EXPECT_EQ(*ParseMode("0"), 0U);
  for (const char* bad : {"", "1777", "778", "0o770", "-7", "rwx"}) {
    ExpectError(ParseMode(bad).status(), absl::StatusCode::kInvalidArgument,
                "octal");
  }
}

}  // namespace
}  // namespace famfs::csi
