#include "app/splits.hpp"

#include <algorithm>

#include "app/named_option.hpp"
#include "core/error.hpp"

namespace dmoe::app {

namespace {

const Names<data::Split> splits{
    {"test", data::Split::test}, {"train", data::Split::train}, {"validation", data::Split::validation}};

}  // namespace

CLI::Option* add_split_option(CLI::App& parser, data::Split& split) {
  return add_named_option(parser, "--split", split, splits, "which examples (default: test)");
}

std::string split_name(data::Split split) {
  const auto is_it = [split](const auto& named) { return named.second == split; };
  return std::find_if(splits.begin(), splits.end(), is_it)->first;
}

training::Pass pass_over(const data::Dataset& dataset, data::Split split, Index batch_size) {
  if (dataset.example_count(split) == 0) {
    throw InputError(
        "--split {0}: the data set has no {0} examples (data.validation holds some out of the training set)",
        split_name(split));
  }
  return {split, {Purpose::evaluation_transform, 0}, batch_size};
}

}  // namespace dmoe::app
