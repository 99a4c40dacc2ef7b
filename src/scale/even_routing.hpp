// What becomes of rows that choose k of N experts evenly: the state that a balancing rule comes to.
#pragma once

#include "core/types.hpp"
#include "exchange/topology.hpp"

namespace dmoe::scale {

/// The probability that a row which chooses `chosen` of `experts` experts evenly chooses one of `of` of them:
/// 1 - C(N - n, k) / C(N, k). Local.
double share_of_rows(Index experts, Index chosen, Index of);

/// Choices of `rows` rows, k each, that fall on the busiest of `ranks` ranks with `own` of N experts each:
/// the median of the largest of so many numbers of choices, each binomial of rows k trials with probability
/// own / N. Local.
double busiest_choices(Index rows, Index chosen, Index own, Index experts, Index ranks);

/// Rows that choose an expert of a rank, once for each block of the summation tree that they choose one in:
/// rows of the sums that the rank makes. Local.
double block_rows(const exchange::Topology& topology, Index rank, Index rows, Index chosen);

}  // namespace dmoe::scale
