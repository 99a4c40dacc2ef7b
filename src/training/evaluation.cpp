#include "training/evaluation.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

namespace dmoe::training {

bool for_each_batch(distribution::Network& network, const data::Dataset& dataset, const Pass& pass,
                    const StopRequested& stop_requested,
                    const std::function<void(const data::Batch&)>& visit) {
  const comm::Communicator& ranks = network.ranks();
  const Index count = dataset.example_count(pass.split);
  const Index capacity = std::min(pass.batch_size, count);
  const distribution::Masks masks = network.no_masks();
  data::Batch batch(capacity, dataset.input_width(), dataset.factors().size());
  std::vector<Index> examples(size(capacity));
  for (Index first = 0; first < count; first += capacity) {
    std::array<std::int64_t, 1> stop{stop_requested() ? 1 : 0};
    ranks.all_reduce(stop);
    if (stop[0] != 0) return false;
    examples.resize(size(std::min(capacity, count - first)));
    std::iota(examples.begin(), examples.end(), first);
    {
      const TimedActivity presenting(ranks.timing(), Activity::data);
      dataset.present(pass.split, examples,
                      {pass.draw.purpose, pass.draw.first + static_cast<std::uint64_t>(first)}, batch);
    }
    network.forward(batch.inputs(), masks);
    visit(batch);
  }
  return true;
}

std::optional<Score> evaluate(distribution::Network& network, const data::Dataset& dataset, const Pass& pass,
                              const StopRequested& stop_requested, Work* work) {
  numerics::Loss total;
  Work done{std::vector<Index>(size(network.spec().layer_count())), 0};
  Timing& timing = network.ranks().timing();
  const auto seconds_but_of_data = [&] {
    const auto seconds = timing.seconds();
    return std::accumulate(seconds.begin(), seconds.end(), 0.0) -
           seconds[static_cast<std::size_t>(Activity::data)];
  };
  const double began = seconds_but_of_data();
  const bool is_whole = for_each_batch(network, dataset, pass, stop_requested, [&](const data::Batch& batch) {
    const numerics::Loss loss = network.loss(batch.labels());
    total.sum += loss.sum;
    total.errors += loss.errors;
    for (Index l = 0; l < network.spec().layer_count(); ++l)
      done.expert_rows[size(l)] += network.expert_rows(l);
  });
  done.seconds = seconds_but_of_data() - began;
  if (work != nullptr) *work = std::move(done);
  if (!is_whole) return std::nullopt;
  const auto count = static_cast<double>(dataset.example_count(pass.split));
  return Score{total.sum / count, static_cast<double>(total.errors) / count};
}

}  // namespace dmoe::training
