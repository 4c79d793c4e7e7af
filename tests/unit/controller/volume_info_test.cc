// Whether a volume is what a request asks for.
#include "controller/volume_info.h"

#include <gtest/gtest.h>

namespace famfs::controller {
namespace {

VolumeInfo MadeWith(VolumeLayout layout) {
  VolumeInfo volume;
  volume.pool = "one";
  volume.attributes.layout = layout;
  volume.owner = {.uid = 1, .gid = 2, .mode = 0750};
  return volume;
}

TEST(VolumeInfo, OfAnotherLayoutIsAnotherVolume) {
  const VolumeInfo volume = MadeWith(VolumeLayout::kTree);
  csi::VolumeParameters wanted = ParametersOf(volume);
  EXPECT_EQ(Difference(volume, wanted), "");
  wanted.layout = VolumeLayout::kFile;
  EXPECT_NE(Difference(volume, wanted), "");
}

TEST(VolumeInfo, ATreeIsTheSameWhateverPodsMadeOfItsDirectory) {
  for (const VolumeLayout layout : {VolumeLayout::kFile, VolumeLayout::kTree}) {
    VolumeInfo volume = MadeWith(layout);
    const csi::VolumeParameters wanted = ParametersOf(volume);
    volume.owner = {.uid = 3, .gid = 4, .mode = 02770};
    EXPECT_EQ(Difference(volume, wanted).empty(),
              layout == VolumeLayout::kTree);
  }
}

TEST(VolumeInfo, AVolumeThatWasGivenToAGroupIsStillTheSame) {
  VolumeInfo volume = MadeWith(VolumeLayout::kFile);
  csi::VolumeParameters wanted = ParametersOf(volume);
  volume.owner = {.uid = 1, .gid = 2000, .mode = 02770};
  EXPECT_NE(Difference(volume, wanted), "") << "it was made so";
  volume.attributes.revision = 2;
  EXPECT_EQ(Difference(volume, wanted), "");
  wanted.layout = VolumeLayout::kTree;
  EXPECT_NE(Difference(volume, wanted), "");
}

}  // namespace
}  // namespace famfs::controller
