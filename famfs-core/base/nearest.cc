#include "base/nearest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <numeric>
#include <vector>

namespace famfs {
namespace {

constexpr std::size_t kMaxWord = 64;  // longer ones are no typing mistake

char Lower(char c) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

// Levenshtein's distance without regard to case.
std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced =
          diagonal + (Lower(a[i - 1]) == Lower(b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string_view NearestWord(std::string_view word,
                             std::span<const std::string_view> known) {
  if (word.empty() || word.size() > kMaxWord) return {};
  std::string_view best;
  std::size_t best_distance = kMaxWord;
  for (const std::string_view candidate : known) {
    const std::size_t distance = Distance(word, candidate);
    const std::size_t limit =
        std::max<std::size_t>(2, std::max(word.size(), candidate.size()) / 3);
    if (distance <= limit && distance < best_distance &&
        distance < candidate.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string DidYouMean(std::string_view word,
                       std::span<const std::string_view> known) {
  const std::string_view nearest = NearestWord(word, known);
  if (nearest.empty()) return {};
  return fmt::format(" (did you mean \"{}\"?)", nearest);
}

}  // namespace famfs
