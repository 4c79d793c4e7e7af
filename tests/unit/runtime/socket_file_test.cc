#include "runtime/socket_file.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "tests/unit/base/status_matchers.h"
#include "tests/unit/base/temporary_directory.h"

namespace famfs {
namespace {

using absl::StatusCode;
using testing::HasError;
using testing::IsOk;
using testing::TemporaryDirectory;

UniqueFd MakeSocket(int type) {
  return UniqueFd(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// A socket that listens at `path`, made by hand.
UniqueFd BindSocket(const std::string& path, int type) {
  UniqueFd fd = MakeSocket(type);
  const auto address = SocketAddress(path);
  EXPECT_THAT(address, IsOk());
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address),
                   sizeof(*address)),
            0);
  EXPECT_EQ(::listen(fd.get(), 1), 0);
  return fd;
}

bool CanConnect(const std::string& path, int type) {
  const UniqueFd fd = MakeSocket(type);
  const auto address = SocketAddress(path);
  return address.ok() &&
         ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address),
                   sizeof(*address)) == 0;
}

// As programs do that share a directory with others.
absl::Status CheckFree(const std::string& path) {
  FAMFS_ASSIGN_OR_RETURN(const SocketState state, ExamineSocket(path));
  if (state == SocketState::kAbsent || state == SocketState::kStale) {
    return absl::OkStatus();
  }
  return FailedPrecondition("{} is not free", path);
}

std::size_t NamesIn(const TemporaryDirectory& directory) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(directory.path()), {}));
}

TEST(SocketAddress, HasAtMost107Bytes) {
  EXPECT_THAT(SocketAddress(std::string(107, 'x')), IsOk());
  EXPECT_THAT(SocketAddress(std::string(108, 'x')),
              HasError(StatusCode::kInvalidArgument, "at most 107 bytes"));
}

TEST(ExamineSocket, TellsWhatHasNothingToDoWithSockets) {
  const TemporaryDirectory directory;
  EXPECT_EQ(*ExamineSocket(directory.File("s")), SocketState::kAbsent);
  std::ofstream(directory.File("f")) << "precious";
  EXPECT_EQ(*ExamineSocket(directory.File("f")), SocketState::kNotSocket);
  std::filesystem::create_directory(directory.File("d"));
  EXPECT_EQ(*ExamineSocket(directory.File("d")), SocketState::kNotSocket);
  std::filesystem::create_symlink("/nowhere", directory.File("l"));
  EXPECT_EQ(*ExamineSocket(directory.File("l")), SocketState::kNotSocket);
}

/// The type of the sockets.
class SocketFileTest : public ::testing::TestWithParam<int> {
 protected:
  absl::StatusOr<std::unique_ptr<SocketFile>> Listen() {
    return SocketFile::Listen(path_, GetParam(), 0600,
                              [this] { return CheckFree(path_); });
  }
  void LeaveStale() { BindSocket(path_, GetParam()).reset(); }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_.File("s");
};
INSTANTIATE_TEST_SUITE_P(Types, SocketFileTest,
                         ::testing::Values(SOCK_STREAM, SOCK_SEQPACKET));

TEST_P(SocketFileTest, TheStateOfOneIsTold) {
  UniqueFd server = BindSocket(path_, GetParam());
  // Nobody accepts: a look may leave a connection in the queue until it is
  // full, and from then on connect(2) says EAGAIN.
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(*ExamineSocket(path_), SocketState::kListening) << i;
  }
  server.reset();  // its process is gone
  EXPECT_EQ(*ExamineSocket(path_), SocketState::kStale);
}

TEST_P(SocketFileTest, ListensWithItsModeWhateverTheUmaskAndGoesWithItsOwner) {
  const mode_t before = ::umask(0777);
  auto file = Listen();
  ::umask(before);
  ASSERT_THAT(file, IsOk());
  struct stat info = {};
  ASSERT_EQ(::lstat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode, S_IFSOCK | 0600U);
  EXPECT_TRUE(CanConnect(path_, GetParam()));
  EXPECT_TRUE((*file)->IsOurs());
  EXPECT_EQ(NamesIn(directory_), 1U);
  file->reset();
  EXPECT_EQ(NamesIn(directory_), 0U);
}

TEST_P(SocketFileTest, AStaleOneIsReplaced) {
  LeaveStale();
  const auto file = Listen();
  ASSERT_THAT(file, IsOk());
  EXPECT_TRUE(CanConnect(path_, GetParam()));
  EXPECT_EQ(NamesIn(directory_), 1U);
}

TEST_P(SocketFileTest, WhatMayNotBeTakenStaysAndNothingIsMade) {
  const auto first = Listen();
  ASSERT_THAT(first, IsOk());
  EXPECT_THAT(Listen(), HasError(StatusCode::kFailedPrecondition,
                                 path_ + " is not free"));
  EXPECT_TRUE((*first)->IsOurs());
  EXPECT_EQ(NamesIn(directory_), 1U);
}

TEST_P(SocketFileTest, OfTwoThatFindAStaleOneOneWins) {
  for (int round = 0; round < 20; ++round) {
    LeaveStale();
    auto other = std::async(std::launch::async, [this] { return Listen(); });
    const auto mine = Listen();
    const auto theirs = other.get();
    ASSERT_NE(mine.ok(), theirs.ok());
    EXPECT_TRUE((mine.ok() ? *mine : *theirs)->IsOurs());
    EXPECT_EQ(NamesIn(directory_), 1U);
  }
}

TEST_P(SocketFileTest, ASuccessorsIsLeftAlone) {
  auto file = Listen();
  ASSERT_THAT(file, IsOk());
  ASSERT_TRUE(std::filesystem::remove(path_));
  const UniqueFd successor = BindSocket(path_, GetParam());
  EXPECT_FALSE((*file)->IsOurs());
  EXPECT_THAT((*file)->Reappear(), HasError(StatusCode::kFailedPrecondition,
                                            "is not this server's"));
  file->reset();
  EXPECT_TRUE(CanConnect(path_, GetParam()));
}

TEST_P(SocketFileTest, OneThatReappearsIsTheSameOne) {
  const auto file = Listen();
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT((*file)->Reappear(), IsOk());
  EXPECT_TRUE((*file)->IsOurs());
  EXPECT_TRUE(CanConnect(path_, GetParam()));
  EXPECT_EQ(NamesIn(directory_), 1U);
}

TEST(SocketFile, WhereNoneCanBeMadeTheDirectoryIsTold) {
  const auto listen = [](const std::string& path) {
    return SocketFile::Listen(path, SOCK_STREAM, 0600,
                              [] { return absl::OkStatus(); });
  };
  EXPECT_THAT(listen("/nowhere/at/all/s"),
              HasError(StatusCode::kUnavailable,
                       "cannot create a socket in /nowhere/at/all/: No such"));
  EXPECT_THAT(listen("/" + std::string(200, 'x')),
              HasError(StatusCode::kInvalidArgument, "too long"));
  // The path itself would do, and nothing else in its directory.
  EXPECT_THAT(listen("/" + std::string(104, 'x') + "/s"),
              HasError(StatusCode::kInvalidArgument, "choose a shorter one"));
}

}  // namespace
}  // namespace famfs
