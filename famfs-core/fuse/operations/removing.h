// unlink() of a file that is open here (files/hidden_files.h).
#pragma once

#include <string>

#include "fuse/operations/ops.h"
#include "fuse/operations/tree_places.h"

namespace famfs {

/// Removes that file of the directory and answers. False: nothing was done, it
/// is not open here, or is no file.
bool RemoveOpenFile(fuse_req_t request, const TreePlace& directory,
                    const std::string& name);
/// Whether that was done to the file: it has no name that programs know. Not
/// when it failed, or nobody knows yet whether it was done.
bool IsRemovedHere(Service& service, NodeId node);
/// Has a file removed for good that RemoveOpenFile has hidden, when nobody has
/// it open any more. After a close.
void RemoveHidden(Service& service, NodeId node);
/// The same for what could not be asked for then. From time to time.
void RemoveHiddenLeftOvers(Service& service);

}  // namespace famfs
