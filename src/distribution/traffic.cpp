#include "distribution/traffic.hpp"

#include <algorithm>
#include <numeric>

#include "exchange/topology.hpp"

namespace dmoe::distribution {

namespace {

constexpr Index value_bytes = sizeof(float);
constexpr Index integer_bytes = sizeof(std::int64_t);

/// Ranks beside this one that own experts.
Index other_owners(const exchange::Topology& topology, Index own) {
  Index owners = 0;
  for (Index rank = 0; rank < topology.ranks(); ++rank)
    owners += rank != own && topology.range(rank).count > 0 ? 1 : 0;
  return owners;
}

/// Tensors that values [first, end) of all have a part of.
Index tensors_in(const std::vector<Index>& lengths, const exchange::ExpertRange& values) {
  Index count = 0;
  Index begin = 0;
  for (const Index length : lengths) {
    if (std::max(begin, values.first) < std::min(begin + length, values.end())) ++count;
    begin += length;
  }
  return count;
}

}  // namespace

StepTraffic bytes_per_step(const model::NetworkSpec& spec, Index ranks, Index rows,
                           const std::map<Index, RoutedTraffic>& routed) {
  const Index column_bytes = rows * static_cast<Index>(sizeof(float));  // of a (B, 1) matrix
  const Index others = ranks - 1;
  StepTraffic bytes;
  for (Index l = 0; l < spec.layer_count(); ++l) {
    const model::LayerSpec& layer = spec.layers[size(l)];
    const exchange::Topology topology(layer.experts, ranks);
    Index blocks = 0;
    for (Index rank = 1; rank < ranks; ++rank) blocks += static_cast<Index>(topology.blocks(rank).size());
    const Index away = layer.experts - topology.range(0).count;
    const Index owners = other_owners(topology, 0);
    if (layer.is_gated()) bytes.totals += integer_bytes * layer.experts;
    if (const auto found = routed.find(l); found != routed.end()) {
      const auto& [most, needed_rows, block_rows, choices, partners] = found->second;
      bytes.messages_sent += others + (l > 0 ? 2 : 1) * partners;
      bytes.messages_received += (l > 0 ? 3 : 2) * partners;
      if (l > 0) {
        bytes.outputs += needed_rows * value_bytes * spec.input_width(l);
        bytes.input_sums += block_rows * value_bytes * spec.input_width(l);
      }
      bytes.gates += others * column_bytes * 2 * most;
      bytes.gate_gradients += choices * value_bytes;
      bytes.output_sums += block_rows * value_bytes * spec.output_width(l);
      bytes.output_gradients += needed_rows * value_bytes * spec.output_width(l);
      continue;
    }
    if (l > 0 && layer.is_sharded()) {
      bytes.messages_sent += others;
      bytes.messages_received += owners;
      bytes.outputs += others * column_bytes * spec.input_width(l);
      bytes.input_sums += blocks * column_bytes * spec.input_width(l);
    }
    if (layer.is_gated()) {
      bytes.messages_sent += 2 * others;
      bytes.messages_received += 2 * owners;
      bytes.gates += others * column_bytes * layer.experts;
      bytes.gate_gradients += column_bytes * away;
      bytes.output_sums += blocks * column_bytes * spec.output_width(l);
      bytes.output_gradients += others * column_bytes * spec.output_width(l);
    } else if (layer.is_sharded()) {
      bytes.messages_sent += owners;
      bytes.messages_received += owners;
      bytes.output_sums += column_bytes * away * layer.hidden;
      bytes.output_gradients += column_bytes * away * layer.hidden;
    }
  }
  bytes.totals += 3 * integer_bytes;  // requests: stop, checkpoint, help
  return bytes;
}

RankTraffic& RankTraffic::operator+=(const RankTraffic& other) {
  bytes_sent += other.bytes_sent;
  bytes_received += other.bytes_received;
  messages_sent += other.messages_sent;
  messages_received += other.messages_received;
  return *this;
}

namespace {

/// Of one layer of homes.
class HomeLayer {
 public:
  HomeLayer(const exchange::Topology& topology, const exchange::Homes& homes)
      : topology_(topology),
        homes_(homes),
        own_(homes.own_rank()),
        b_(homes.own().count),
        away_(homes.rows() - b_) {
    homes.for_each_other([this](int /*rank*/, const model::RowRange& /*rows*/) { ++other_homes_; });
  }

