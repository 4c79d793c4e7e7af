#include "tests/integration/tools/golden_fields.h"

#include <fstream>
#include <regex>
#include <stdexcept>

namespace famfs {
namespace {

using nlohmann::json;

class Parser {
 public:
  void Line(const std::string& line) {
    line_ = line;
    for (const auto& [pattern, handle] : kForms) {
      if (std::regex_match(line, match_, std::regex(pattern))) {
        (this->*handle)();
        return;
      }
    }
    throw std::runtime_error("unknown line in the description: " + line);
  }
  std::vector<ExpectedField> fields;

 private:
  using Handle = void (Parser::*)();

  [[nodiscard]] std::string Text(std::size_t group) const {
    return match_[group].str();
  }
  /// Decimal, 0x.. or 0o..
  static std::uint64_t Number(const std::string& text) {
    if (text.starts_with("0o")) return std::stoull(text.substr(2), nullptr, 8);
    return std::stoull(text, nullptr, text.starts_with("0x") ? 16 : 10);
  }
  void Expect(const std::string& pointer, json value) {
    fields.push_back({pointer, std::move(value), line_});
  }
  void ExpectNumber(const std::string& pointer, std::size_t group) {
    Expect(pointer, Number(Text(group)));
  }
  /// The number, and the text as the description has it.
  void ExpectHex(const std::string& pointer, std::size_t group) {
    ExpectNumber(pointer, group);
    Expect(pointer + "_hex", Text(group));
  }
  void ExpectPad(const std::string& pointer, std::size_t group) {
    Expect(pointer, std::stoull(Text(group), nullptr, 16));
    Expect(pointer + "_hex", Text(group));
  }

  void Superblock() {
    const char* const keys[] = {"magic", "version", "log_offset", "log_len",
                                "alloc_unit"};
    for (std::size_t i = 0; i < std::size(keys); ++i) {
      ExpectHex(std::string("/superblock/") + keys[i], i + 1);
    }
    ExpectNumber("/superblock/omf_major", 6);
    ExpectNumber("/superblock/omf_minor", 7);
  }
  void Uuids() {
    Expect("/superblock/uuid", Text(1));
    Expect("/superblock/dev_uuid", Text(2));
    Expect("/superblock/sys_uuid", Text(3));
  }
  void SuperblockCrc() {
    ExpectHex("/superblock/crc", 1);
    ExpectHex("/superblock/crc_calc", 2);
  }
  void Device() {
    ExpectNumber("/superblock/flags", 1);
    ExpectPad("/superblock/pad", 2);
    ExpectNumber("/superblock/dd_size", 3);
    std::string uuid = Text(4);
    for (const std::size_t at : {8U, 13U, 18U, 23U}) uuid.insert(at, "-");
    Expect("/superblock/dd_uuid", uuid);
    Expect("/superblock/dd_daxdev", Text(5));
  }
  void Log() {
    ExpectHex("/log/magic", 1);
    ExpectNumber("/log/len", 2);
    ExpectNumber("/log/last_index", 3);
    ExpectHex("/log/crc", 4);
    ExpectHex("/log/crc_calc", 5);
    ExpectNumber("/log/next_seq", 6);
    ExpectNumber("/log/next_idx", 7);
  }
  void Entry() {
    entry_ = "/entries/" + Text(1);
    extents_ = 0;
    ExpectNumber(entry_ + "/index", 1);
    ExpectNumber(entry_ + "/seq", 2);
    ExpectNumber(entry_ + "/type", 3);
    ExpectPad(entry_ + "/pad", 4);
    ExpectHex(entry_ + "/crc", 5);
    ExpectHex(entry_ + "/crc_calc", 6);
  }
  void Mkdir() {
    Expect(entry_ + "/type_name", "mkdir");
    ExpectNumber(entry_ + "/mkdir/uid", 1);
    ExpectNumber(entry_ + "/mkdir/gid", 2);
    ExpectNumber(entry_ + "/mkdir/mode", 3);
    Expect(entry_ + "/mkdir/mode_octal", Text(3));
    Expect(entry_ + "/mkdir/path", Text(4));
  }
  void File() {
    const std::string file = entry_ + "/file";
    Expect(entry_ + "/type_name", "file");
    ExpectNumber(file + "/size", 1);
    ExpectNumber(file + "/flags", 2);
    ExpectNumber(file + "/uid", 3);
    ExpectNumber(file + "/gid", 4);
    ExpectNumber(file + "/mode", 5);
    Expect(file + "/mode_octal", Text(5));
    Expect(file + "/path", Text(6));
    ExpectNumber(file + "/ext_type", 7);
    ExpectPad(file + "/ext_pad", 8);
    ExpectNumber(file + "/nextents", 9);
    ExpectPad(file + "/nextents_pad", 10);
  }
  void Extent(const std::string& list) {
    const std::string extent =
        entry_ + "/file/" + list + "/" + std::to_string(extents_++);
    ExpectNumber(extent + "/device", 1);
    ExpectHex(extent + "/offset", 2);
    ExpectHex(extent + "/length", 3);
  }
  void Simple() { Extent("extents"); }
  void Strip() { Extent("strips"); }
  void Interleave() {
    ExpectNumber(entry_ + "/file/nstrips", 1);
    ExpectHex(entry_ + "/file/chunk", 2);
  }
  /// The description lists the last twelve offsets.
  void Nonzero() { Expect(entry_ + "/nonzero", json::parse(Text(1))); }

