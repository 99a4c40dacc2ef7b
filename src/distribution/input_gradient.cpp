#include "distribution/input_gradient.hpp"

namespace dmoe::distribution {

ExpertInputGradient::ExpertInputGradient(const comm::Communicator& ranks, const exchange::Topology& topology,
                                         InputGradient gradient, Index capacity, Index inputs)
    : gradient_(gradient),
      experts_(topology.experts()),
      own_(topology.range(ranks.rank())),
      shares_(is_wanted() ? own_.count * capacity : 0, inputs),
      sum_(ranks, topology, is_wanted() ? capacity : 0, inputs, comm::Tag::input_gradient) {}

void ExpertInputGradient::begin(Index rows) {
  if (is_wanted()) sum_.begin(rows);
}

void ExpertInputGradient::send(const model::ExpertGroup& experts) {
  if (!is_wanted()) return;
  experts.backward_input(shares_.view());
  for (std::size_t k = 0; k < sum_.blocks().size(); ++k) {
    model::tree_sum(sum_.blocks()[k], experts_, shares_.view(), own_.first,
                    sum_.block(static_cast<Index>(k)));
  }
  sum_.send();
}

void ExpertInputGradient::combine(MatrixView d_x) {
  if (is_wanted()) sum_.combine(d_x);
}

}  // namespace dmoe::distribution
