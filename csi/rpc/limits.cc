#include "csi/rpc/limits.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "base/text.h"

namespace famfs::csi {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// What a map or a list of mount flags holds altogether.
std::size_t StringBytes(const Message& entry) {
  std::size_t total = 0;
  const Reflection& reflection = *entry.GetReflection();
  for (int i = 0; i < entry.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = entry.GetDescriptor()->field(i);
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) continue;
    std::string scratch;
    total += reflection.GetStringReference(entry, field, &scratch).size();
  }
  return total;
}

absl::Status CheckMap(const Message& message, const FieldDescriptor* field) {
  const Reflection& reflection = *message.GetReflection();
  std::size_t total = 0;
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    total += StringBytes(reflection.GetRepeatedMessage(message, field, i));
  }
  if (total <= kMaxMap) return absl::OkStatus();
  return InvalidArgument("{} holds {} bytes of keys and values, more than {}",
                         field->name(), total, kMaxMap);
}

absl::Status CheckString(const FieldDescriptor* field, std::string_view value) {
  const std::string& name = field->name();
  if (name == "volume_id" || name == "starting_token") return absl::OkStatus();
  const bool is_path = name.ends_with("_path");
  const std::size_t limit = is_path             ? kMaxPath
                            : name == "node_id" ? kMaxNodeId
                                                : kMaxString;
  if (value.size() > limit) {
    return InvalidArgument("{} has {} bytes, more than {}", name, value.size(),
                           limit);
  }
  if (is_path && value.find('\0') != std::string_view::npos) {
    return InvalidArgument("{} holds a NUL byte", name);
  }
  return absl::OkStatus();
}

absl::Status CheckStrings(const Message& message,
                          const FieldDescriptor* field) {
  const Reflection& reflection = *message.GetReflection();
  std::string scratch;
  if (!field->is_repeated()) {
    return CheckString(field,
                       reflection.GetStringReference(message, field, &scratch));
  }
  const bool flags = field->name() == "mount_flags";
  std::size_t total = 0;
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    const std::string& value =
        reflection.GetRepeatedStringReference(message, field, i, &scratch);
    total += value.size();
    if (!flags) FAMFS_RETURN_IF_ERROR(CheckString(field, value));
  }
  if (flags && total > kMaxMountFlags) {
    return InvalidArgument("{} hold {} bytes, more than {}", field->name(),
                           total, kMaxMountFlags);
  }
  return absl::OkStatus();
}

absl::Status CheckField(const Message& message, const FieldDescriptor* field) {
  if (field->is_map()) return CheckMap(message, field);
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    return CheckStrings(message, field);
  }
  if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    return absl::OkStatus();
  }
  const Reflection& reflection = *message.GetReflection();
  if (!field->is_repeated()) {
    return CheckLimits(reflection.GetMessage(message, field));
  }
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    FAMFS_RETURN_IF_ERROR(
        CheckLimits(reflection.GetRepeatedMessage(message, field, i)));
  }
  return absl::OkStatus();
}

// C1 controls are two bytes in UTF-8: C2 80 to C2 9F.
bool HasForbiddenControl(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '\t' || c == '\n' || c == '\r') continue;
    if (c < 0x20 || c == 0x7f) return true;
    if (c == 0xc2 && i + 1 < text.size() &&
        static_cast<unsigned char>(text[i + 1]) < 0xa0) {
      return true;
    }
  }
  return false;
}

}  // namespace

absl::Status CheckLimits(const Message& request) {
  // Only fields that are set: an empty one breaks no limit.
  std::vector<const FieldDescriptor*> fields;
  request.GetReflection()->ListFields(request, &fields);
  for (const FieldDescriptor* field : fields) {
    FAMFS_RETURN_IF_ERROR(CheckField(request, field));
  }
  return absl::OkStatus();
}

absl::Status CheckName(std::string_view name, std::string_view field) {
  if (name.empty()) return InvalidArgument("{} is missing", field);
  if (name.size() > kMaxString) {
    return InvalidArgument("{} has {} bytes, more than {}", field, name.size(),
                           kMaxString);
  }
  if (!IsValidUtf8(name)) return InvalidArgument("{} is not UTF-8", field);
  if (HasForbiddenControl(name)) {
    return InvalidArgument(
        "{} holds a control character other than tab, line feed or carriage "
        "return",
        field);
  }
  return absl::OkStatus();
}

}  // namespace famfs::csi
