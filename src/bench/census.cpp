#include "bench/census.hpp"

#include <set>
#include <vector>

#include "bench/weights.hpp"
#include "numerics/linear.hpp"

namespace dmoe::bench {

Census census_of(distribution::Network& network) {
  Census census;
  std::set<Index> shapes;
  for (Index l = 0; l < network.spec().layer_count(); ++l) {
    const ConstMatrixView gates = network.gates(l);
    std::vector<Index> rows(size(gates.columns));
    for (Index b = 0; b < gates.rows; ++b) {
      for (Index i = 0; i < gates.columns; ++i) rows[size(i)] += gates(b, i) > 0 ? 1 : 0;
    }
    for (const Index count : rows) {
      census.rows.push_back(static_cast<double>(count));
      if (count == 0) continue;
      shapes.insert(numerics::padded_rows(count));
      census.chosen_weights += bytes_moved(network.spec(), l);
    }
  }
  census.shapes = static_cast<Index>(shapes.size());
  return census;
}

}  // namespace dmoe::bench
