#include "node/fused/spawner_client.h"

#include <nlohmann/json.hpp>

#include "node/fused/spawner_wire.h"

namespace famfs::node {
namespace {

// It only starts processes; nothing in that takes long.
constexpr timeval kPatience = {.tv_sec = 10, .tv_usec = 0};

struct Answer {
  pid_t pid = 0;
  std::vector<UniqueFd> descriptors{};
};

absl::StatusOr<Answer> Ask(const std::string& socket,
                           const nlohmann::json& request,
                           std::vector<UniqueFd> descriptors = {}) {
  FAMFS_ASSIGN_OR_RETURN(const UniqueFd fd,
                         ConnectToSpawner(socket, kPatience));
  FAMFS_RETURN_IF_ERROR(SendMessage(
      fd.get(),
      {.text = request.dump(), .descriptors = std::move(descriptors)}));
  FAMFS_ASSIGN_OR_RETURN(SpawnerMessage message, ReceiveMessage(fd.get()));
  const auto json = nlohmann::json::parse(message.text, nullptr, false);
  if (!json.is_object()) {
    return Unavailable("{} answered what is no JSON object", socket);
  }
  if (const auto error = json.find("error");
      error != json.end() && error->is_string()) {
    return Unavailable("famfs-fused-spawner: {}", error->get<std::string>());
  }
  Answer answer{.descriptors = std::move(message.descriptors)};
  if (const auto pid = json.find("pid");
      pid != json.end() && pid->is_number_integer()) {
    answer.pid = pid->get<pid_t>();
  }
  return answer;
}

absl::Status Incomplete(const std::string& socket) {
  return Unavailable("{} answered without a process' descriptors", socket);
}

}  // namespace

absl::StatusOr<StartingFused> AskToStart(const FusedLaunch& options,
                                         UniqueFd fuse) {
  nlohmann::json request = ToJson(options);
  request["op"] = "start";
  std::vector<UniqueFd> descriptors;
  descriptors.push_back(std::move(fuse));
  FAMFS_ASSIGN_OR_RETURN(Answer answer,
                         Ask(options.spawner, request, std::move(descriptors)));
  if (answer.descriptors.size() != 2) return Incomplete(options.spawner);
  StartingFused starting;
  starting.process = {.pid = answer.pid,
                      .pidfd = std::move(answer.descriptors[0])};
  starting.ready = std::move(answer.descriptors[1]);
  return starting;
}

absl::StatusOr<std::optional<FusedProcess>> AskToFind(
    const FusedLaunch& options) {
  FAMFS_ASSIGN_OR_RETURN(
      Answer answer,
      Ask(options.spawner, {{"op", "find"}, {"lockFile", options.lock_file}}));
  if (answer.pid == 0) return std::nullopt;
  if (answer.descriptors.size() != 1) return Incomplete(options.spawner);
  return FusedProcess{.pid = answer.pid,
                      .pidfd = std::move(answer.descriptors[0])};
}

}  // namespace famfs::node