  static const std::vector<std::pair<const char*, Handle>> kForms;
  std::string line_;
  std::string entry_;
  std::size_t extents_ = 0;
  std::smatch match_;
};

#define NUMBER "((?:0x|0o)?[0-9a-f]+)"
#define TRIPLE "\\['" NUMBER "', '" NUMBER "', '" NUMBER "'\\]"
const std::vector<std::pair<const char*, Parser::Handle>> Parser::kForms = {
    {"superblock: \\{'magic': '" NUMBER "', 'version': '" NUMBER
     "', 'log_offset': '" NUMBER "', 'log_len': '" NUMBER
     "', 'alloc_unit': '" NUMBER "'\\} omf \\((\\d+), (\\d+)\\)",
     &Parser::Superblock},
    {" uuid ([-0-9a-f]+) dev ([-0-9a-f]+) sys ([-0-9a-f]+)", &Parser::Uuids},
    {" crc stored " NUMBER " calc crc32\\(sb\\[0:96\\]\\)=" NUMBER,
     &Parser::SuperblockCrc},
    {" flags (\\d+) pad104\\.\\. ([0-9a-f]{8}) dd_size (\\d+) dd_uuid "
     "([0-9a-f]{32}) dd_daxdev b'(.*)'",
     &Parser::Device},
    {"log: magic " NUMBER " len (\\d+) last_index (\\d+) crc " NUMBER
     " calc " NUMBER " next_seq (\\d+) next_idx (\\d+)",
     &Parser::Log},
    {"entry (\\d+) seq (\\d+) type (\\d+) pad ([0-9a-f]{8}) crc " NUMBER
     " calc " NUMBER,
     &Parser::Entry},
    {"   mkdir uid,gid,mode " TRIPLE " path b'(.*)'", &Parser::Mkdir},
    {"   file size (\\d+) flags (\\d+) uid (\\d+) gid (\\d+) mode " NUMBER
     " path b'(.*)' ext_type (\\d+) pad ([0-9a-f]{8}) nextents (\\d+) pad "
     "([0-9a-f]{8})",
     &Parser::File},
    {"    se " TRIPLE, &Parser::Simple},
    {"    ie nstrips (\\d+) chunk " NUMBER, &Parser::Interleave},
    {"    strip " TRIPLE, &Parser::Strip},
    {"    bytes nonzero ranges: (\\[.*\\])", &Parser::Nonzero},
};
#undef TRIPLE
#undef NUMBER

}  // namespace

std::vector<ExpectedField> ReadGoldenFields(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  Parser parser;
  for (std::string line; std::getline(file, line);) parser.Line(line);
  return parser.fields;
}

}  // namespace famfs
