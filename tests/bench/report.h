// Rows of the benchmark's table: ours beside a peer, measured in one run.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace famfs::bench {

inline constexpr int kRounds = 9;
/// At most, when the noise hides on which side of its band a row lies.
inline constexpr int kMostRounds = 45;

/// What the ratio ours/peer must be within. A row without a bound only informs.
struct Band {
  double low = 0;
  double high = 1e9;
};

struct Row {
  std::string name;
  double ours = 0;  // median
  double peer = 0;  // median
  std::string unit;
  double ratio = 0;  // median of the rounds' ratios
  double lowest = 0;
  double highest = 0;
  Band band;
  [[nodiscard]] bool ok() const {
    return ratio >= band.low && ratio <= band.high;
  }
};

/// True when the median of so many ratios is known well enough to say on which
/// side of each bound it lies: with 95 % confidence, whatever their
/// distribution.
bool Decided(std::vector<double> ratios, const Band& band);

/// Measures ours and the peer in turn, kRounds times, the order changing from
/// round to round, after one round that does not count. More rounds follow, up
/// to kMostRounds, until it is Decided, be it for the band or against it.
Row Compare(std::string name, std::string unit, Band band,
            const std::function<double()>& ours,
            const std::function<double()>& peer);
/// A row of values that were measured elsewhere.
Row Single(std::string name, std::string unit, Band band, double ours,
           double peer);

/// Keeps the calling thread on the last CPU from here on, so that the rounds of
/// a comparison do not differ by where they ran.
void PinThread();
/// Undoes PinThread, for what has threads of its own.
void UseAllCpus();

double Median(std::vector<double> values);
/// p in [0, 1].
double Percentile(std::vector<double> values, double p);

/// Prints the table to stdout and JSON lines to `json_path` (if not empty).
/// True when every ratio is within its band.
bool Print(const std::vector<Row>& rows, const std::string& json_path);

}  // namespace famfs::bench
