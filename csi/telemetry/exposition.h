// What one scrape of /metrics shows, gathered at that moment: who knows a value
// adds it, families keep the order of their first sample.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace famfs::csi {

using MetricLabels = std::vector<std::pair<std::string_view, std::string>>;

class Exposition {
 public:
  /// `help` is one sentence. The name ends in its unit; a counter's in _total.
  void Gauge(std::string_view name, std::string_view help,
             const MetricLabels& labels, double value);
  void Counter(std::string_view name, std::string_view help,
               const MetricLabels& labels, double value);

  std::vector<prometheus::MetricFamily> Take() && {
    return std::move(families_);
  }

 private:
  prometheus::ClientMetric& Sample(std::string_view name, std::string_view help,
                                   prometheus::MetricType type,
                                   const MetricLabels& labels);
  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace famfs::csi
