// The page and these tests have the same examples.
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

#include "tests/integration/support/rig.h"

namespace famfs::semantics {
namespace {

constexpr std::string_view kHeading = "### ";
constexpr std::string_view kTest = "Example";

// "### 7. Title" is example 7.
std::multiset<int> NumbersOfThePage() {
  std::istringstream page(rig::ReadWholeFile(FAMFS_SEMANTICS_PAGE));
  std::multiset<int> numbers;
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with(kHeading)) continue;
    const int number = std::atoi(line.c_str() + kHeading.size());
    if (number > 0) numbers.insert(number);
  }
  return numbers;
}

std::multiset<int> NumbersOfTheTests() {
  std::multiset<int> numbers;
  const auto& program = *::testing::UnitTest::GetInstance();
  for (int i = 0; i < program.total_test_suite_count(); ++i) {
    const auto& suite = *program.GetTestSuite(i);
    for (int j = 0; j < suite.total_test_count(); ++j) {
      const std::string_view name = suite.GetTestInfo(j)->name();
      if (!name.starts_with(kTest)) continue;
      numbers.insert(std::atoi(name.data() + kTest.size()));
    }
  }
  return numbers;
}

TEST(SemanticsPage, EachExampleHasItsTestAndEachTestItsExample) {
  const std::multiset<int> page = NumbersOfThePage();
  EXPECT_EQ(page, NumbersOfTheTests());
  ASSERT_FALSE(page.empty()) << FAMFS_SEMANTICS_PAGE;
  EXPECT_EQ(*page.begin(), 1);
  EXPECT_EQ(*page.rbegin(), static_cast<int>(page.size())) << "a gap, or two";
}

}  // namespace
}  // namespace famfs::semantics
