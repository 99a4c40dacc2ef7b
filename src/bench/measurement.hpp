// One row of the table that every measurement of speed ends in.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/types.hpp"
#include "io/table.hpp"
#include "numerics/linear.hpp"

namespace dmoe::bench {

/// One value a repetition.
using Samples = std::vector<double>;

struct Spread {
  double median = 0;  // of an even number of samples, the mean of the two in the middle
  double smallest = 0;
  double largest = 0;
};
/// Of at least one sample. Local.
Spread spread_of(Samples samples);

/// a / b and a - b, repetition by repetition: what was measured side by side. Local.
Samples ratios(const Samples& a, const Samples& b);
Samples differences(const Samples& a, const Samples& b);
/// scale / sample, of each: a rate from a time. Local.
Samples inverses(double scale, const Samples& samples);

struct Quantity {
  std::string name;
  std::string unit;
};
inline const Quantity time_ms{"time", "ms"};
inline const Quantity gflops{"rate", "GFLOP/s"};
inline const Quantity bandwidth{"rate", "GB/s"};
inline const Quantity ratio{"ratio", ""};
inline const Quantity share{"share", ""};
inline const Quantity bytes{"bytes", "B"};

/// What was measured on. 0 or "": it has no such thing.
struct Subject {
  std::string network;  // "A", "16x50-16x50"; of the machine: which loop
  Index batch = 0;      // rows
  Index experts = 0;    // of a layer
  Index chosen = 0;     // of them by each row; all of a dense mixture
  Index ranks = 1;
};

struct Measurement {
  std::string name;  // "step", "products"
  Subject subject;
  Quantity quantity;
  Spread spread;
  Index repetitions = 0;
  Index rank = -1;  // -1: of all
  numerics::Precision precision = numerics::arithmetic_in_force().precision;
};

/// Takes the rows one by one, as they come, on the coordinator.
class Record {
 public:
  using Take = std::function<void(const Measurement&)>;
  explicit Record(Take take) : take_(std::move(take)) {}

  /// Local.
  void operator()(const std::string& name, const Subject& subject, const Quantity& quantity,
                  const Samples& samples, Index rank = -1) const {
    take_({name, subject, quantity, spread_of(samples), static_cast<Index>(samples.size()), rank});
  }

 private:
  Take take_;
};

/// The columns measurement, network, batch, experts, chosen, ranks, rank, precision, quantity, unit, median,
/// smallest, largest, repetitions. Where the subject has no such thing, NaN. Local.
std::vector<io::TableColumn> table_of(const std::vector<Measurement>& rows);

}  // namespace dmoe::bench
