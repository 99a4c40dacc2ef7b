#include "bench/census.hpp"

#include <set>
#include <vector>

#include "exchange/topology.hpp"
#include "numerics/linear.hpp"

namespace dmoe::bench {

Index bytes_moved(const model::NetworkSpec& spec, Index layer) {
  const Index times = 1 + (layer == 0 ? 0 : 1) + 1 + 3;
  return times * static_cast<Index>(sizeof(float)) * spec.layers[size(layer)].hidden *
         spec.input_width(layer);
}

Index parameter_bytes(const model::NetworkSpec& spec, Index ranks, Index rank) {
  Index values = rank == 0 ? (spec.input_width(spec.layer_count()) + 1) * spec.classes : 0;
  for (Index l = 0; l < spec.layer_count(); ++l) {
    const auto& [experts, hidden, gate_hidden, kind] = spec.layers[size(l)];
    const Index inputs = spec.input_width(l);
    values += exchange::Topology(experts, ranks).range(rank).count * hidden * (inputs + 1);
    if (rank == 0) values += gate_hidden * (inputs + 1) + experts * (gate_hidden + 1);
  }
  return 2 * values * static_cast<Index>(sizeof(float));
}

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
