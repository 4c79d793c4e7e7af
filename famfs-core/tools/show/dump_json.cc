#include "tools/show/dump_json.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "media/checksum.h"
#include "media/node_record.h"
#include "media/region.h"
#include "media/volume_attributes.h"
#include "tools/common/tree.h"

namespace famfs {
namespace {

void AddHex(Json& json, const std::string& key, std::uint64_t value) {
  json[key] = value;
  json[key + "_hex"] = fmt::format("{:#x}", value);
}

/// A pad or a reserved word: people look for a byte that is not zero.
void AddPad(Json& json, const std::string& key, std::uint32_t value) {
  json[key] = value;
  json[key + "_hex"] = fmt::format("{:08x}", value);
}

void AddMode(Json& json, std::uint32_t mode) {
  json["mode"] = mode;
  json["mode_octal"] = fmt::format("0o{:o}", mode);
}

template <typename T>
std::span<const std::byte> BytesOf(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

void AddPath(Json& json, const char (&field)[kPathField]) {
  json["path"] = JsonText(PathFromField(field));
  json["path_hex"] = TrimmedHex(BytesOf(field));
}

/// What lies in an entry's union from `used` bytes on.
void AddUnused(Json& json, const MediaEntry& entry, std::size_t used) {
  const auto rest = std::span(entry.raw).subspan(used);
  json["unused_offset"] = offsetof(MediaEntry, raw) + used;
  json["unused_length"] = rest.size();
  json["unused_hex"] = TrimmedHex(rest);
}

Json ExtentJson(const MediaExtent& extent) {
  Json json;
  json["device"] = extent.device_index;
  AddHex(json, "offset", extent.offset);
  AddHex(json, "length", extent.length);
  return json;
}

Json ExtentsJson(const MediaExtent (&extents)[16], std::uint64_t count) {
  Json json = Json::array();
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(count, 16); ++i) {
    json.push_back(ExtentJson(extents[i]));
  }
  return json;
}

/// Of what is spelt like a piece of a tree volume's file; null for others.
Json PieceJson(const MediaFile& file) {
  const std::string_view path = PathFromField(file.path);
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return nullptr;
  const auto name = ParseTreeName(path.substr(slash + 1));
  const auto deletion = DeletionNumberOf(file);
  if (!name || !name->piece || !deletion.ok()) return nullptr;
  return {{"node", fmt::format("{:016x}", name->id)},
          {"number", *name->piece},
          {"state", *deletion == 0 ? "live" : "dead"},
          {"deletion_number", *deletion}};
}

Json FileJson(const MediaEntry& entry) {
  const MediaFile& file = entry.file;
  Json json = {{"size", file.size},
               {"flags", file.flags},
               {"uid", file.uid},
               {"gid", file.gid}};
  AddMode(json, file.mode);
  AddPath(json, file.path);
  json["ext_type"] = file.extent_type;
  AddPad(json, "ext_pad", file.pad0);
  json["nextents"] = file.extent_count;
  AddPad(json, "nextents_pad", file.pad1);
  // Bytes of the union that the type and its count use.
  std::size_t used = offsetof(MediaFile, extents);
  switch (static_cast<ExtentType>(file.extent_type)) {
    case ExtentType::kSimple:
      json["extents"] = ExtentsJson(file.extents, file.extent_count);
      used += json["extents"].size() * sizeof(MediaExtent);
      break;
    case ExtentType::kInterleaved:
      json["nstrips"] = file.interleave.strips_used;
      AddHex(json, "chunk", file.interleave.chunk);
      json["strips"] =
          ExtentsJson(file.interleave.strips, file.interleave.strips_used);
      used += offsetof(MediaInterleave, strips) +
              json["strips"].size() * sizeof(MediaExtent);
      break;
  }
  json["piece"] = PieceJson(file);
  AddUnused(json, entry, used);
  return json;
}

Json MkdirJson(const MediaEntry& entry) {
  const MediaMkdir& mkdir = entry.mkdir;
  Json json = {{"uid", mkdir.uid}, {"gid", mkdir.gid}};
  AddMode(json, mkdir.mode);
  AddPath(json, mkdir.path);
  const auto volume = DecodeVolumeAttributes(mkdir);
  if (!volume.ok()) {
    json["volume"] = {{"problem", JsonText(Message(volume.status()))}};
  } else {
    json["volume"] = *volume ? VolumeJson(**volume) : Json(nullptr);
  }
  const auto node = DecodeNodeRecord(mkdir);
  if (!node.ok()) {
    json["node"] = {{"problem", JsonText(Message(node.status()))}};
  } else {
    json["node"] = *node ? NodeJson(**node) : Json(nullptr);
  }
  json["extension_hex"] = TrimmedHex(mkdir.extension);
  AddUnused(json, entry, sizeof(MediaMkdir));
  return json;
}

Json AddDaxdevJson(const MediaEntry& entry) {
  const MediaAddDaxdev& device = entry.add_daxdev;
  Json json = {{"size", device.size},
               {"uuid", device.device_uuid.ToString()},
               {"device", device.index}};
  AddPad(json, "device_pad", device.pad);
  AddUnused(json, entry, sizeof(MediaAddDaxdev));
  return json;
}

Json OffsetsOfNonzero(std::span<const std::byte> bytes) {
  Json offsets = Json::array();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != std::byte{0}) offsets.push_back(i);
  }
  return offsets;
}

