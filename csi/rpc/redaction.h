// Requests as text without their secrets. Redacted are
//   - every field with the option csi_secret, at any depth;
//   - mount_flags (the specification calls them sensitive);
//   - of any map of strings, the values whose key ends with
//     "serviceAccount.tokens" (kubelet puts them into volume_context).
// Which fields of a message type these are is found once by reflection and
// remembered.
#pragma once

#include <string>

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace famfs::csi {

inline constexpr char kRedacted[] = "***stripped***";

/// One line, protobuf's short text form. Fields that are not set do not appear;
/// a map keeps its keys unless the whole field is secret.
std::string RedactedText(const google::protobuf::Message& message);

/// The message itself with the values replaced: a redacted string field or map
/// value reads kRedacted, a redacted map is emptied.
void Redact(google::protobuf::Message& message);

}  // namespace famfs::csi
