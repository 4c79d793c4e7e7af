// The host's uuid file and the writer's lock file.
#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>
#include <set>
#include <thread>

#include "base/unique_fd.h"
#include "fixture.h"
#include "instance/devices/system_uuid.h"
#include "instance/writer/writer_lock.h"

namespace famfs {
namespace {

using ::testing::HasSubstr;

class IdentityTest : public WriteTest {
 protected:
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(Path(name), std::ios::binary) << text;
  }
};

TEST_F(IdentityTest, AMissingFileIsMadeAsUpstreamMakesIt) {
  const std::string path = Path("opt/famfs/system_uuid");
  const auto made = LoadOrCreateSystemUuid(path);
  ASSERT_OK(made);
  EXPECT_FALSE(made->is_nil());
  EXPECT_EQ(*ReadFile(path), made->ToString() + std::string(1, '\0'));
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0444U);
  EXPECT_EQ(*LoadOrCreateSystemUuid(path), *made);
}

TEST_F(IdentityTest, OnlyTheFirst36CharactersCount) {
  const Uuid uuid = Uuid::Random();
  Write("a", uuid.ToString() + "\n");
  Write("b", uuid.ToString());
  EXPECT_EQ(*LoadOrCreateSystemUuid(Path("a")), uuid);
  EXPECT_EQ(*LoadOrCreateSystemUuid(Path("b")), uuid);
}

TEST_F(IdentityTest, AFileWithoutAUuidIsNamedAndKept) {
  for (const char* text : {"", "no uuid", "3f2504e0-4f89-41d3-9a0c-0305e82"}) {
    Write("bad", text);
    const auto uuid = LoadOrCreateSystemUuid(Path("bad"));
    EXPECT_TRUE(absl::IsInvalidArgument(uuid.status())) << Say(uuid);
    EXPECT_THAT(Say(uuid), HasSubstr(Path("bad")));
    EXPECT_EQ(*ReadFile(Path("bad")), text);
  }
}

TEST_F(IdentityTest, TheEnvironmentNamesAnotherFile) {
  const Uuid uuid = Uuid::Random();
  Write("env", uuid.ToString());
  ASSERT_EQ(::setenv("FAMFS_SYSTEM_UUID_FILE", Path("env").c_str(), 1), 0);
  const auto loaded = LoadOrCreateSystemUuid();
  ::unsetenv("FAMFS_SYSTEM_UUID_FILE");
  ASSERT_OK(loaded);
  EXPECT_EQ(*loaded, uuid);
}

TEST_F(IdentityTest, OfSeveralMakersAtOnceAllGetOneUuid) {
  std::vector<Uuid> seen(4);
  std::vector<std::thread> threads;
  for (Uuid& uuid : seen) {
    threads.emplace_back([&] { uuid = *LoadOrCreateSystemUuid(Path("race")); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::set<Uuid>(seen.begin(), seen.end()).size(), 1U);
}

TEST_F(IdentityTest, TheLockIsPerFileSystemAndGoesWithItsHolder) {
  const Uuid one = Uuid::Random();
  {
    const auto held = WriterLock::Acquire(Path("run/famfs"), one);
    ASSERT_OK(held);
    const auto second = WriterLock::Acquire(Path("run/famfs"), one);
    EXPECT_TRUE(absl::IsUnavailable(second.status()));
    EXPECT_THAT(Say(second), HasSubstr(fmt::format("pid {}", ::getpid())));
    EXPECT_OK(WriterLock::Acquire(Path("run/famfs"), Uuid::Random()));
  }
  EXPECT_OK(WriterLock::Acquire(Path("run/famfs"), one));
}

TEST_F(IdentityTest, ALockDirectoryThatCannotBeMadeIsNamed) {
  Write("file", "");
  const auto lock = WriterLock::Acquire(Path("file/below"), Uuid::Random());
  EXPECT_FALSE(lock.ok());
  EXPECT_THAT(Say(lock), HasSubstr(Path("file/below")));
}

}  // namespace
}  // namespace famfs
