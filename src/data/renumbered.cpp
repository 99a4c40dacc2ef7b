#include "data/renumbered.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.hpp"

namespace dmoe::data {
namespace {

/// The new number of each level; nothing: as it was.
using Numbers = std::optional<std::vector<std::int32_t>>;

class Renumbered final : public Dataset {
 public:
  /// `numbers` and `factors` by factor.
  Renumbered(std::unique_ptr<Dataset> dataset, std::vector<Numbers> numbers, std::vector<Factor> factors)
      : dataset_(std::move(dataset)), numbers_(std::move(numbers)), factors_(std::move(factors)) {}

  Index input_width() const override { return dataset_->input_width(); }
  Index class_count() const override { return factors_.front().level_count(); }
  Index example_count(Split split) const override { return dataset_->example_count(split); }
  const std::vector<Factor>& factors() const override { return factors_; }
  std::vector<std::string> remarks() const override { return dataset_->remarks(); }
  std::vector<Index> groups(Split split) const override { return dataset_->groups(split); }
  std::vector<Index> example_shape() const override { return dataset_->example_shape(); }
  std::vector<std::int32_t> labels(Split split) const override {
    std::vector<std::int32_t> labels = dataset_->labels(split);
    renumber(numbers_.front(), labels);
    return labels;
  }
  std::string inputs_checksum(Split split) const override { return dataset_->inputs_checksum(split); }
  void present(Split split, std::span<const Index> examples, Draw draw, Batch& batch) const override {
    dataset_->present(split, examples, draw, batch);
    renumber(numbers_.front(), batch.labels());
    for (std::size_t f = 0; f < numbers_.size(); ++f) renumber(numbers_[f], batch.factor(f));
  }

 private:
  static void renumber(const Numbers& numbers, std::span<std::int32_t> codes) {
    if (!numbers) return;
    for (std::int32_t& code : codes) code = (*numbers)[size(code)];
  }

  std::unique_ptr<Dataset> dataset_;
  std::vector<Numbers> numbers_;
  std::vector<Factor> factors_;
};

/// The number of each of `names` in `known`. InputError where one is not there. Local.
std::vector<std::int32_t> numbers_in(const LevelNames& known, const std::vector<std::string>& names) {
  std::vector<std::int32_t> numbers;
  for (const std::string& name : names) {
    const auto place = std::ranges::find(known.levels, name);
    if (place == known.levels.end())
      throw InputError("data.path: {} \"{}\" is none of the {} that the run knows: {}", known.factor, name,
                       known.levels.size(), fmt::join(known.levels, ", "));
    numbers.push_back(static_cast<std::int32_t>(place - known.levels.begin()));
  }
  return numbers;
}

}  // namespace

std::unique_ptr<Dataset> renumbered(std::unique_ptr<Dataset> dataset, const std::vector<LevelNames>& known,
                                    std::vector<std::string>& remarks) {
  std::vector<Factor> factors = dataset->factors();
  std::vector<Numbers> numbers(factors.size());
  bool is_other = false;
  for (std::size_t f = 0; f < factors.size(); ++f) {
    Factor& factor = factors[f];
    const auto before = std::ranges::find(known, factor.name, &LevelNames::factor);
    if (before == known.end() || factor.names.empty() || factor.names == before->levels) continue;
    try {
      numbers[f] = numbers_in(*before, factor.names);
    } catch (const InputError& error) {
      if (f == 0) throw;
      remarks.push_back(fmt::format("{}; it keeps the numbers that the data have", error.what()));
      continue;
    }
    const std::string levels = f == 0 ? "classes" : "levels of " + factor.name;
    const bool is_beginning = std::equal(factor.names.begin(), factor.names.end(), before->levels.begin());
    remarks.push_back(is_beginning
                          ? fmt::format("the data have the first {} of the run's {} {}", factor.names.size(),
                                        before->levels.size(), levels)
                          : fmt::format("the data number {} otherwise than the run: mapped by name", levels));
    factor.names = before->levels;
    factor.levels = {static_cast<Index>(before->levels.size())};
    is_other = true;
  }
  if (!is_other) return dataset;
  return std::make_unique<Renumbered>(std::move(dataset), std::move(numbers), std::move(factors));
}

}  // namespace dmoe::data
