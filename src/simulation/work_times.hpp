// How long work takes on one core, as it was measured (dmoe_work_times): the table that a simulation charges
// from.
#pragma once

#include <array>
#include <istream>
#include <map>
#include <string>
#include <tuple>

#include "core/simulation.hpp"
#include "core/types.hpp"

namespace dmoe::simulation {

/// "output", "input_gradient", .. and "byte", "logit", .. in the order of the enumerations.
inline constexpr std::array product_names{"output", "input_gradient", "weight_gradient",
                                          "added_weight_gradient"};
inline constexpr std::array unit_names{"byte", "logit", "choice", "exponential"};

/// Lines of comments (#), the header work,outputs,inputs,rows,nanoseconds, then products of shapes, each for
/// a few numbers of rows, and what one of each unit takes, with 0 for outputs, inputs and rows.
class WorkTimes {
 public:
  static constexpr const char* header = "work,outputs,inputs,rows,nanoseconds";

  /// Throws InputError for a line that is none of these, and where a unit is missing.
  explicit WorkTimes(std::istream& table);

  /// Nanoseconds of a product: in between two numbers of rows on the line through them, beyond the last in
  /// proportion to the rows. InputError where nobody has measured its outputs and inputs. Local.
  double product(Product product, Index rows, Index outputs, Index inputs) const;
  /// Nanoseconds of one. Local.
  double unit(Unit of) const { return units_[static_cast<std::size_t>(of)]; }

 private:
  using Shape = std::tuple<Product, Index, Index>;  // outputs, inputs
  void take(const std::string& line);

  std::map<Shape, std::map<Index, double>> products_;  // nanoseconds by rows
  std::array<double, unit_names.size()> units_{};
};

}  // namespace dmoe::simulation
