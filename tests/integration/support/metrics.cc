#include "tests/integration/support/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <regex>
#include <sstream>

#include "tests/integration/support/http.h"

namespace famfs::rig {
namespace {

// "name{a="x",b="y"}" -> "{a,b}", without le.
std::string LabelsOf(const std::string& sample) {
  static const std::regex label(R"rx([{,]([a-z_]+)=")rx");
  std::string labels;
  for (auto it = std::sregex_iterator(sample.begin(), sample.end(), label);
       it != std::sregex_iterator(); ++it) {
    if ((*it)[1] == "le") continue;
    labels += (labels.empty() ? "" : ",") + (*it)[1].str();
  }
  return "{" + labels + "}";
}

std::string Without(std::string text, char unwanted) {
  text.erase(std::remove(text.begin(), text.end(), unwanted), text.end());
  return text;
}

}  // namespace

Scrape::Scrape(std::uint16_t port) {
  const HttpReply reply = Http(port, "/metrics");
  EXPECT_EQ(reply.code, 200);
  EXPECT_NE(reply.head.find("text/plain; version=0.0.4"), std::string::npos);
  text_ = reply.body;
  std::istringstream lines(text_);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    const std::size_t space = line.rfind(' ');
    if (space == std::string::npos) continue;
    samples_[line.substr(0, space)] = std::atof(line.c_str() + space + 1);
  }
}

double Scrape::Value(const std::string& sample) const {
  const auto it = samples_.find(sample);
  return it == samples_.end() ? -1 : it->second;
}

MetricKinds Scrape::kinds() const {
  MetricKinds kinds;
  std::istringstream lines(text_);
  std::string name;
  std::string type;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# TYPE ")) {
      std::istringstream words(line.substr(7));
      words >> name >> type;
    } else if (!line.starts_with('#') && line.starts_with(name)) {
      kinds[name] = type + " " + LabelsOf(line);
    }
  }
  return kinds;
}

MetricKinds DocumentedMetrics(const std::string& page,
                              const std::vector<std::string>& headings) {
  static const std::regex row(
      R"(^\| `([a-z_]+)` \| ([a-z]+) \| ([^|]*) \| .+ \|$)");
  MetricKinds kinds;
  std::istringstream lines(page);
  bool wanted = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("## ")) {
      wanted = std::find(headings.begin(), headings.end(), line.substr(3)) !=
               headings.end();
    }
    std::smatch found;
    if (!wanted || !std::regex_match(line, found, row)) continue;
    const std::string labels = Without(Without(found[3], '`'), ' ');
    kinds[found[1]] = found[2].str() + " {" + labels + "}";
  }
  return kinds;
}

}  // namespace famfs::rig
