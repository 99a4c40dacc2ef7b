#include "training/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "core/error.hpp"
#include "distribution/sample_network.hpp"
#include "support/world.hpp"
#include "training/tiny_dataset.hpp"

namespace dmoe::training {
namespace {

using test::TinyDataset;
using test::world;
using testing::ElementsAre;

const model::NetworkSpec network_spec{TinyDataset::inputs, TinyDataset::classes, {{7, 4, 3}, {4, 5, 2}}};
const StopRequested never = [] { return false; };

PartSpec part(const std::string& name, const std::vector<std::pair<std::string, SettingValue>>& values) {
  PartSpec made{name, {}};
  for (const auto& [key, value] : values) made.settings.set(key, value);
  return made;
}

/// 22 examples in batches of 8, 8 and 6: 3 steps an epoch, 2 epochs balanced and 1 not.
TrainingSpec training_spec() {
  TrainingSpec spec;
  spec.seed = 4;
  spec.batch_size = 8;
  spec.log_every_steps = 4;
  spec.evaluation = {2, 5};
  spec.phases = {{"constrained", 2, part("margin", {{"margin", 0.5}}), part("constant", {{"start", 0.5}})},
                 {"fine_tune", 1, part("none", {}), part("exponential", {{"start", 0.25}, {"end", 0.01}})}};
  return spec;
}

/// Keeps everything it is told.
class Recorder : public Observer {
 public:
  void began(const Plan& plan) override { plans.push_back(plan); }
  void stepped(const LogRow& row) override { steps.push_back(row); }
  void logged(const LogRow& row) override { rows.push_back(row); }
  void evaluated(const EvaluationRow& row, const RankSeconds& seconds) override {
    evaluations.push_back(row);
    ranks.push_back(seconds.size());
  }
  std::vector<Plan> plans;
  std::vector<LogRow> steps;
  std::vector<LogRow> rows;
  std::vector<EvaluationRow> evaluations;
  std::vector<std::size_t> ranks;
};

/// A network in training on some ranks.
struct Training {
  Training(const comm::Communicator& ranks, TrainingSpec of, StopRequested stop = never, Index validation = 0)
      : spec(std::move(of)),
        dataset(22, validation, 10),
        network(network_spec, ranks, spec.seed, Trainer::capacity(spec, ranks)),
        trainer(spec, network, dataset, recorder, std::move(stop)) {}
  std::vector<float> weights() {
    std::vector<float> all;
    network.for_each_parameter([&](const model::Parameter& parameter) {
      all.insert(all.end(), parameter.values.begin(), parameter.values.end());
    });
    return all;
  }
  TrainingSpec spec;
  TinyDataset dataset;
  Recorder recorder;
  distribution::Network network;
  Trainer trainer;
};

TEST(Trainer, announces_its_plan) {
  Training training(world(), training_spec());
  EXPECT_EQ(training.trainer.run(), Outcome::finished);
  EXPECT_EQ(training.trainer.steps_done(), 9);
  if (!world().is_coordinator()) {
    EXPECT_TRUE(training.recorder.plans.empty());
    EXPECT_TRUE(training.recorder.steps.empty());
    return;
  }
  ASSERT_EQ(training.recorder.plans.size(), 1U);
  const Plan& plan = training.recorder.plans.front();
  EXPECT_EQ(plan.steps, 9);
  EXPECT_EQ(plan.steps_per_epoch, 3);
  EXPECT_EQ(plan.epochs, 3);
  EXPECT_THAT(plan.phases, ElementsAre("constrained", "fine_tune"));
  EXPECT_THAT(plan.phase_steps, ElementsAre(6, 3));
}

TEST(Trainer, logs_the_means_since_the_last_row) {
  Training training(world(), training_spec());
  training.trainer.run();
  // The same steps by hand.
  Training by_hand(world(), training_spec());
  const std::vector<Index> rows_of_step{8, 8, 6, 8, 8, 6, 8, 8, 6};
  std::vector<double> losses;
  std::vector<double> errors;
  std::vector<std::vector<Index>> masked_steps;  // of layer 1 after each step
  std::vector<std::vector<balance::Total>> totals;
  for (Index t = 0; t < 9; ++t) {
    if (t == 0) by_hand.trainer.begin_phase(0);
    if (t == 6) by_hand.trainer.begin_phase(1);
    const numerics::Loss loss = by_hand.trainer.step(t < 6 ? 0.5 : 0.25);
    losses.push_back(loss.sum);
    errors.push_back(static_cast<double>(loss.errors));
    const balance::Balancer& balancer = by_hand.trainer.balancer(0);
    masked_steps.emplace_back(balancer.masked_steps().begin(), balancer.masked_steps().end());
    totals.emplace_back(balancer.totals().begin(), balancer.totals().end());
  }
  EXPECT_EQ(training.weights(), by_hand.weights());
  if (!world().is_coordinator()) return;

  const std::vector<LogRow>& rows = training.recorder.rows;
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(training.recorder.steps.size(), 9U);
  Index from = 0;
  Index masked = 0;
  const std::vector<Index> ends{4, 8, 9};
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const LogRow& row = rows[k];
    double loss = 0;
    double error = 0;
    Index examples = 0;
    for (Index t = from; t < ends[k]; ++t) {
      loss += losses[size(t)];
      error += errors[size(t)];
      examples += rows_of_step[size(t)];
    }
    EXPECT_EQ(row.step, ends[k]);
    EXPECT_EQ(row.epoch, (ends[k] - 1) / 3);
    EXPECT_EQ(row.phase, k == 0 ? 0 : 1);
    EXPECT_DOUBLE_EQ(row.loss, loss / static_cast<double>(examples));
    EXPECT_DOUBLE_EQ(row.error, error / static_cast<double>(examples));
    EXPECT_DOUBLE_EQ(row.learning_rate, k == 0 ? 0.5 : 0.25);
    EXPECT_GT(row.examples_per_second, 0);
    ASSERT_EQ(row.layers.size(), 2U);
    for (std::size_t i = 0; i < 7; ++i) {
      const std::size_t last = size(ends[k] - 1);
      const Index before = from == 0 ? 0 : masked_steps[size(from - 1)][i];
      EXPECT_EQ(row.layers[0].totals[i], balance::to_examples(totals[last][i]));
      EXPECT_DOUBLE_EQ(row.layers[0].masked_fraction[i], static_cast<double>(masked_steps[last][i] - before) /
                                                             static_cast<double>(ends[k] - from));
      masked += masked_steps[last][i] - before;
    }
    from = ends[k];
  }
  EXPECT_GT(masked, 0);
  double seen = 0;
  for (const double total : rows.back().layers[1].totals) seen += total;
  EXPECT_NEAR(seen, 66.0, 66 * 4 * 0x1p-23);
}

TEST(Trainer, tells_every_step_the_mean_so_far) {
  Training training(world(), training_spec());
  training.trainer.run();
  if (!world().is_coordinator()) return;
  for (Index t = 0; t < 9; ++t) {
    const LogRow& row = training.recorder.steps[size(t)];
    EXPECT_EQ(row.step, t + 1);
    EXPECT_TRUE(row.layers.empty());
  }
  EXPECT_EQ(training.recorder.steps[3].loss, training.recorder.rows[0].loss);
  EXPECT_EQ(training.recorder.steps[8].loss, training.recorder.rows[2].loss);
  EXPECT_NE(training.recorder.steps[4].loss, training.recorder.rows[0].loss);
}

TEST(Trainer, evaluates_every_few_epochs_and_at_the_end) {
  for (const Index validation : {0, 4}) {
    Training training(world(), training_spec(), never, validation);
    training.trainer.run();
    // What it says at the end is what another evaluation of the final weights says.
    const auto score = [&](data::Split split) {
      return evaluate(training.network, training.dataset, {split, {Purpose::evaluation_transform, 22}, 5},
                      never)
          .value_or(Score{});
    };
    const Score test_score = score(data::Split::test);
    const Score train_score = score(data::Split::train);
    const Score validation_score = validation > 0 ? score(data::Split::validation) : Score{};
    if (!world().is_coordinator()) {
      EXPECT_TRUE(training.recorder.evaluations.empty());
      continue;
    }
    ASSERT_EQ(training.recorder.evaluations.size(), 2U);
    EXPECT_EQ(training.recorder.evaluations[0].epoch, 2);
    const EvaluationRow& last = training.recorder.evaluations[1];
    EXPECT_EQ(last.epoch, 3);
    EXPECT_EQ(last.has_validation, validation > 0);
    EXPECT_EQ(last.test.loss, test_score.loss);
    EXPECT_EQ(last.test.error, test_score.error);
    EXPECT_EQ(last.train.loss,
              train_score.loss);  // the second draw over the training set: from presentation 22 on
    EXPECT_EQ(last.validation.loss, validation_score.loss);
    EXPECT_THAT(training.recorder.ranks, testing::Each(static_cast<std::size_t>(world().size())));
  }
}

TEST(Trainer, evaluates_once_where_only_the_end_is_asked_for) {
  TrainingSpec spec = training_spec();
  for (const Index every : {0, 3, 5}) {
    spec.evaluation.every_epochs = every;
    Training training(world(), spec);
    training.trainer.run();
    EXPECT_EQ(training.recorder.evaluations.size(), world().is_coordinator() ? 1U : 0U);
  }
}

TEST(Trainer, stops_all_ranks_at_the_step_at_which_one_is_asked) {
  for (int asked = 0; asked < world().size(); ++asked) {
    int questions = 0;  // one a step
    Training training(world(), training_spec(), [&] { return ++questions == 5 && world().rank() == asked; });
    EXPECT_EQ(training.trainer.run(), Outcome::stopped);
    EXPECT_EQ(training.trainer.steps_done(), 5);
    if (!world().is_coordinator()) continue;
    ASSERT_EQ(training.recorder.rows.size(), 2U);
    EXPECT_EQ(training.recorder.rows.back().step, 5);
    EXPECT_TRUE(training.recorder.evaluations.empty());
  }
}

TEST(Trainer, stops_half_way_through_an_evaluation) {
  int questions = 0;
  Training training(world(), training_spec(),
                    [&] { return ++questions == 8 && world().rank() == world().size() - 1; });
  EXPECT_EQ(training.trainer.run(), Outcome::stopped);
  EXPECT_EQ(training.trainer.steps_done(), 6);  // 2 epochs, then the evaluation's second batch
  EXPECT_TRUE(training.recorder.evaluations.empty());
}

TEST(Trainer, has_the_bits_of_one_rank) {
  TrainingSpec spec = training_spec();
  spec.momentum = 0.5;
  spec.weight_decay = 0.01;
  const comm::Communicator alone = comm::Communicator::local();
  Training sharded(world(), spec);
  Training whole(alone, spec);
  sharded.trainer.run();
  whole.trainer.run();
  std::vector<model::Parameter> expected;
  whole.network.for_each_parameter([&](const model::Parameter& parameter) { expected.push_back(parameter); });
  std::size_t tensor = 0;
  sharded.network.for_each_parameter([&](const model::Parameter& parameter) {
    const auto& values = expected.at(tensor++).values;
    if (parameter.count == 0) return;
    const auto own =
        values.subspan(size(parameter.first * test::block_size(parameter)), parameter.values.size());
    EXPECT_TRUE(std::ranges::equal(parameter.values, own)) << parameter.name;
  });
  if (!world().is_coordinator()) return;
  for (std::size_t t = 0; t < 9; ++t) EXPECT_EQ(sharded.recorder.steps[t].loss, whole.recorder.steps[t].loss);
  for (std::size_t k = 0; k < 3; ++k) {
    for (std::size_t l = 0; l < 2; ++l) {
      EXPECT_EQ(sharded.recorder.rows[k].layers[l].totals, whole.recorder.rows[k].layers[l].totals);
      EXPECT_EQ(sharded.recorder.rows[k].layers[l].masked_fraction,
                whole.recorder.rows[k].layers[l].masked_fraction);
    }
  }
  for (std::size_t k = 0; k < 2; ++k) {
    EXPECT_EQ(sharded.recorder.evaluations[k].test.loss, whole.recorder.evaluations[k].test.loss);
    EXPECT_EQ(sharded.recorder.evaluations[k].train.error, whole.recorder.evaluations[k].train.error);
  }
}

/// Everything that training changes.
struct Snapshot {
  std::vector<float> weights;
  std::vector<std::vector<float>> velocities;
  State state;
};

Snapshot taken(Training& training) {
  Snapshot snapshot{training.weights(), {}, training.trainer.state()};
  training.trainer.optimizer().for_each_velocity([&](const model::Parameter& velocity) {
    snapshot.velocities.emplace_back(velocity.values.begin(), velocity.values.end());
  });
  return snapshot;
}

void put_back(const Snapshot& snapshot, Training& training) {
  auto weight = snapshot.weights.begin();
  training.network.for_each_parameter([&](const model::Parameter& parameter) {
    std::copy_n(weight, parameter.values.size(), parameter.values.begin());
    weight += static_cast<std::ptrdiff_t>(parameter.values.size());
  });
  auto velocity = snapshot.velocities.begin();
  training.trainer.optimizer().for_each_velocity([&](const model::Parameter& parameter) {
    std::copy(velocity->begin(), velocity->end(), parameter.values.begin());
    ++velocity;
  });
  training.trainer.restore(snapshot.state);
}

struct Curves {
  std::vector<LogRow> rows;
  std::vector<EvaluationRow> evaluations;
};

/// Curves up to a checkpoint, then those of the training that went on from it, are those of the whole
/// training.
void expect_continued(const Curves& first, const Recorder& then, const Recorder& whole) {
  std::vector<LogRow> rows = first.rows;
  rows.insert(rows.end(), then.rows.begin(), then.rows.end());
  ASSERT_EQ(rows.size(), whole.rows.size());
  for (std::size_t k = 0; k < rows.size(); ++k) {
    EXPECT_EQ(rows[k].step, whole.rows[k].step);
    EXPECT_EQ(rows[k].epoch, whole.rows[k].epoch);
    EXPECT_EQ(rows[k].phase, whole.rows[k].phase);
    EXPECT_EQ(rows[k].loss, whole.rows[k].loss);
    EXPECT_EQ(rows[k].error, whole.rows[k].error);
    EXPECT_EQ(rows[k].learning_rate, whole.rows[k].learning_rate);
    for (std::size_t l = 0; l < 2; ++l) {
      EXPECT_EQ(rows[k].layers[l].totals, whole.rows[k].layers[l].totals);
      EXPECT_EQ(rows[k].layers[l].masked_fraction, whole.rows[k].layers[l].masked_fraction);
    }
  }
  std::vector<EvaluationRow> evaluations = first.evaluations;
  evaluations.insert(evaluations.end(), then.evaluations.begin(), then.evaluations.end());
  ASSERT_EQ(evaluations.size(), whole.evaluations.size());
  for (std::size_t k = 0; k < evaluations.size(); ++k) {
    EXPECT_EQ(evaluations[k].epoch, whole.evaluations[k].epoch);
    EXPECT_EQ(evaluations[k].test.loss, whole.evaluations[k].test.loss);
    EXPECT_EQ(evaluations[k].train.loss, whole.evaluations[k].train.loss);
  }
}

/// The nine steps, evaluations after the sixth and the last; rows of four steps.
void expect_to_go_on_with_the_same_bits(TrainingSpec spec) {
  spec.momentum = 0.5;
  spec.weight_decay = 0.01;
  spec.checkpoint = {.every_steps = 0, .every_minutes = 0, .at_phase_ends = false, .keep = 1};
  Training undisturbed(world(), spec);  // its optimiser leaves experts without rows behind
  undisturbed.trainer.run();
  spec.checkpoint.every_steps = 1;
  Training whole(world(), spec);
  std::vector<Snapshot> checkpoints;
  std::vector<Curves> recorded;
  whole.trainer.run([&] {
    checkpoints.push_back(taken(whole));
    recorded.push_back({whole.recorder.rows, whole.recorder.evaluations});
  });
  ASSERT_EQ(checkpoints.size(), 9U);
  EXPECT_EQ(whole.weights(), undisturbed.weights());
  for (std::size_t i = 0; i < checkpoints.size(); ++i) {
    Training again(world(), spec);
    put_back(checkpoints[i], again);
    EXPECT_EQ(again.trainer.run(), Outcome::finished);
    EXPECT_EQ(again.weights(), whole.weights()) << "from step " << i + 1;
    if (!world().is_coordinator()) continue;
    EXPECT_EQ(again.recorder.plans.front().first_step, static_cast<Index>(i) + 1);
    expect_continued(recorded[i], again.recorder, whole.recorder);
  }
}

TEST(Trainer, goes_on_from_any_checkpoint_with_the_same_bits) {
  expect_to_go_on_with_the_same_bits(training_spec());
}

/// A routing with noise, then others.
TEST(Trainer, goes_on_with_the_routings_of_the_phase) {
  TrainingSpec spec = training_spec();
  const auto top_k = [](Index k, const char* value, double noise) {
    return part("top_k", {{"k", k}, {"value", std::string(value)}, {"noise", noise}});
  };
  spec.phases[0].routings = {top_k(2, "straight_through", 0.7)};
  spec.phases[1].routings = {top_k(1, "probability", 0.0), top_k(2, "renormalised", 0.2)};
  expect_to_go_on_with_the_same_bits(spec);
  Training routed(world(), spec);
  routed.trainer.run();
  Training dense(world(), training_spec());
  dense.trainer.run();
  EXPECT_NE(routed.weights(), dense.weights());
  for (Index l = 0; l < 2; ++l) EXPECT_LT(routed.network.expert_rows(l), dense.network.expert_rows(l));
}

TEST(Trainer, saves_when_it_is_time) {
  struct Case {
    CheckpointSpec spec;
    std::vector<Index> steps;
  };
  const std::vector<Case> cases{{{0, 0, false, 1}, {}},
                                {{0, 0, true, 1}, {6, 9}},
                                {{4, 0, false, 1}, {4, 8}},
                                {{3, 0, true, 1}, {3, 6, 9}},
                                {{0, 1e-9, false, 1}, {1, 2, 3, 4, 5, 6, 7, 8, 9}}};
  for (const Case& each : cases) {
    TrainingSpec spec = training_spec();
    spec.checkpoint = each.spec;
    Training training(world(), spec);
    std::vector<Index> steps;
    training.trainer.run([&] { steps.push_back(training.trainer.steps_done()); });
    EXPECT_EQ(steps, each.steps);
  }
}

TEST(Trainer, saves_where_it_stops_in_steps_and_in_evaluations) {
  for (const int question : {5, 8}) {
    int questions = 0;
    Training training(world(), training_spec(),
                      [&] { return ++questions == question && world().rank() == world().size() - 1; });
    std::vector<Index> steps;
    EXPECT_EQ(training.trainer.run([&] { steps.push_back(training.trainer.steps_done()); }),
              Outcome::stopped);
    EXPECT_EQ(steps.back(), question == 5 ? 5 : 6);
  }
}

TEST(Trainer, clips_the_gradient_of_all_ranks_together) {
  TrainingSpec spec = training_spec();
  const comm::Communicator alone = comm::Communicator::local();
  const auto step_length = [&](double longest) {
    spec.max_gradient_norm = longest;
    Training training(alone, spec);
    training.trainer.begin_phase(0);
    const std::vector<float> before = training.weights();
    training.trainer.step(1);
    const std::vector<float> after = training.weights();
    double squares = 0;
    for (std::size_t i = 0; i < before.size(); ++i)
      squares += std::pow(static_cast<double>(after[i]) - static_cast<double>(before[i]), 2);
    return std::sqrt(squares);
  };
  const double free = step_length(0);
  EXPECT_NEAR(step_length(free / 4), free / 4, 1e-5 * free);
  EXPECT_EQ(step_length(4 * free), free);

  spec.max_gradient_norm = free / 4;
  Training sharded(world(), spec);
  Training whole(alone, spec);
  sharded.trainer.run();
  whole.trainer.run();
  if (!world().is_coordinator()) return;
  for (std::size_t t = 0; t < 9; ++t) EXPECT_EQ(sharded.recorder.steps[t].loss, whole.recorder.steps[t].loss);
}

/// Makes a weight of the first tensor of the last rank infinite before step 3.
TEST(Trainer, stops_all_ranks_with_one_message_where_numbers_go_wrong) {
  TrainingSpec spec = training_spec();
  spec.checkpoint = {.every_steps = 1, .every_minutes = 0, .at_phase_ends = false, .keep = 1};
  Training training(world(), spec);
  std::vector<Index> saved;
  const auto damage = [&] {
    saved.push_back(training.trainer.steps_done());
    if (saved.size() != 2 || world().rank() != world().size() - 1) return;
    bool is_done = false;
    training.network.for_each_parameter([&](const model::Parameter& parameter) {
      if (!is_done && !parameter.values.empty()) parameter.values[0] = INFINITY;
      is_done = is_done || !parameter.values.empty();
    });
  };
  std::string message;
  try {
    training.trainer.run(damage);
  } catch (const NumericalError& error) {
    message = error.what();
  }
  EXPECT_THAT(message,
              testing::StartsWith("step 3, rank 0: the loss, from the output of layer 1 on, is not finite; "
                                  "a learning rate below 0.5"));
  EXPECT_THAT(saved, ElementsAre(1, 2));  // never of the bad state
}

TEST(Trainer, learns) {
  TrainingSpec spec = training_spec();
  spec.phases[0].epochs = 60;
  spec.evaluation.every_epochs = 20;
  Training training(world(), spec);
  training.trainer.run();
  if (!world().is_coordinator()) return;
  EXPECT_LT(training.recorder.evaluations.back().train.loss, 0.5 * training.recorder.steps.front().loss);
}

TEST(Trainer, refuses_an_unknown_rule_and_a_batch_of_none) {
  TrainingSpec spec = training_spec();
  spec.phases[1].rule.name = "auction";
  EXPECT_THROW(Training(world(), spec), InputError);
  spec = training_spec();
  spec.batch_size = 0;
  EXPECT_THROW(Training(world(), spec), InputError);
}

}  // namespace
}  // namespace dmoe::training
