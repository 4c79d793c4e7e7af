// famfs map: a picture of a pool's device: what is used, promised, pending and
// free, and by which file.
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tools/commands/commands.h"
#include "tools/common/local_file.h"
#include "tools/show/map_picture.h"

namespace famfs {
namespace {

constexpr const char* kExamples = R"(
Examples:
  famfs map emulated:/dev/shm/pool
  famfs map emulated:/dev/shm/pool --svg pool.svg      for a browser
  famfs map emulated:/dev/shm/pool --json
Each character is a piece of the device; the legend tells which file each letter
is. A piece that holds several things shows the largest that is not free, so that
nothing is too small to be seen. With colours on a terminal (not when NO_COLOR is
set), plain otherwise.
Exit codes: 0 drawn; 1 the instance could not be read, or the file not written; 2
a wrong command line, or a device that could not be opened.)";

constexpr unsigned kDefaultWidth = 80;  // characters

struct Options {
  std::string device;
  std::string svg;
  std::string color = "auto";
  std::uint64_t index = 0;  // of the device
  unsigned rows = 16;
  unsigned width = 0;  // characters; 0: the terminal's
  bool force = false;
  bool salvage = false;
  bool json = false;
};

unsigned TerminalWidth() {
  struct winsize size {};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 40) {
    return kDefaultWidth;
  }
  return size.ws_col;
}

bool Colored(const std::string& choice) {
  if (choice != "auto") return choice == "always";
  const char* const no_color = std::getenv("NO_COLOR");
  return ::isatty(STDOUT_FILENO) == 1 &&
         (no_color == nullptr || *no_color == '\0');
}

absl::Status WriteSvg(const DeviceMap& map, const Options& options) {
  FAMFS_ASSIGN_OR_RETURN(LocalTarget target,
                         LocalTarget::Create(options.svg, options.force));
  const std::string svg = DrawSvg(map);
  FAMFS_RETURN_IF_ERROR(target.Write(0, std::as_bytes(std::span(svg))));
  FAMFS_RETURN_IF_ERROR(target.Finish(0644));
  fmt::print("{}: {} drawn, {} segments\n", options.svg, map.name,
             map.segments.size());
  return absl::OkStatus();
}

Json ToJson(const DeviceMap& map) {
  Json json = {{"device", JsonText(map.name)},
               {"size", map.size},
               {"segments", Json::array()}};
  for (const Segment& segment : map.segments) {
    Json one = {{"device_index", segment.device_index},
                {"offset", segment.range.offset},
                {"length", segment.range.length},
                {"kind", NameOf(segment.kind)}};
    if (!segment.path.empty()) PutText(one, "path", segment.path);
    json["segments"].push_back(std::move(one));
  }
  return json;
}

absl::StatusOr<ExitCode> Run(const Options& options) {
  FAMFS_ASSIGN_OR_RETURN(const auto reader,
                         OpenReader(options.device, options.salvage));
  const PoolSpace pool = SpaceOf(*reader);
  if (options.index >= pool.devices.size()) {
    return AsUsage(NotFound("{}: has {} device{}, so no device {}",
                            reader->device()->spec(), pool.devices.size(),
                            pool.devices.size() == 1 ? "" : "s",
                            options.index));
  }
  const PoolDevice& device = pool.devices[options.index];
  const DeviceMap map{.name = device.spec.empty()
                                  ? fmt::format("device {} of {}", device.index,
                                                reader->device()->spec())
                                  : device.spec,
                      .size = device.size,
                      .segments = SegmentsOf(pool, device)};
  if (!options.svg.empty()) {
    FAMFS_RETURN_IF_ERROR(WriteSvg(map, options));
  } else if (options.json) {
    Json json = ToJson(map);
    if (options.salvage) json["damage"] = DamageJson(*reader);
    PrintJson(json);
  } else {
    const unsigned width = options.width != 0 ? options.width : TerminalWidth();
    fmt::print("{}", DrawText(map, {.width = width,
                                    .rows = options.rows,
                                    .color = Colored(options.color)}));
  }
  return WholeOrDamaged(*reader);
}

}  // namespace

void AddMap(Command& app, ExitCode& exit) {
  auto options = std::make_shared<Options>();
  Command* command =
      app.add_subcommand("map", "Draw what lies where on the device");
  command->footer(kExamples);
  AddDevice(command, options->device);
  command
      ->add_option("--svg", options->svg,
                   "Write the picture as SVG to this new file instead")
      ->type_name("FILE");
  command->add_flag("-f,--force", options->force,
                    "Replace an SVG file that is there");
  command
      ->add_option("--index", options->index,
                   "Which of several devices; 0 is the primary")
      ->capture_default_str()
      ->type_name("N");
  command->add_option("--rows", options->rows, "Lines of the picture")
      ->within(1, 1000)
      ->capture_default_str()
      ->type_name("N");
  command
      ->add_option("--width", options->width,
                   "Characters of a line. Default: the terminal's, or 80")
      ->within(40, 1000)
      ->type_name("N");
  command->add_option("--color", options->color, "auto, always or never")
      ->one_of({"auto", "always", "never"})
      ->capture_default_str()
      ->type_name("WHEN");
  AddSalvage(command, options->salvage);
  command->add_flag("--json", options->json, "Answer in JSON");
  OnRun(command, options, Run, exit);
}

}  // namespace famfs
