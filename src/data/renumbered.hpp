// A data set under the numbers that a run has for its classes and for the levels of other factors.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/contents.hpp"
#include "data/dataset.hpp"

namespace dmoe::data {

/// The data set with what it names under the numbers of `known`, where it numbers them otherwise; itself
/// where it does not, or where nothing is named. What was done is added to `remarks`, in words.
///
/// Classes: it may lack some of the known ones; InputError where it has others. Other factors, on which no
/// prediction depends: one that has others keeps its own numbers. Local.
std::unique_ptr<Dataset> renumbered(std::unique_ptr<Dataset> dataset, const std::vector<LevelNames>& known,
                                    std::vector<std::string>& remarks);

}  // namespace dmoe::data
