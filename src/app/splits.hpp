// The --split option.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "data/dataset.hpp"
#include "training/evaluation.hpp"

namespace dmoe::app {

/// Declares --split test|train|validation. Local.
CLI::Option* add_split_option(CLI::App& parser, data::Split& split);

/// "test". Local.
std::string split_name(data::Split split);

/// A whole pass over a split; the training set as in the first evaluation of a run. Throws InputError where
/// the data set has no such split. Local.
training::Pass pass_over(const data::Dataset& dataset, data::Split split, Index batch_size);

}  // namespace dmoe::app
