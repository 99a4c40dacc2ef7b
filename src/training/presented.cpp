#include "training/presented.hpp"

namespace dmoe::training {

void PresentedBatch::put(std::optional<data::Batch>& batch, std::span<const Index> examples,
                         const data::Draw& draw) {
  const auto count = static_cast<Index>(examples.size());
  if (!batch || batch->capacity() < count)
    batch.emplace(count, dataset_.input_width(), dataset_.factors().size());
  const TimedActivity presenting(network_.ranks().timing(), Activity::data);
  dataset_.present(split_, examples, draw, *batch);
}

void PresentedBatch::present(data::Split split, std::span<const Index> examples, const data::Draw& draw,
                             bool in_training) {
  split_ = split;
  examples_ = examples;
  draw_ = draw;
  has_all_ = !network_.presents_own_rows();
  if (has_all_) return put(batch_, examples, draw);
  const model::RowRange own = network_.rows_at_home(static_cast<Index>(examples.size()), in_training);
  put(batch_, examples.subspan(size(own.first), size(own.count)),
      {draw.purpose, draw.first + static_cast<std::uint64_t>(own.first)});
}

distribution::Input PresentedBatch::input() {
  if (has_all_) return {batch_->inputs()};
  return {batch_->inputs(), static_cast<Index>(examples_.size()), *this};
}

ConstMatrixView PresentedBatch::rows(std::span<const Index> rows) {
  chosen_.clear();
  for (const Index row : rows) chosen_.push_back(examples_[size(row)]);
  put(others_, chosen_, {draw_.purpose, draw_.first, rows});
  return others_->inputs();
}

}  // namespace dmoe::training
