#include "csi/rpc/redaction.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "csi/csi.pb.h"

namespace famfs::csi {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr std::string_view kTokensKey = "serviceAccount.tokens";

bool IsSecret(const FieldDescriptor* field) {
  return field->options().GetExtension(::csi::v1::csi_secret) ||
         field->name() == "mount_flags";
}

bool IsStringMap(const FieldDescriptor* field) {
  return field->is_map() &&
         field->message_type()->map_key()->cpp_type() ==
             FieldDescriptor::CPPTYPE_STRING &&
         field->message_type()->map_value()->cpp_type() ==
             FieldDescriptor::CPPTYPE_STRING;
}

// What of a message type needs work; most types need none.
struct Plan {
  std::vector<const FieldDescriptor*> secrets;
  std::vector<const FieldDescriptor*> maps;    // whose keys decide
  std::vector<const FieldDescriptor*> nested;  // to be walked
};

Plan MakePlan(const Descriptor* type) {
  Plan plan;
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (IsSecret(field)) {
      plan.secrets.push_back(field);
    } else if (IsStringMap(field)) {
      plan.maps.push_back(field);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      plan.nested.push_back(field);
    }
  }
  return plan;
}

/// The plans of all types that were asked for. Thread-safe.
class Plans {
 public:
  const Plan& For(const Descriptor* type) {
    {
      const ReaderMutexLock lock(mutex_);
      if (const auto it = plans_.find(type); it != plans_.end()) {
        return *it->second;
      }
    }
    auto plan = std::make_unique<const Plan>(MakePlan(type));
    const WriterMutexLock lock(mutex_);
    return *plans_.try_emplace(type, std::move(plan)).first->second;
  }

 private:
  SharedMutex mutex_;
  std::map<const Descriptor*, std::unique_ptr<const Plan>> plans_
      ABSL_GUARDED_BY(mutex_);
};

const Plan& PlanFor(const Descriptor* type) {
  // Never destroyed: a call may still be logged while statics are torn down.
  static auto& plans = *new Plans;
  return plans.For(type);
}

void RedactSecret(Message& message, const FieldDescriptor* field) {
  const Reflection& reflection = *message.GetReflection();
  if (field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
    reflection.ClearField(&message, field);  // maps, messages, numbers
    return;
  }
  if (!field->is_repeated()) {
    if (reflection.HasField(message, field)) {
      reflection.SetString(&message, field, kRedacted);
    }
    return;
  }
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    reflection.SetRepeatedString(&message, field, i, kRedacted);
  }
}

void RedactTokens(Message& message, const FieldDescriptor* field) {
  const Reflection& reflection = *message.GetReflection();
  const FieldDescriptor* key = field->message_type()->map_key();
  const FieldDescriptor* value = field->message_type()->map_value();
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    Message* entry = reflection.MutableRepeatedMessage(&message, field, i);
    const std::string name = entry->GetReflection()->GetString(*entry, key);
    if (name.ends_with(kTokensKey)) {
      entry->GetReflection()->SetString(entry, value, kRedacted);
    }
  }
}

}  // namespace

void Redact(Message& message) {
  const Plan& plan = PlanFor(message.GetDescriptor());
  const Reflection& reflection = *message.GetReflection();
  for (const FieldDescriptor* field : plan.secrets) {
    RedactSecret(message, field);
  }
  for (const FieldDescriptor* field : plan.maps) RedactTokens(message, field);
  for (const FieldDescriptor* field : plan.nested) {
    if (!field->is_repeated()) {
      if (reflection.HasField(message, field)) {
        Redact(*reflection.MutableMessage(&message, field));
      }
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      Redact(*reflection.MutableRepeatedMessage(&message, field, i));
    }
  }
  // What a newer caller sent and we do not know may be secret as well.
  reflection.MutableUnknownFields(&message)->Clear();
}

std::string RedactedText(const Message& message) {
  const std::unique_ptr<Message> copy(message.New());
  copy->CopyFrom(message);
  Redact(*copy);
  std::string text;
  google::protobuf::TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  printer.SetUseShortRepeatedPrimitives(true);
  printer.PrintToString(*copy, &text);
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

}  // namespace famfs::csi
