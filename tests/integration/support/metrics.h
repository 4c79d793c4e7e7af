// A scrape of /metrics taken apart, and what docs/metrics.md says of it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace famfs::rig {

/// What a metric is: "gauge {pool,state}". A histogram's le does not count.
using MetricKinds = std::map<std::string, std::string>;

class Scrape {
 public:
  /// Of the program that serves HTTP there; failures are gtest's.
  explicit Scrape(std::uint16_t port);

  /// The sample, as the page writes it: `name{pool="fast"}`. -1: there is none.
  [[nodiscard]] double Value(const std::string& sample) const;
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] MetricKinds kinds() const;

 private:
  std::string text_;
  std::map<std::string, double> samples_;
};

/// The tables of the page below the given second-level headings.
MetricKinds DocumentedMetrics(const std::string& page,
                              const std::vector<std::string>& headings);

}  // namespace famfs::rig
