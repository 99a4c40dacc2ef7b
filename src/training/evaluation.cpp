#include "training/evaluation.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <numeric>
#include <vector>

#include "training/presented.hpp"

namespace dmoe::training {

bool for_each_batch(distribution::Network& network, const data::Dataset& dataset, const Pass& pass,
                    const StopRequested& stop_requested,
                    const std::function<void(const data::Batch&)>& visit) {
  const exchange::Grid& grid = network.grid();
  const Index count = dataset.example_count(pass.split);
  const Index capacity = std::min(pass.batch_size, count);
  const distribution::Masks masks = network.no_masks();
  PresentedBatch batch(network, dataset);
  std::vector<Index> examples(size(capacity));
  for (Index round = 0; round < count; round += grid.replicas() * capacity) {
    std::array<std::int64_t, 1> stop{stop_requested() ? 1 : 0};
    grid.world().all_reduce(stop);
    if (stop[0] != 0) return false;
    const Index first = round + grid.replica() * capacity;
    if (first >= count) continue;
    examples.resize(size(std::min(capacity, count - first)));
    std::iota(examples.begin(), examples.end(), first);
    batch.present(pass.split, examples,
                  {pass.draw.purpose, pass.draw.first + static_cast<std::uint64_t>(first)}, false);
    network.forward(batch.input(), masks);
    visit(batch.batch());
  }
  return true;
}

namespace {

/// The losses of all slices of all batches, added in their order, on ranks with gates, each of which brings
/// those that it met, one batch after the other.
numerics::Loss sum_of(const distribution::Network& network, const std::vector<numerics::Loss>& own,
                      Index batches) {
  const exchange::Grid& grid = network.grid();
  numerics::Loss total;
  if (!grid.has_gates()) return total;
  const auto slices = size(grid.evaluation_slice_count());
  const auto here = size(network.gate_slices().count());
  std::vector<std::int64_t> values(2 * slices * size(batches));
  for (std::size_t i = 0; i < own.size(); ++i) {
    const std::size_t batch = i / here * size(grid.replicas()) + size(grid.replica());
    const std::size_t place = 2 * (batch * slices + size(network.gate_slices().first()) + i % here);
    values[place] = std::bit_cast<std::int64_t>(own[i].sum);
    values[place + 1] = own[i].errors;
  }
  grid.homes().all_reduce(values);
  for (std::size_t place = 0; place < values.size(); place += 2)
    total += {std::bit_cast<double>(values[place]), values[place + 1]};
  return total;
}

}  // namespace

std::optional<Score> evaluate(distribution::Network& network, const data::Dataset& dataset, const Pass& pass,
                              const StopRequested& stop_requested, Work* work) {
  std::vector<numerics::Loss> losses;  // of slices at home here
  Work done{std::vector<Index>(size(network.spec().layer_count())), 0};
  Timing& timing = network.ranks().timing();
  const auto seconds_but_of_data = [&] {
    const ActivitySeconds seconds = timing.seconds();
    return total(seconds) - seconds[static_cast<std::size_t>(Activity::data)];
  };
  const double began = seconds_but_of_data();
  const bool is_whole = for_each_batch(network, dataset, pass, stop_requested, [&](const data::Batch& batch) {
    network.loss(batch.labels());
    losses.insert(losses.end(), network.slice_losses().begin(), network.slice_losses().end());
    for (Index l = 0; l < network.spec().layer_count(); ++l)
      done.expert_rows[size(l)] += network.expert_rows(l);
  });
  done.seconds = seconds_but_of_data() - began;
  if (work != nullptr) *work = std::move(done);
  if (!is_whole) return std::nullopt;
  const Index examples = dataset.example_count(pass.split);
  const Index capacity = std::min(pass.batch_size, examples);
  const Index batches = examples == 0 ? 0 : (examples + capacity - 1) / capacity;
  const numerics::Loss total = sum_of(network, losses, batches);
  const auto count = static_cast<double>(examples);
  return Score{total.sum / count, static_cast<double>(total.errors) / count};
}

}  // namespace dmoe::training