  /// Rows at home here to all others, as many from them.
  RankTraffic shared(Index width) const {
    const Index others = homes_.ranks() - 1;
    return of(others * b_, away_, width, others, others);
  }
  /// Of each expert its rows to their homes.
  RankTraffic columns() const {
    const Index n = topology_.range(own_).count;
    const Index owners = other_owners(topology_, own_);
    return of(n * away_, (topology_.experts() - n) * b_, 1, n > 0 ? other_homes_ : 0, b_ > 0 ? owners : 0);
  }
  /// The same of `own` tables of all (experts, blocks), a message each.
  RankTraffic tables(Index own, Index all, Index width) const {
    return of(own * away_, (all - own) * b_, width, own * other_homes_, b_ > 0 ? all - own : 0);
  }
  RankTraffic blocks(Index width) const {
    Index all = 0;
    for (Index rank = 0; rank < topology_.ranks(); ++rank)
      all += static_cast<Index>(topology_.blocks(rank).size());
    return tables(static_cast<Index>(topology_.blocks(own_).size()), all, width);
  }
  RankTraffic experts(Index width) const {
    return tables(topology_.range(own_).count, topology_.experts(), width);
  }

  /// What rows of this home say to owners, and what other homes' rows say to this owner: `count` of the rows
  /// of a home that chose an expert of [first, end).
  template <class Count>
  RankTraffic to_owners(Index width, const Count& count) const {
    RankTraffic sum;
    for (Index rank = 0; rank < topology_.ranks(); ++rank) {
      if (rank == own_) continue;
      const auto between = [&](Index home, Index owner) {
        const exchange::ExpertRange range = topology_.range(owner);
        return count(homes_.of(home), range.first, range.end());
      };
      const Index sent = between(own_, rank);
      const Index received = between(rank, own_);
      sum += of(sent, received, width, sent > 0 ? 1 : 0, received > 0 ? 1 : 0);
    }
    return sum;
  }
  /// What comes back.
  static RankTraffic back(const RankTraffic& there) {
    return {there.bytes_received, there.bytes_sent, there.messages_received, there.messages_sent};
  }
  /// Sums of blocks for the rows that chose an expert in them.
  template <class Count>
  RankTraffic block_sums(Index width, const Count& count) const {
    RankTraffic sum;
    for (Index rank = 0; rank < topology_.ranks(); ++rank) {
      for (const model::TreeBlock& block : topology_.blocks(rank)) {
        const auto rows = [&](Index home) {
          return count(homes_.of(home), block.first, block.first + block.width);
        };
        if (rank != own_) {
          const Index received = rows(own_);
          sum += of(0, received, width, 0, received > 0 ? 1 : 0);
          continue;
        }
        homes_.for_each_other([&](int home, const model::RowRange& /*rows*/) {
          const Index sent = rows(home);
          sum += of(sent, 0, width, sent > 0 ? 1 : 0, 0);
        });
      }
    }
    return sum;
  }

