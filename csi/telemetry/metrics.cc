#include "csi/telemetry/metrics.h"

#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <chrono>
#include <utility>
#include <vector>

#include "csi/rpc/status_mapping.h"
#include "csi/telemetry/logging.h"
#include "csi/telemetry/process_metrics.h"

namespace famfs::csi {
namespace {

// Seconds. A call that only looks takes some 50 us, a publication milliseconds,
// one that waits for a server to start seconds.
const prometheus::Histogram::BucketBoundaries& Buckets() {
  static const prometheus::Histogram::BucketBoundaries buckets = {
      0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
      0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};
  return buckets;
}

}  // namespace

class Metrics::Impl {
 public:
  Impl(std::string program, std::string driver_name)
      : program_(std::move(program)),
        driver_name_(std::move(driver_name)),
        calls_(prometheus::BuildHistogram()
                   .Name("famfs_csi_rpc_duration_seconds")
                   .Help("Time that CSI calls took in the driver.")
                   .Register(registry_)) {
    SetCallObserver([this](const CallRecord& record) { Observe(record); });
  }
  ~Impl() { SetCallObserver({}); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void Add(std::function<void(Exposition&)> collector) {
    collectors_.push_back(std::move(collector));
  }

  HttpAnswer Page() const {
    Exposition page;
    page.Gauge("famfs_csi_build_info", "1; the labels say what runs here.",
               {{"version", FAMFS_VERSION},
                {"program", program_},
                {"driver", driver_name_}},
               1);
    for (const auto& collect : collectors_) collect(page);
    const LoggedLines logged = GetLoggedLines();
    constexpr const char* kLogHelp =
        "Lines that the program has logged, by level.";
    page.Counter("famfs_csi_log_lines_total", kLogHelp, {{"level", "warning"}},
                 static_cast<double>(logged.warnings));
    page.Counter("famfs_csi_log_lines_total", kLogHelp, {{"level", "error"}},
                 static_cast<double>(logged.errors));
    CollectProcess(page);
    std::vector<prometheus::MetricFamily> families = registry_.Collect();
    for (auto& family : std::move(page).Take()) {
      families.push_back(std::move(family));
    }
    HttpAnswer answer;
    answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
    answer.body = prometheus::TextSerializer().Serialize(families);
    return answer;
  }

 private:
  void Observe(const CallRecord& record) {
    calls_
        .Add({{"method", std::string(record.method)},
              {"code", std::string(CodeName(record.code))}},
             Buckets())
        .Observe(std::chrono::duration<double>(record.duration).count());
  }

  const std::string program_;
  const std::string driver_name_;
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Histogram>& calls_;
  std::vector<std::function<void(Exposition&)>> collectors_;
};

Metrics::Metrics(std::string program, std::string driver_name)
    : impl_(
          std::make_unique<Impl>(std::move(program), std::move(driver_name))) {}
Metrics::~Metrics() = default;

void Metrics::Add(std::function<void(Exposition&)> collector) {
  impl_->Add(std::move(collector));
}

HttpAnswer Metrics::Page() const { return impl_->Page(); }

}  // namespace famfs::csi