template <typename Record>
Json RecordJson(const absl::StatusOr<std::optional<Record>>& record) {
  if (!record.ok()) {
    return {{"problem", JsonText(Message(record.status()))}};
  }
  if (!*record) return nullptr;
  Json json = {{"sequence", (*record)->sequence},
               {"generation", (*record)->generation}};
  if constexpr (std::is_same_v<Record, StateRecord>) {
    json["writer_epoch"] = (*record)->writer_epoch;
    json["writer_host"] = (*record)->writer_host.ToString();
    json["last_deletion"] = (*record)->last_deletion;
  } else {
    AddHex(json, "offset", (*record)->offset);
    AddHex(json, "length", (*record)->length);
    AddHex(json, "image_crc", (*record)->image_crc);
  }
  return json;
}

}  // namespace

std::string TrimmedHex(std::span<const std::byte> bytes) {
  std::size_t size = bytes.size();
  while (size > 0 && bytes[size - 1] == std::byte{0}) --size;
  std::string text;
  text.reserve(size * 2);
  for (const std::byte byte : bytes.first(size)) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    text += kDigits[std::to_integer<unsigned>(byte) >> 4];
    text += kDigits[std::to_integer<unsigned>(byte) & 15U];
  }
  return text;
}

Json ToJson(const MediaSuperblock& super) {
  Json json;
  AddHex(json, "magic", super.magic);
  AddHex(json, "version", super.version);
  AddHex(json, "log_offset", super.log_offset);
  AddHex(json, "log_len", super.log_length);
  AddHex(json, "alloc_unit", super.alloc_unit);
  json["omf_major"] = super.omf_major;
  json["omf_minor"] = super.omf_minor;
  json["uuid"] = super.fs_uuid.ToString();
  json["dev_uuid"] = super.device_uuid.ToString();
  json["sys_uuid"] = super.system_uuid.ToString();
  AddHex(json, "crc", super.crc);
  AddHex(json, "crc_calc", ChecksumOf(super));
  json["flags"] = super.flags;
  AddPad(json, "pad", super.pad);
  json["dd_size"] = super.device_size;
  json["dd_uuid"] = super.device_entry_uuid.ToString();
  const auto* const name = static_cast<const char*>(super.device_name);
  json["dd_daxdev"] =
      JsonText({name, ::strnlen(name, sizeof(super.device_name))});
  json["dd_daxdev_hex"] = TrimmedHex(BytesOf(super.device_name));
  return json;
}

Json ToJson(const MediaLogHeader& header) {
  Json json;
  AddHex(json, "magic", header.magic);
  AddHex(json, "len", header.length);
  json["last_index"] = header.last_index;
  AddHex(json, "crc", header.crc);
  AddHex(json, "crc_calc", ChecksumOf(header));
  json["next_seq"] = header.next_seqnum;
  json["next_idx"] = header.next_index;
  return json;
}

Json ToJson(std::uint64_t index, const MediaEntry& entry) {
  Json json = {{"index", index}, {"seq", entry.seqnum}, {"type", entry.type}};
  json["type_name"] = nullptr;  // keeps its place among the keys
  AddPad(json, "pad", entry.pad);
  AddHex(json, "crc", entry.crc);
  AddHex(json, "crc_calc", ChecksumOf(entry));
  switch (static_cast<EntryType>(entry.type)) {
    case EntryType::kFile:
      json["type_name"] = "file";
      json["file"] = FileJson(entry);
      break;
    case EntryType::kMkdir:
      json["type_name"] = "mkdir";
      json["mkdir"] = MkdirJson(entry);
      break;
    case EntryType::kAddDaxdev:
      json["type_name"] = "add_daxdev";
      json["add_daxdev"] = AddDaxdevJson(entry);
      break;
    case EntryType::kDelete:
      json["type_name"] = "delete";
      AddUnused(json, entry, 0);
      break;
    case EntryType::kInvalid:
      json["type_name"] = "invalid";
      AddUnused(json, entry, 0);
      break;
    default:
      json["type_name"] = "unknown";
      AddUnused(json, entry, 0);
      break;
  }
  json["nonzero"] = OffsetsOfNonzero(BytesOf(entry));
  return json;
}

Json RegionJson(std::span<const std::byte> region, const Uuid& fs_uuid) {
  constexpr std::size_t kPair = 2 * kLineSize;
  if (region.size() < kCompactionAt + kPair) {
    return {{"problem", "the device ends before or in our region"}};
  }
  Json json;
  json["state"] =
      RecordJson(DecodeState(region.subspan(kStateAt, kPair), fs_uuid));
  json["compaction"] = RecordJson(
      DecodeCompaction(region.subspan(kCompactionAt, kPair), fs_uuid));
  json["lines"] = Json::array();
  for (const std::size_t at : {kStateAt, kStateAt + kLineSize, kCompactionAt,
                               kCompactionAt + kLineSize}) {
    const std::string hex = TrimmedHex(region.subspan(at, kLineSize));
    if (hex.empty()) continue;
    Json line;
    AddHex(line, "offset", kRegionOffset + at);
    line["bytes_hex"] = hex;
    json["lines"].push_back(std::move(line));
  }
  return json;
}

}  // namespace famfs
