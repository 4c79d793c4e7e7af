// A sysfs of one's own: what a kernel with dax devices would show, in files and
// links below a directory.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dax/dax_bus.h"
#include "tests/unit/base/temporary_directory.h"

namespace famfs::testing {

/// Answers what it was told.
class ToldLibraries final : public DaxLibraries {
 public:
  absl::StatusOr<std::vector<DaxNamespace>> Namespaces() override {
    if (!error.ok()) return error;
    return namespaces;
  }
  std::vector<DaxNamespace> namespaces{};
  absl::Status error{};
};

class MadeUpSysfs {
 public:
  MadeUpSysfs() {
    std::filesystem::create_directories(Path("bus/dax/devices"));
    std::filesystem::create_directories(Path("dev/char"));
    // /dev/zero maps as memory does, and every host has it.
    system_.sysfs = directory_.path();
    system_.libraries = libraries_;
  }

  /// A device as the kernel shows one, with the numbers of /dev/zero, 2 MiB
  /// units and 64 MiB, in devdax mode.
  void Add(const std::string& name, const std::string& number = "1:5",
           const std::string& parent = "devices/platform/region0") {
    const std::string place = parent + "/" + name;
    std::filesystem::create_directories(Path(place));
    Link(place, "bus/dax/devices/" + name);
    Link(place, "dev/char/" + number);
    Write(place + "/dev", number + "\n");
    Set(name, "size", "67108864");
    Set(name, "align", "2097152");
    Set(name, "numa_node", "1");
    SetDriver(name, "device_dax");
  }
  void Set(const std::string& name, const std::string& attribute,
           std::string_view text) const {
    Write("bus/dax/devices/" + name + "/" + attribute,
          std::string(text) + "\n");
  }
  void Unset(const std::string& name, const std::string& attribute) const {
    std::filesystem::remove(Path("bus/dax/devices/" + name + "/" + attribute));
  }
  /// Empty: none.
  void SetDriver(const std::string& name, const std::string& driver) const {
    Unset(name, "driver");
    if (driver.empty()) return;
    std::filesystem::create_directories(Path("bus/dax/drivers/" + driver));
    Link("bus/dax/drivers/" + driver, "bus/dax/devices/" + name + "/driver");
  }
  void Remove(const std::string& name) const {
    std::filesystem::remove_all(
        std::filesystem::canonical(Path("bus/dax/devices/" + name)));
    std::filesystem::remove(Path("bus/dax/devices/" + name));
  }

  void Write(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories(Path(file).parent_path());
    std::ofstream(Path(file)) << text;
  }
  void Link(const std::string& target, const std::string& name) const {
    std::filesystem::create_directories(Path(name).parent_path());
    std::filesystem::remove(Path(name));
    std::filesystem::create_symlink(Path(target), Path(name));
  }

  [[nodiscard]] std::filesystem::path Path(const std::string& below) const {
    return directory_.path() + "/" + below;
  }
  [[nodiscard]] const DaxSystem& system() const { return system_; }
  [[nodiscard]] ToldLibraries& libraries() const { return *libraries_; }
  /// Where nodes are looked for.
  void SetDev(std::string directory) { system_.dev = std::move(directory); }

 private:
  const TemporaryDirectory directory_;
  const std::shared_ptr<ToldLibraries> libraries_ =
      std::make_shared<ToldLibraries>();
  DaxSystem system_;
};

}  // namespace famfs::testing
