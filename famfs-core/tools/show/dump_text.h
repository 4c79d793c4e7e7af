// JSON of `famfs dump` as indented text for people: the same fields, with a
// number and its hexadecimal twin on one line. One source for both forms, so
// that neither can miss a field of the other.
#pragma once

#include <string>

#include "tools/common/context.h"

namespace famfs {

/// Lines "KEY: VALUE", indented by two spaces for each of `depth`; an object
/// starts a deeper block; ends with a newline.
std::string ToText(const Json& object, int depth);

}  // namespace famfs
