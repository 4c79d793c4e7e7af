#include "csi/telemetry/exposition.h"

#include <algorithm>

#include "base/text.h"

namespace famfs::csi {

prometheus::ClientMetric& Exposition::Sample(std::string_view name,
                                             std::string_view help,
                                             prometheus::MetricType type,
                                             const MetricLabels& labels) {
  auto family =
      std::find_if(families_.begin(), families_.end(),
                   [name](const auto& known) { return known.name == name; });
  if (family == families_.end()) {
    families_.push_back({std::string(name), std::string(help), type, {}});
    family = std::prev(families_.end());
  }
  prometheus::ClientMetric& sample = family->metric.emplace_back();
  for (const auto& [label, value] : labels) {
    // Names come from outside; an exposition is UTF-8. The serializer doubles
    // backslashes.
    sample.label.push_back({std::string(label), PrintableLine(value)});
  }
  return sample;
}

void Exposition::Gauge(std::string_view name, std::string_view help,
                       const MetricLabels& labels, double value) {
  Sample(name, help, prometheus::MetricType::Gauge, labels).gauge.value = value;
}

void Exposition::Counter(std::string_view name, std::string_view help,
                         const MetricLabels& labels, double value) {
  Sample(name, help, prometheus::MetricType::Counter, labels).counter.value =
      value;
}

}  // namespace famfs::csi
