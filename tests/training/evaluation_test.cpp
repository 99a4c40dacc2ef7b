#include "training/evaluation.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "distribution/reference_network.hpp"
#include "distribution/sample_network.hpp"
#include "support/world.hpp"
#include "training/tiny_dataset.hpp"

namespace dmoe::training {
namespace {

using test::TinyDataset;
using test::world;

const model::NetworkSpec spec{TinyDataset::inputs, TinyDataset::classes, {{5, 4, 3}, {3, 5, 2}}};
const StopRequested never = [] { return false; };

TEST(Evaluate, has_the_mean_loss_of_a_naive_pass) {
  const TinyDataset dataset(22, 7, 10);
  const comm::Communicator alone = comm::Communicator::local();
  distribution::Network network(spec, world(), 0, 8);
  distribution::Network whole(spec, alone, 0, 8);
  test::set_random_weights(network, 1, 0.7F);
  test::set_random_weights(whole, 1, 0.7F);
  test::ReferenceNetwork reference(spec, whole);
  for (const data::Split split : {data::Split::train, data::Split::validation, data::Split::test}) {
    const Index count = dataset.example_count(split);
    const data::Draw draw{Purpose::evaluation_transform, 44};
    data::Batch all(count, TinyDataset::inputs, 1);
    std::vector<Index> examples;
    for (Index i = 0; i < count; ++i) examples.push_back(i);
    dataset.present(split, examples, draw, all);
    const double expected = reference.loss(all.inputs(), all.labels(), whole.no_masks());
    for (const Index batch_size : {1, 4, 8}) {  // dividing the split or not
      const std::optional<Score> score = evaluate(network, dataset, {split, draw, batch_size}, never);
      ASSERT_TRUE(score.has_value());
      EXPECT_NEAR(score->loss, world().is_coordinator() ? expected : 0.0, 1e-6);
    }
  }
}

TEST(Evaluate, counts_errors_as_a_fraction) {
  const TinyDataset dataset(22, 0, 10);
  distribution::Network network(spec, world(), 0, 8);
  test::set_random_weights(network, 1, 0.7F);
  Index errors = 0;
  Index seen = 0;
  const Pass pass{data::Split::test, {}, 4};
  ASSERT_TRUE(for_each_batch(network, dataset, pass, never, [&](const data::Batch& batch) {
    seen += batch.rows;
    if (!world().is_coordinator()) return;
    for (Index b = 0; b < batch.rows; ++b) {
      const auto logits = network.scores().row(b);
      const auto answer = std::max_element(logits.begin(), logits.end()) - logits.begin();
      errors += answer == batch.labels()[size(b)] ? 0 : 1;
    }
  }));
  EXPECT_EQ(seen, 10);
  const std::optional<Score> score = evaluate(network, dataset, pass, never);
  ASSERT_TRUE(score.has_value());
  EXPECT_DOUBLE_EQ(score->error, static_cast<double>(errors) / 10);
}

TEST(Evaluate, stops_on_all_ranks_when_one_is_asked) {
  const TinyDataset dataset(22, 0, 10);
  distribution::Network network(spec, world(), 0, 8);
  for (int asked = 0; asked < world().size(); ++asked) {
    int questions = 0;
    const StopRequested stop = [&] { return ++questions == 2 && world().rank() == asked; };
    Index seen = 0;
    EXPECT_FALSE(for_each_batch(network, dataset, {data::Split::train, {}, 8}, stop,
                                [&](const data::Batch& batch) { seen += batch.rows; }));
    EXPECT_EQ(seen, 8);
    EXPECT_FALSE(
        evaluate(network, dataset, {data::Split::train, {}, 8}, [&] { return world().rank() == asked; }));
  }
}

}  // namespace
}  // namespace dmoe::training
