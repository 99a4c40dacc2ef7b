#include "bench/measurement.hpp"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

namespace dmoe::bench {

namespace {

template <class Combine>
Samples combined(const Samples& a, const Samples& b, Combine combine) {
  assert(a.size() == b.size());
  Samples result(a.size());
  std::ranges::transform(a, b, result.begin(), combine);
  return result;
}

double number_or_none(Index count) {
  return count == 0 ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(count);
}

}  // namespace

Spread spread_of(Samples samples) {
  assert(!samples.empty());
  std::ranges::sort(samples);
  const std::size_t upper = samples.size() / 2;
  const std::size_t lower = (samples.size() - 1) / 2;
  return {(samples[lower] + samples[upper]) / 2, samples.front(), samples.back()};
}

Samples ratios(const Samples& a, const Samples& b) {
  return combined(a, b, [](double x, double y) { return x / y; });
}

Samples differences(const Samples& a, const Samples& b) {
  return combined(a, b, [](double x, double y) { return x - y; });
}

Samples inverses(double scale, const Samples& samples) {
  return ratios(Samples(samples.size(), scale), samples);
}

std::vector<io::TableColumn> table_of(const std::vector<Measurement>& rows) {
  std::vector<io::TableColumn> columns;
  const auto texts = [&](const std::string& name, auto value) {
    std::vector<std::string> values;
    for (const Measurement& row : rows) values.push_back(value(row));
    columns.push_back({name, "text", std::move(values)});
  };
  const auto numbers = [&](const std::string& name, const std::string& units, auto value) {
    std::vector<double> values;
    for (const Measurement& row : rows) values.push_back(value(row));
    columns.push_back({name, units, std::move(values)});
  };
  const auto measured = "the row's unit";
  texts("measurement", [](const Measurement& row) { return row.name; });
  texts("network", [](const Measurement& row) { return row.subject.network; });
  numbers("batch", "rows", [](const Measurement& row) { return number_or_none(row.subject.batch); });
  numbers("experts", "1", [](const Measurement& row) { return number_or_none(row.subject.experts); });
  numbers("chosen", "1", [](const Measurement& row) { return number_or_none(row.subject.chosen); });
  numbers("ranks", "1", [](const Measurement& row) { return static_cast<double>(row.subject.ranks); });
  numbers("rank", "1", [](const Measurement& row) { return static_cast<double>(row.rank); });
  texts("precision", [](const Measurement& /*row*/) { return "float32"; });
  texts("quantity", [](const Measurement& row) { return row.quantity.name; });
  texts("unit", [](const Measurement& row) { return row.quantity.unit; });
  numbers("median", measured, [](const Measurement& row) { return row.spread.median; });
  numbers("smallest", measured, [](const Measurement& row) { return row.spread.smallest; });
  numbers("largest", measured, [](const Measurement& row) { return row.spread.largest; });
  numbers("repetitions", "1", [](const Measurement& row) { return static_cast<double>(row.repetitions); });
  return columns;
}

}  // namespace dmoe::bench
