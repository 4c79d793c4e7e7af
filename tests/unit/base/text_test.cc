#include "base/text.h"

#include <gtest/gtest.h>

namespace famfs {
namespace {

TEST(Utf8, TellsGoodFromBad) {
  for (const char* good : {"", "plain", "\xc3\xa4", "\xe2\x82\xac",
                           "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsValidUtf8(good)) << good;
  }
  for (const char* bad :
       {"\x80", "\xc3", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80", "\xe2\x82",
        "a\xff"}) {
    EXPECT_FALSE(IsValidUtf8(bad)) << testing::PrintToString(bad);
  }
}

TEST(Printable, CharactersWithAShapeStayAsTheyAre) {
  for (const char* text : {"", "pvc-1", "\xc3\xa4\xe2\x98\x83", "\xe4\xb8\xad",
                           "\xf0\x9f\x98\x80", "a \"quoted\" name"}) {
    EXPECT_EQ(Printable(text), text);
    EXPECT_EQ(PrintableLine(text), text);
  }
}

TEST(Printable, WhatActsOnATerminalIsEscaped) {
  EXPECT_EQ(Printable("a\nb\r\t\x1b[31m\x7f"), "a\\nb\\x0d\\x09\\x1b[31m\\x7f");
  EXPECT_EQ(Printable(std::string_view("\0", 1)), "\\x00");
  // A C1 control: CSI in one character.
  EXPECT_EQ(Printable("\xc2\x9b"
                      "31m"),
            "\\xc2\\x9b31m");
}

TEST(Printable, WhatMakesOthersLookDifferentIsEscaped) {
  struct Case {
    const char* text;
    const char* shown;
  };
  for (const Case& c : {Case{"\xe2\x80\xae", "\\xe2\\x80\\xae"},  // U+202E
                        Case{"\xe2\x81\xa6", "\\xe2\\x81\\xa6"},  // U+2066
                        Case{"\xe2\x80\x8b", "\\xe2\\x80\\x8b"},  // U+200B
                        Case{"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},  // U+2028
                        Case{"\xd8\x9c", "\\xd8\\x9c"},           // U+061C
                        Case{"\xef\xbb\xbf", "\\xef\\xbb\\xbf"},  // U+FEFF
                        Case{"\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81"}}) {
    EXPECT_EQ(Printable(c.text), c.shown);
    EXPECT_EQ(PrintableLine(c.text), c.shown);
  }
}

TEST(Printable, NoTwoTextsLookAlike) {
  EXPECT_EQ(Printable("\xff"), "\\xff");
  EXPECT_EQ(Printable("\\xff"), "\\\\xff");
  EXPECT_EQ(Printable("\n"), "\\n");
  EXPECT_EQ(Printable("\\n"), "\\\\n");
}

TEST(Printable, ATextIsCutBetweenCharacters) {
  EXPECT_EQ(Printable("a\xc3\xa4", 3), "a\xc3\xa4");
  EXPECT_EQ(Printable("a\xc3\xa4", 2), "a");
  EXPECT_EQ(Printable("a\nb", 2), "a");
  EXPECT_EQ(PrintableLine("ab\xff", 4), "ab");
}

TEST(Printable, ALineKeepsWhatIsEscapedAlready) {
  const std::string line = PrintableLine("volume 'a\\nb'\nforged\xff");
  EXPECT_EQ(line, "volume 'a\\nb'\\nforged\\xff");
  EXPECT_EQ(PrintableLine(line), line);
}

TEST(Printable, AMessageOfSeveralLinesKeepsItsLines) {
  EXPECT_EQ(PrintableLines("one\ntwo\x1b\n"), "one\ntwo\\x1b\n");
}

}  // namespace
}  // namespace famfs
