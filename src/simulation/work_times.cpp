#include "simulation/work_times.hpp"

#include <algorithm>
#include <iterator>
#include <sstream>

#include "core/error.hpp"

namespace dmoe::simulation {

WorkTimes::WorkTimes(std::istream& table) {
  bool has_header = false;
  for (std::string line; std::getline(table, line);) {
    if (line.empty() || line.front() == '#') continue;
    if (has_header) take(line);
    if (!has_header && line != header)
      throw InputError("a table of work begins with '{}', this one with '{}'", header, line);
    has_header = true;
  }
  for (std::size_t u = 0; u < unit_names.size(); ++u) {
    if (!(units_[u] > 0))
      throw InputError("the table of work does not say how long a {} takes", unit_names[u]);
  }
}

void WorkTimes::take(const std::string& line) {
  std::istringstream stream(line);
  std::string name;
  std::getline(stream, name, ',');
  Index outputs = 0;
  Index inputs = 0;
  Index rows = 0;
  double nanoseconds = 0;
  char comma = 0;
  stream >> outputs >> comma >> inputs >> comma >> rows >> comma >> nanoseconds;
  if (!stream || nanoseconds < 0) throw InputError("the table of work has the line '{}'", line);
  if (const auto unit = std::ranges::find(unit_names, name); unit != unit_names.end()) {
    units_[static_cast<std::size_t>(unit - unit_names.begin())] = nanoseconds;
    return;
  }
  const auto product = std::ranges::find(product_names, name);
  if (product == product_names.end()) throw InputError("the table of work has the unknown work '{}'", name);
  products_[{static_cast<Product>(product - product_names.begin()), outputs, inputs}][rows] = nanoseconds;
}

double WorkTimes::product(Product product, Index rows, Index outputs, Index inputs) const {
  const auto shape = products_.find({product, outputs, inputs});
  if (shape == products_.end())
    throw InputError("the table of work has no {} of {} outputs and {} inputs: measure it (dmoe_work_times)",
                     product_names[static_cast<std::size_t>(product)], outputs, inputs);
  const std::map<Index, double>& by_rows = shape->second;
  const auto above = by_rows.lower_bound(rows);
  if (above == by_rows.end()) {
    const auto& [last_rows, last] = *by_rows.rbegin();
    return last * static_cast<double>(rows) / static_cast<double>(last_rows);
  }
  if (above->first == rows || above == by_rows.begin()) return above->second;
  const auto below = std::prev(above);
  const double way =
      static_cast<double>(rows - below->first) / static_cast<double>(above->first - below->first);
  return below->second + way * (above->second - below->second);
}

}  // namespace dmoe::simulation
