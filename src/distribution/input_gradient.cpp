#include "distribution/input_gradient.hpp"

namespace dmoe::distribution {

ExpertInputGradient::ExpertInputGradient(const comm::Communicator& ranks, const exchange::Topology& topology,
                                         InputGradient gradient, Index inputs)
    : timing_(ranks.timing()),
      gradient_(gradient),
      experts_(topology.experts()),
      own_(topology.range(ranks.rank())),
      shares_(inputs),
      sum_(ranks, topology, inputs, comm::Tag::input_gradient) {}

void ExpertInputGradient::begin(const exchange::Homes& homes) {
  if (!is_wanted()) return;
  sum_.begin(homes);
  shares_.rows(own_.count * homes.rows());
}

void ExpertInputGradient::send(const model::ExpertGroup& experts) {
  if (!is_wanted()) return;
  const MatrixView shares = shares_.rows(experts.outputs().rows);
  {
    const TimedActivity computing(timing_, Activity::experts);
    experts.backward_input(shares);
  }
  const TimedActivity packing(timing_, Activity::packing);
  for (std::size_t k = 0; k < sum_.blocks().size(); ++k) {
    model::tree_sum(sum_.blocks()[k], experts_, shares, own_.first, sum_.block(static_cast<Index>(k)));
  }
  sum_.send();
}

void ExpertInputGradient::combine(MatrixView d_x) {
  if (is_wanted()) sum_.combine(d_x);
}

}  // namespace dmoe::distribution
