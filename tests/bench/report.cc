#include "tests/bench/report.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

namespace famfs::bench {

double Percentile(std::vector<double> values, double p) {
  std::sort(values.begin(), values.end());
  const auto at = static_cast<std::size_t>(
      p * static_cast<double>(values.size() - 1) + 0.5);
  return values[at];
}

void PinThread() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(static_cast<std::size_t>(::sysconf(_SC_NPROCESSORS_ONLN) - 1), &cpus);
  ::sched_setaffinity(0, sizeof(cpus), &cpus);
}

void UseAllCpus() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  for (long i = 0; i < ::sysconf(_SC_NPROCESSORS_ONLN); ++i) {
    CPU_SET(static_cast<std::size_t>(i), &cpus);
  }
  ::sched_setaffinity(0, sizeof(cpus), &cpus);
}

double Median(std::vector<double> values) {
  return Percentile(std::move(values), 0.5);
}

bool Decided(std::vector<double> ratios, const Band& band) {
  std::sort(ratios.begin(), ratios.end());
  // The sign test's interval: how many of n tosses show heads is within
  // n / 2 +- sqrt(n) in 95 of 100 cases.
  const auto n = static_cast<double>(ratios.size());
  const double off = std::max(0.0, std::floor((n - 1.96 * std::sqrt(n)) / 2));
  const double low = ratios[static_cast<std::size_t>(off)];
  const double high = ratios[ratios.size() - 1 - static_cast<std::size_t>(off)];
  const auto between = [&](double bound) {
    return low < bound && bound < high;
  };
  return !between(band.low) && !between(band.high);
}

Row Compare(std::string name, std::string unit, Band band,
            const std::function<double()>& ours,
            const std::function<double()>& peer) {
  std::vector<double> our_values;
  std::vector<double> peer_values;
  std::vector<double> ratios;
  for (int round = -1;
       round < kRounds || (round < kMostRounds && !Decided(ratios, band));
       ++round) {
    double our_value = 0;
    double peer_value = 0;
    if (round % 2 == 0) {
      our_value = ours();
      peer_value = peer();
    } else {
      peer_value = peer();
      our_value = ours();
    }
    if (round < 0) continue;
    our_values.push_back(our_value);
    peer_values.push_back(peer_value);
    ratios.push_back(our_value / peer_value);
  }
  Row row = Single(std::move(name), std::move(unit), band, Median(our_values),
                   Median(peer_values));
  row.ratio = Median(ratios);
  row.lowest = *std::min_element(ratios.begin(), ratios.end());
  row.highest = *std::max_element(ratios.begin(), ratios.end());
  return row;
}

Row Single(std::string name, std::string unit, Band band, double ours,
           double peer) {
  Row row;
  row.name = std::move(name);
  row.unit = std::move(unit);
  row.band = band;
  row.ours = ours;
  row.peer = peer;
  row.ratio = row.lowest = row.highest = ours / peer;
  return row;
}

namespace {

std::string BandText(const Band& band) {
  if (band.low > 0) return fmt::format(">= {:.2f}", band.low);
  if (band.high < 1e9) return fmt::format("<= {:.2f}", band.high);
  return "-";
}

}  // namespace

bool Print(const std::vector<Row>& rows, const std::string& json_path) {
  fmt::print("{:<44} {:>12} {:>12} {:<8} {:>7} {:>15} {:>9}\n", "", "ours",
             "peer", "unit", "ratio", "(min-max)", "band");
  std::ofstream json(json_path, std::ios::app);
  bool all_ok = true;
  for (const Row& row : rows) {
    all_ok = all_ok && row.ok();
    fmt::print("{:<44} {:>12.3f} {:>12.3f} {:<8} {:>7.3f} {:>15} {:>9} {}\n",
               row.name, row.ours, row.peer, row.unit, row.ratio,
               fmt::format("({:.2f}-{:.2f})", row.lowest, row.highest),
               BandText(row.band), row.ok() ? "" : "OUT OF BAND");
    nlohmann::json line = {
        {"name", row.name},   {"ours", row.ours},
        {"peer", row.peer},   {"unit", row.unit},
        {"ratio", row.ratio}, {"band", {row.band.low, row.band.high}},
        {"ok", row.ok()}};
    if (json) json << line.dump() << "\n";
  }
  std::fflush(stdout);
  return all_ok;
}

}  // namespace famfs::bench
