// What differs between two trees of one instance, by node id: an id names one
// path and place for ever, so equal ids are the same file.
#pragma once

#include <vector>

#include "instance/tree/change.h"
#include "instance/tree/namespace.h"

namespace famfs {

/// Removed nodes first, children before parents; then added ones, parents
/// before children, among them those whose owner or attributes differ.
std::vector<Change> DiffTrees(const Namespace& before, const Namespace& after);

}  // namespace famfs
