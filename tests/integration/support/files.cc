#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/integration/support/rig.h"

namespace famfs::rig {
namespace {

std::string MakeTempDir(std::string_view prefix) {
  const char* base = std::getenv("TMPDIR");
  std::string name =
      fmt::format("{}/{}-XXXXXX", base == nullptr ? "/tmp" : base, prefix);
  if (::mkdtemp(name.data()) == nullptr) {
    ADD_FAILURE() << "mkdtemp " << name << ": " << std::strerror(errno);
  }
  return name;
}

// Looked at before a test hides /proc in a namespace of its own.
const std::filesystem::path kSelf =
    std::filesystem::read_symlink("/proc/self/exe");

}  // namespace

std::string Binary(std::string_view name) {
  if (const char* dir = std::getenv("FAMFS_BIN_DIR"); dir != nullptr) {
    return fmt::format("{}/{}", dir, name);
  }
  return (kSelf.parent_path().parent_path() / "bin" / name).string();
}

TempDir::TempDir(std::string_view prefix) : path_(MakeTempDir(prefix)) {}

TempDir::~TempDir() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
  if (error) ADD_FAILURE() << path_ << ": " << error.message();
}

std::string operator/(const TempDir& dir, std::string_view name) {
  return fmt::format("{}/{}", dir.path(), name);
}

Tmpfs::Tmpfs(std::string_view size) {
  std::string options = "mode=0755,huge=always";
  if (!size.empty()) options += fmt::format(",size={}", size);
  if (::mount("tmpfs", path().c_str(), "tmpfs", 0, options.c_str()) != 0) {
    ADD_FAILURE() << "tmpfs on " << path() << ": " << std::strerror(errno);
  }
}

Tmpfs::~Tmpfs() {
  if (::umount2(path().c_str(), MNT_DETACH) != 0) {
    ADD_FAILURE() << "umount " << path() << ": " << std::strerror(errno);
  }
}

std::string operator/(const Tmpfs& tmpfs, std::string_view name) {
  return fmt::format("{}/{}", tmpfs.path(), name);
}

void WriteFile(const std::string& path, std::string_view content) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.close();
  if (!out) ADD_FAILURE() << "cannot write " << path;
}

std::string ReadWholeFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace famfs::rig
