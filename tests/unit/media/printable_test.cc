#include <gtest/gtest.h>

#include "media/format.h"

namespace famfs {
namespace {

TEST(PrintableTest, Utf8StaysAsItIs) {
  for (const char* const text :
       {"plain", "Größe", "模型", "данные", "🙂.bin", "نمونه‌ها"}) {
    EXPECT_EQ(Printable(text), text);
  }
}

TEST(PrintableTest, WhatATerminalWouldActOnIsEscaped) {
  EXPECT_EQ(Printable("a\x1b[2Jb"), "a\\x1b[2Jb");
  EXPECT_EQ(Printable("a\nb\x7f"), "a\\x0ab\\x7f");
  EXPECT_EQ(Printable("a\xc2\x9b"
                      "b"),
            "a\\xc2\\x9bb");  // CSI as one character
}

TEST(PrintableTest, WhatHidesOrTurnsTextIsEscaped) {
  EXPECT_EQ(Printable("a\u202ebin"), "a\\xe2\\x80\\xaebin");  // right to left
  EXPECT_EQ(Printable("a\u200bb"), "a\\xe2\\x80\\x8bb");      // no width
  EXPECT_EQ(Printable("a\u2028b"), "a\\xe2\\x80\\xa8b");      // ends a line
  EXPECT_EQ(Printable("\ufeff"), "\\xef\\xbb\\xbf");
}

TEST(PrintableTest, WhatIsNoUtf8IsEscapedByteByByte) {
  EXPECT_EQ(Printable("a\xff"
                      "b"),
            "a\\xffb");
  EXPECT_EQ(Printable("\xc3"), "\\xc3");                    // cut
  EXPECT_EQ(Printable("\xc0\xaf"), "\\xc0\\xaf");           // overlong
  EXPECT_EQ(Printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // surrogate
  EXPECT_EQ(Printable("\xf5\x80\x80\x80"), "\\xf5\\x80\\x80\\x80");
  EXPECT_EQ(Printable("ö\xff"
                      "ö"),
            "ö\\xffö");
}

TEST(PrintableTest, TwoNamesNeverLookAlike) {
  EXPECT_NE(Printable("\xff"), Printable("\\xff"));
  EXPECT_EQ(Printable("\\xff"), "\\\\xff");
}

}  // namespace
}  // namespace famfs