 private:
  static RankTraffic of(Index sent, Index received, Index width, Index messages_sent,
                        Index messages_received) {
    return {value_bytes * sent * width, value_bytes * received * width, messages_sent, messages_received};
  }
  exchange::Topology topology_;
  const exchange::Homes& homes_;
  Index own_;
  Index b_;
  Index away_;
  Index other_homes_ = 0;
};

}  // namespace

RankTraffic home_traffic(const model::NetworkSpec& spec, const exchange::Homes& homes,
                         const std::map<Index, ConstMatrixView>& chosen) {
  RankTraffic sum;
  for (Index l = 0; l < spec.layer_count(); ++l) {
    const model::LayerSpec& layer = spec.layers[size(l)];
    if (!layer.is_sharded()) continue;
    const Index inputs = spec.input_width(l);
    const Index outputs = spec.output_width(l);
    const HomeLayer of({layer.experts, homes.ranks()}, homes);
    if (const auto found = chosen.find(l); found != chosen.end()) {
      const auto choices_of = [&, &g = found->second](Index row, Index first, Index end) {
        Index count = 0;
        for (Index i = first; i < std::min(end, g.columns); ++i) count += g(row, i) != 0 ? 1 : 0;
        return count;
      };
      const auto choices = [&](const model::RowRange& rows, Index first, Index end) {
        Index count = 0;
        for (Index b = 0; b < rows.count; ++b) count += choices_of(rows.first + b, first, end);
        return count;
      };
      const auto choosing = [&](const model::RowRange& rows, Index first, Index end) {
        Index count = 0;
        for (Index b = 0; b < rows.count; ++b) count += choices_of(rows.first + b, first, end) > 0 ? 1 : 0;
        return count;
      };
      sum += of.to_owners(3, choices);
      sum += of.block_sums(outputs, choosing);
      sum += of.to_owners(outputs, choosing);
      sum += HomeLayer::back(of.to_owners(1, choices));
      if (l == 0) continue;
      sum += of.to_owners(inputs, choosing);
      sum += of.block_sums(inputs, choosing);
      continue;
    }
    if (l > 0) {
      sum += of.shared(inputs);
      sum += of.blocks(inputs);
    }
    if (layer.is_gated()) {
      for (const Index width : {layer.experts, outputs}) sum += of.shared(width);
      sum += of.blocks(outputs);
      sum += of.columns();
    } else {
      sum += of.experts(layer.hidden);
      sum += HomeLayer::back(of.experts(layer.hidden));
    }
  }
  return sum;
}

std::vector<Index> parameter_lengths(const model::NetworkSpec& spec, Index ranks, Index rank) {
  std::vector<Index> lengths;
  for (Index l = 0; l < spec.layer_count(); ++l) {
    const auto& [experts, hidden, gate_hidden, kind] = spec.layers[size(l)];
    const Index inputs = spec.input_width(l);
    const bool is_coordinator = rank == 0;
    const Index own = spec.layers[size(l)].is_sharded() ? exchange::Topology(experts, ranks).range(rank).count
                      : is_coordinator                  ? 1
                                                        : 0;
    lengths.insert(lengths.end(), {own * hidden * inputs, own * hidden});
    if (kind == model::LayerKind::classifier_mixture)
      lengths.insert(lengths.end(), {own * spec.classes * hidden, own * spec.classes});
    if (!spec.layers[size(l)].is_gated()) continue;
    const Index gates = is_coordinator ? 1 : 0;
    for (const Index length : {gate_hidden * inputs, gate_hidden, experts * gate_hidden, experts})
      lengths.push_back(gates * length);
  }
  if (spec.has_head()) {
    const Index heads = rank == 0 ? 1 : 0;
    lengths.insert(lengths.end(),
                   {heads * spec.classes * spec.input_width(spec.layer_count()), heads * spec.classes});
  }
  return lengths;
}

std::vector<RankTraffic> replica_traffic(const std::vector<Index>& lengths, Index slices, Index replicas,
                                         GradientSharing sharing) {
  std::vector<RankTraffic> traffic(size(replicas));
  if (replicas == 1) return traffic;
  const Index values = std::reduce(lengths.begin(), lengths.end());
  const exchange::Topology chunks(values, replicas);
  const exchange::Topology shares(slices, replicas);
  std::vector<Index> blocks;   // of each replica's slices
  std::vector<Index> tensors;  // in each replica's chunk
  for (Index r = 0; r < replicas; ++r) {
    blocks.push_back(static_cast<Index>(shares.blocks(r).size()));
    tensors.push_back(tensors_in(lengths, chunks.range(r)));
  }
  const Index all_blocks = std::reduce(blocks.begin(), blocks.end());
  const Index all_tensors = std::reduce(tensors.begin(), tensors.end());
  const Index times_back = sharing == GradientSharing::yes ? 2 : 1;  // gradients, weights
  const Index others = replicas - 1;
  for (Index r = 0; r < replicas; ++r) {
    const Index own = chunks.range(r).count;
    const Index own_blocks = blocks[size(r)];
    const Index own_tensors = tensors[size(r)];
    const Index other_blocks = all_blocks - own_blocks;
    const Index other_tensors = all_tensors - own_tensors;
    traffic[size(r)] = {value_bytes * (own_blocks * (values - own) + times_back * others * own),
                        value_bytes * (other_blocks * own + times_back * (values - own)),
                        own_blocks * other_tensors + times_back * others * own_tensors,
                        other_blocks * own_tensors + times_back * other_tensors};
  }
  return traffic;
}

std::int64_t loss_bytes(Index gate_slices, Index homes) {
  return homes > 1 ? 2 * integer_bytes * gate_slices : 0;
}

}  // namespace dmoe::distribution
