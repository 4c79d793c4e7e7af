// Whether a plugin's capabilities are the calls that it answers. Which calls
// there are is read out of CSI's descriptors; which of them a capability stands
// for is only in the specification's prose, and is said by the test.
#pragma once

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>

#include "tests/integration/support/rpc.h"

namespace famfs::rig {

using Names = std::set<std::string>;

/// What a service's capabilities stand for.
struct Offers {
  /// The calls behind each capability; none behind one that changes how other
  /// calls are answered.
  std::map<std::string, Names> behind;
  /// Calls that no capability announces: every plugin has them.
  Names always;
};

/// The calls of a service that are not answered with UNIMPLEMENTED.
inline Names Answered(const std::shared_ptr<grpc::Channel>& channel,
                      const google::protobuf::ServiceDescriptor& service) {
  Names answered;
  for (int i = 0; i < service.method_count(); ++i) {
    const std::string name = service.method(i)->name();
    const grpc::Status status =
        CallByName(channel, "/" + service.full_name() + "/" + name);
    // Whoever does not answer at all implements nothing either.
    EXPECT_NE(status.error_code(), grpc::StatusCode::UNAVAILABLE) << name;
    EXPECT_NE(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED) << name;
    if (status.error_code() != grpc::StatusCode::UNIMPLEMENTED) {
      answered.insert(name);
    }
  }
  return answered;
}

/// The names of the capabilities in a response of ...GetCapabilities.
template <class Response>
Names Advertised(const Response& response) {
  Names names;
  for (const auto& one : response.capabilities()) {
    const auto type = one.rpc().type();
    EXPECT_TRUE(names.insert(one.rpc().Type_Name(type)).second)
        << "twice: " << one.rpc().Type_Name(type);
  }
  return names;
}

/// A capability or call that CSI has and `offers` does not, or the other way
/// round, fails the test.
inline void ExpectComplete(const Offers& offers,
                           const google::protobuf::EnumDescriptor& capabilities,
                           const google::protobuf::ServiceDescriptor& service) {
  Names known;
  for (int i = 0; i < capabilities.value_count(); ++i) {
    if (capabilities.value(i)->number() != 0) {
      known.insert(capabilities.value(i)->name());
    }
  }
  Names named;
  Names calls = offers.always;
  for (const auto& [capability, behind] : offers.behind) {
    named.insert(capability);
    calls.insert(behind.begin(), behind.end());
  }
  EXPECT_EQ(named, known);
  Names methods;
  for (int i = 0; i < service.method_count(); ++i) {
    methods.insert(service.method(i)->name());
  }
  EXPECT_EQ(calls, methods);
}

/// What is advertised is answered, and nothing else.
inline void ExpectKept(const Offers& offers, const Names& advertised,
                       const Names& answered) {
  for (const std::string& call : offers.always) {
    EXPECT_TRUE(answered.contains(call)) << call << " is UNIMPLEMENTED";
  }
  for (const auto& [capability, calls] : offers.behind) {
    const bool promised = advertised.contains(capability);
    for (const std::string& call : calls) {
      EXPECT_EQ(answered.contains(call), promised)
          << capability << " is " << (promised ? "" : "not ")
          << "advertised, and " << call << " is "
          << (promised ? "UNIMPLEMENTED" : "answered");
    }
  }
}

}  // namespace famfs::rig
