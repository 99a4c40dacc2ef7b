// What the inputs of a data set look like to a network.
#pragma once

#include <string>

#include "data/dataset.hpp"

namespace dmoe::data {

/// In words, what features of training examples make learning hard: values far from 0, deviations of
/// different scale, constants. Of a sample; empty where nothing is unusual, and for images, whose pixels are
/// 0 to 1. Local.
std::string unusual_features(const Dataset& dataset);

}  // namespace dmoe::data
