// "Did you mean": the known word nearest to a mistyped one.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace famfs {

/// Empty when no known word is near (edit distance above a third of the longer
/// word's length, at least 2); case counts as nearly nothing.
std::string_view NearestWord(std::string_view word,
                             std::span<const std::string_view> known);

/// " (did you mean \"x\"?)", or nothing.
std::string DidYouMean(std::string_view word,
                       std::span<const std::string_view> known);

}  // namespace famfs
