#include "base/descriptor_message.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <iterator>

namespace famfs {
namespace {

std::ptrdiff_t OpenDescriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

class DescriptorMessageTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    std::array<int, 2> pair = {};
    ASSERT_EQ(::socketpair(AF_UNIX, GetParam() | SOCK_CLOEXEC, 0, pair.data()),
              0);
    here_.reset(pair[0]);
    there_.reset(pair[1]);
  }
  UniqueFd here_;
  UniqueFd there_;
};

TEST_P(DescriptorMessageTest, BringsWhatWasSent) {
  const UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::array<int, 2> two = {file.get(), there_.get()};
  ASSERT_TRUE(SendDescriptors(here_.get(), "two", two).ok());
  ASSERT_TRUE(SendDescriptors(here_.get(), "none", {}).ok());
  auto message = ReceiveDescriptors(there_.get(), 16);
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->text, "two");
  ASSERT_EQ(message->descriptors.size(), 2U);
  EXPECT_NE(::fcntl(message->descriptors[0].get(), F_GETFD) & FD_CLOEXEC, 0);
  message = ReceiveDescriptors(there_.get(), 16);
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->text, "none");
  EXPECT_TRUE(message->descriptors.empty());
  here_.reset();
  EXPECT_TRUE(
      absl::IsOutOfRange(ReceiveDescriptors(there_.get(), 16).status()));
}

TEST_P(DescriptorMessageTest, NoneStaysOpenOfAMessageThatIsRefused) {
  constexpr std::size_t kTooMany = 5;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kTooMany)>
      control = {};
  char byte = 'x';
  iovec part = {.iov_base = &byte, .iov_len = 1};
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* const item = CMSG_FIRSTHDR(&header);
  item->cmsg_level = SOL_SOCKET;
  item->cmsg_type = SCM_RIGHTS;
  item->cmsg_len = CMSG_LEN(sizeof(int) * kTooMany);
  for (std::size_t i = 0; i < kTooMany; ++i) {
    const int fd = here_.get();
    std::memcpy(CMSG_DATA(item) + i * sizeof(int), &fd, sizeof(int));
  }
  const auto before = OpenDescriptors();
  ASSERT_EQ(::sendmsg(here_.get(), &header, 0), 1);
  EXPECT_TRUE(
      absl::IsInvalidArgument(ReceiveDescriptors(there_.get(), 16).status()));
  EXPECT_EQ(OpenDescriptors(), before);
}

TEST_P(DescriptorMessageTest, TooManyAreNotSent) {
  const std::array<int, 3> three = {here_.get(), here_.get(), here_.get()};
  EXPECT_TRUE(
      absl::IsInvalidArgument(SendDescriptors(here_.get(), "x", three)));
}

INSTANTIATE_TEST_SUITE_P(Sockets, DescriptorMessageTest,
                         ::testing::Values(SOCK_STREAM, SOCK_SEQPACKET),
                         [](const auto& kind) {
                           return kind.param == SOCK_STREAM ? "stream"
                                                            : "seqpacket";
                         });

}  // namespace
}  // namespace famfs
