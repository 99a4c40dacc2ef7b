#include "bench/networks.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "support/message_of.hpp"

namespace dmoe::bench {
namespace {

TEST(NetworkNamed, a_is_the_papers_network) {
  const NamedNetwork a = network_named("A");
  EXPECT_EQ(a.name, "A");
  EXPECT_EQ(a.spec.inputs, 36 * 36);
  EXPECT_EQ(a.spec.classes, 10);
  EXPECT_EQ(a.spec.layers, (std::vector<model::LayerSpec>{{4, 100, 50}, {4, 100, 50}}));
}

TEST(NetworkNamed, reads_experts_and_units_of_each_layer) {
  EXPECT_EQ(network_named("16x50").spec.layers, (std::vector<model::LayerSpec>{{16, 50, 50}}));
  const NamedNetwork network = network_named("3x8-1x99999-12x4");
  EXPECT_EQ(network.name, "3x8-1x99999-12x4");
  EXPECT_EQ(network.spec.layers, (std::vector<model::LayerSpec>{{3, 8, 50}, {1, 99'999, 50}, {12, 4, 50}}));
}

TEST(NetworkNamed, refuses_anything_else) {
  for (const char* text : {"",
                           "a",
                           "B",
                           "4",
                           "4x",
                           "x100",
                           "4x100-",
                           "-4x100",
                           "4x100--4x100",
                           "0x100",
                           "4x0",
                           "4x100 ",
                           "4x100,4x100",
                           "4X100",
                           "+4x100",
                           "4x1e2",
                           "04x100",
                           "100000x1",
                           "1x100000",
                           "99999999999999999999x1",
                           "4x100\n"}) {
    EXPECT_EQ(test::message_of([&] { network_named(text); }),
              std::string("must be A or experts x units of each layer, as 16x50-16x50, got ") + text);
  }
}

TEST(NamedNetwork, as_a_subject_has_all_experts_on_every_row) {
  const Subject subject = network_named("3x8-5x4").subject(60, 2);
  EXPECT_EQ(subject.network, "3x8-5x4");
  EXPECT_EQ(subject.batch, 60);
  EXPECT_EQ(subject.experts, 3);
  EXPECT_EQ(subject.chosen, 3);
  EXPECT_EQ(subject.ranks, 2);
}

TEST(RandomImages, are_in_full_batches) {
  for (const Index rows : {1, 100, 128, 500, 4096, 5000}) {
    const data::ImageDataset images = random_images(rows, 3);
    const Index train = images.example_count(data::Split::train);
    EXPECT_EQ(train % rows, 0) << rows;
    EXPECT_GE(train, 4096) << rows;
    EXPECT_LT(train, 4096 + rows) << rows;
    EXPECT_EQ(images.example_count(data::Split::test), 3 * rows);
  }
}

TEST(RandomImages, are_for_the_networks_that_are_named) {
  const data::ImageDataset images = random_images(10, 1);
  const model::NetworkSpec spec = network_named("A").spec;
  EXPECT_EQ(images.input_width(), spec.inputs);
  EXPECT_EQ(images.class_count(), spec.classes);
  EXPECT_EQ(images.factors().at(1).levels, (std::vector<Index>{9, 9}));
  std::vector<Index> seen(size(spec.classes));
  for (const std::int32_t label : images.labels(data::Split::train)) ++seen.at(size(label));
  EXPECT_GT(*std::ranges::min_element(seen), 4096 / 10 / 2);
}

TEST(RandomImages, are_the_same_each_time) {
  const data::ImageDataset first = random_images(100, 2);
  const data::ImageDataset second = random_images(100, 2);
  for (const data::Split split : {data::Split::train, data::Split::test}) {
    EXPECT_EQ(first.inputs_checksum(split), second.inputs_checksum(split));
    EXPECT_EQ(first.labels(split), second.labels(split));
  }
}

}  // namespace
}  // namespace dmoe::bench
