// What a file of a tree volume is called that was removed while a host has it
// open, so that it can go on growing there: a name in the volume's own
// directory, which servers neither list nor find and which no program may use.
// The host removes it at the last close; when the host is gone, the owner does
// (mailbox/orphans.h). The name bears the session, as the host table has it,
// and the node's id.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "instance/tree/node.h"

namespace famfs {

std::string HiddenName(std::uint32_t session, TreeId id);
/// nullopt: no such name.
std::optional<std::uint32_t> SessionOfHiddenName(std::string_view name);
/// Whether the node is such a file.
bool IsHidden(const Node& node);

}  // namespace famfs
