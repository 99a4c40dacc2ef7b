// bench replicas: what slices of a batch cost one rank, and what replicas and shards gain on all.
#include <algorithm>
#include <list>
#include <string>

#include <fmt/format.h>

#include "bench/bench.hpp"
#include "bench/repetition.hpp"
#include "bench/stepped_training.hpp"
#include "bench/work.hpp"

namespace dmoe::bench {

namespace {

/// Trainings that are stepped in turn, and what each is called.
class Contest {
 public:
  Contest(const comm::Communicator& world, const Options& options, Index rows)
      : world_(world), options_(options), rows_(rows), images_(random_images(rows, 1)) {}

  void add(const std::string& name, Where where, const exchange::Grid& grid) {
    const bool is_here = where == Where::everywhere || world_.is_coordinator();
    names_.push_back(name);
    SteppedTraining* const training =
        is_here ? &trainings_.emplace_back(options_.network.spec, grid, images_, rows_, "margin") : nullptr;
    tasks_.push_back({where, count(), [this, training] { training->steps(count()); }});
  }
  /// The first is what the others are compared with. Collective.
  void run(const Record& record) const {
    const std::vector<Samples> samples = in_turn(world_, options_.repetitions.value_or(7), tasks_);
    if (!world_.is_coordinator()) return;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const bool is_of_all = tasks_[i].where == Where::everywhere;
      const Subject subject = options_.network.subject(rows_, is_of_all ? world_.size() : 1);
      record(names_[i], subject, time_ms, samples[i]);
      if (is_of_all) {
        record(names_[i], subject, {"speedup", ""}, ratios(samples.front(), samples[i]));
      } else if (i > 0) {
        record(names_[i], subject, {"over_whole_batch", ""}, ratios(samples[i], samples.front()));
      }
    }
  }

 private:
  Index count() const { return options_.steps.value_or(50); }

  const comm::Communicator& world_;
  const Options& options_;
  Index rows_;
  data::ImageDataset images_;
  std::list<SteppedTraining> trainings_;  // stay where they are
  std::vector<std::string> names_;
  std::vector<Task> tasks_;
};

/// The layouts of more than one rank that this batch and network allow.
void add_layouts_of_all(const comm::Communicator& world, Index rows, Index experts, Contest& contest) {
  const Index ranks = world.size();
  if (ranks <= experts) contest.add("step_of_shards", Where::everywhere, world);
  if (ranks <= std::min(rows, experts))
    contest.add("step_of_shards_gating_rows", Where::everywhere,
                {world, 1, {rows, 1, ranks}, exchange::Gating::rows});
  if (ranks <= rows) contest.add("step_of_replicas", Where::everywhere, {world, ranks, {rows, ranks}});
}

}  // namespace

void replicas(const comm::Communicator& world, const Options& options, const Record& record) {
  const comm::Communicator alone = comm::Communicator::local();
  for (const Index rows : options.batch_sizes_or({128, 512, 2048})) {
    Contest contest(world, options, rows);
    contest.add("step", Where::coordinator, alone);
    for (const Index slices : {2, 4, 8})
      contest.add(fmt::format("step_in_{}_slices", slices), Where::coordinator, {alone, 1, {rows, slices}});
    if (world.size() > 1) add_layouts_of_all(world, rows, options.network.spec.most_experts(), contest);
    contest.run(record);
  }
}

}  // namespace dmoe::bench
