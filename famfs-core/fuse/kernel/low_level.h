// The distribution's libfuse3, at the version that Debian 12 has. Every file of
// this room includes it from here, so that all agree on the API's version.
#pragma once

#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 14)
#include <fuse3/fuse_lowlevel.h>
