#include "bench/work.hpp"

#include <algorithm>

#include "exchange/topology.hpp"

namespace dmoe::bench {

double work(const model::NetworkSpec& spec, Pass pass, Index ranks, Index rank) {
  const Index most_passes = pass == Pass::step ? 3 : 1;
  Index sum = 0;
  for (Index l = 0; l < spec.layer_count(); ++l) {
    const model::LayerSpec& layer = spec.layers[size(l)];
    const Index inputs = spec.input_width(l);
    const Index passes = l == 0 ? std::min<Index>(most_passes, 2) : most_passes;
    sum += passes * inputs * layer.hidden * exchange::Topology(layer.experts, ranks).range(rank).count;
    if (rank == 0) {
      sum += passes * inputs * layer.gate_hidden + most_passes * layer.gate_hidden * layer.experts;
    }
  }
  if (rank == 0) sum += most_passes * spec.classes * spec.input_width(spec.layer_count());
  return static_cast<double>(sum);
}

double speedup_ceiling(const model::NetworkSpec& spec, Pass pass, Index ranks) {
  double all = 0;
  double busiest = 0;
  for (Index rank = 0; rank < ranks; ++rank) {
    const double of_rank = work(spec, pass, ranks, rank);
    all += of_rank;
    busiest = std::max(busiest, of_rank);
  }
  return all / busiest;
}

}  // namespace dmoe::bench
