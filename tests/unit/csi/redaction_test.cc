#include "csi/rpc/redaction.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <barrier>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "csi/csi.pb.h"

namespace famfs::csi {
namespace {

namespace pb = ::csi::v1;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;
using google::protobuf::Reflection;
using testing::HasSubstr;
using testing::Not;

constexpr char kSecretMark[] = "SECRET";

// Fills every field of a message, at every depth, with texts that tell whether
// they may be seen. What is secret is decided here by the released option
// alone, and by the two names that the option does not know.
class Filler {
 public:
  void Fill(Message& message, bool secret) {
    const Descriptor* type = message.GetDescriptor();
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* field = type->field(i);
      const bool field_secret = secret ||
                                field->options().GetExtension(pb::csi_secret) ||
                                field->name() == "mount_flags";
      if (field_secret) ++secrets;
      if (field->is_map()) {
        FillMap(message, field, field_secret);
      } else {
        FillField(message, field, field_secret);
      }
    }
  }

  std::vector<std::string> plain;
  int secrets = 0;

 private:
  std::string Text(bool secret) {
    std::string text =
        (secret ? kSecretMark : "plain-") + std::to_string(++number_) + "-";
    if (!secret) plain.push_back(text);
    return text;
  }

  void FillMap(Message& message, const FieldDescriptor* field, bool secret) {
    const Reflection& reflection = *message.GetReflection();
    Set(*reflection.AddMessage(&message, field), Text(secret), Text(secret));
    for (const char* key : {"csi.storage.k8s.io/serviceAccount.tokens",
                            "another.prefix/serviceAccount.tokens"}) {
      Set(*reflection.AddMessage(&message, field), key, Text(true));
    }
  }

  static void Set(Message& entry, const std::string& key,
                  const std::string& value) {
    const Descriptor* type = entry.GetDescriptor();
    const Reflection& reflection = *entry.GetReflection();
    reflection.SetString(&entry, type->FindFieldByName("key"), key);
    reflection.SetString(&entry, type->FindFieldByName("value"), value);
  }

  void FillField(Message& message, const FieldDescriptor* field, bool secret) {
    const Reflection& reflection = *message.GetReflection();
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        if (field->is_repeated()) {
          reflection.AddString(&message, field, Text(secret));
          reflection.AddString(&message, field, Text(secret));
        } else {
          reflection.SetString(&message, field, Text(secret));
        }
        break;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        // Of a oneof the last one stays; what the others held is gone.
        if (field->real_containing_oneof() != nullptr) plain.clear();
        Fill(field->is_repeated() ? *reflection.AddMessage(&message, field)
                                  : *reflection.MutableMessage(&message, field),
             secret);
        break;
      default:
        break;  // numbers and enums hold no text
    }
  }

  int number_ = 0;
};

void ForEachType(const Descriptor* type,
                 const std::function<void(const Descriptor*)>& visit) {
  if (type->options().map_entry()) return;
  visit(type);
  for (int i = 0; i < type->nested_type_count(); ++i) {
    ForEachType(type->nested_type(i), visit);
  }
}

void ForEachMessageOfCsi(const std::function<void(const Descriptor*)>& visit) {
  const auto* file = pb::CreateVolumeRequest::descriptor()->file();
  for (int i = 0; i < file->message_type_count(); ++i) {
    ForEachType(file->message_type(i), visit);
  }
}

TEST(Redaction, NoSecretOfAnyMessageSurvives) {
  std::set<std::string> with_secrets;
  ForEachMessageOfCsi([&](const Descriptor* type) {
    const std::unique_ptr<Message> message(
        MessageFactory::generated_factory()->GetPrototype(type)->New());
    Filler filler;
    filler.Fill(*message, false);
    if (filler.secrets > 0) {
      ASSERT_THAT(message->DebugString(), HasSubstr(kSecretMark));
      with_secrets.insert(type->name());
    }
    const std::string text = RedactedText(*message);
    EXPECT_THAT(text, Not(HasSubstr(kSecretMark))) << type->full_name();
    // What is no secret is still there: nothing is hidden by printing nothing.
    for (const std::string& plain : filler.plain) {
      EXPECT_THAT(text, HasSubstr(plain)) << type->full_name();
    }
    Redact(*message);
    EXPECT_THAT(message->DebugString(), Not(HasSubstr(kSecretMark)));
    std::string wire;
    ASSERT_TRUE(message->SerializeToString(&wire));
    EXPECT_THAT(wire, Not(HasSubstr(kSecretMark))) << type->full_name();
  });
  // Directly (secrets), nested (mount flags), and nested two levels deep.
  for (const char* name :
       {"CreateVolumeRequest", "DeleteVolumeRequest", "NodeStageVolumeRequest",
        "NodePublishVolumeRequest", "NodeExpandVolumeRequest",
        "CreateVolumeGroupSnapshotRequest", "GetMetadataDeltaRequest",
        "MountVolume", "VolumeCapability", "GetCapacityRequest",
        "ValidateVolumeCapabilitiesResponse"}) {
    EXPECT_EQ(with_secrets.count(name), 1U) << name;
  }
  EXPECT_GE(with_secrets.size(), 25U);
}

TEST(Redaction, TheRequestItselfIsLeftAlone) {
  pb::DeleteVolumeRequest request;
  request.set_volume_id("v1");
  (*request.mutable_secrets())["key"] = kSecretMark;
  EXPECT_EQ(RedactedText(request), "volume_id: \"v1\"");
  EXPECT_EQ(request.secrets().at("key"), kSecretMark);
}

TEST(Redaction, TokensInTheVolumeContextAreReplacedAndTheKeyIsKept) {
  pb::NodePublishVolumeRequest request;
  auto& context = *request.mutable_volume_context();
  context["csi.storage.k8s.io/pod.name"] = "pod-1";
  context["csi.storage.k8s.io/serviceAccount.tokens"] = "eyJhbGciOi";
  const std::string text = RedactedText(request);
  EXPECT_THAT(text, HasSubstr("pod-1"));
  EXPECT_THAT(text, HasSubstr("serviceAccount.tokens"));
  EXPECT_THAT(text, HasSubstr(kRedacted));
  EXPECT_THAT(text, Not(HasSubstr("eyJ")));
}

TEST(Redaction, MountFlagsAreReplacedOneByOne) {
  pb::VolumeCapability capability;
  capability.mutable_mount()->add_mount_flags("password=x");
  capability.mutable_mount()->add_mount_flags("ro");
  EXPECT_EQ(RedactedText(capability),
            "mount { mount_flags: \"***stripped***\" mount_flags: "
            "\"***stripped***\" }");
}

TEST(Redaction, FieldsOfANewerCallerAreNotShown) {
  // A field number that this protocol does not know, with a text in it.
  const std::string wire = std::string("\xfa\x3f\x06", 3) + kSecretMark;
  pb::DeleteVolumeRequest request;
  ASSERT_TRUE(request.ParseFromString(wire));
  EXPECT_EQ(RedactedText(request), "");
}

TEST(Redaction, ALineBreakInANameDoesNotBreakTheLine) {
  pb::CreateVolumeRequest request;
  request.set_name("a\nrpc CreateVolume OK");
  EXPECT_THAT(RedactedText(request), Not(HasSubstr("\n")));
}

TEST(Redaction, ManyThreadsMayMeetANewTypeAtOnce) {
  constexpr int kThreads = 4;
  std::barrier start(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&start] {
      start.arrive_and_wait();
      pb::ControllerExpandVolumeRequest request;
      (*request.mutable_secrets())["key"] = kSecretMark;
      EXPECT_EQ(RedactedText(request), "");
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace famfs::csi
