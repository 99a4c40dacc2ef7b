// The networks that are measured, and data for them: their values do not matter for the time.
#pragma once

#include <string>

#include "bench/measurement.hpp"
#include "data/image_dataset.hpp"
#include "model/network_spec.hpp"

namespace dmoe::bench {

/// Of what networks are measured on.
inline constexpr Index class_count = 10;

struct NamedNetwork {
  std::string name;
  model::NetworkSpec spec;

  /// All experts work on every row.
  Subject subject(Index batch, Index ranks) const {
    const Index experts = spec.layers.front().experts;
    return {name, batch, experts, experts, ranks};
  }
};

/// "A", of 4x100-4x100, or the mixtures themselves: "16x50-16x50". On the paper's 36 x 36 inputs with gates
/// of 50 units and 10 classes. Throws InputError for anything else. Local.
NamedNetwork network_named(const std::string& text);

/// Images of random pixels for it, jittered like the paper's: for batches of `rows`, all of them full, and
/// `test_batches` in the test split. Local.
data::ImageDataset random_images(Index rows, Index test_batches);

}  // namespace dmoe::bench
