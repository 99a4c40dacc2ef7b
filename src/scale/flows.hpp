// What one rank sends and receives within a layer in a step: the closed forms of distribution/traffic.hpp,
// layer by layer, for rows that choose their experts evenly; and those of a coordinator for every row.
//
// Gating by rows: each of the E ranks of a replica is the home of h of its b rows, n of N experts are its
// own, K_e its blocks and K those of all ranks. In bytes, of each rank:
//
//                   sends                     receives
//     gates         4 (E-1) h N               4 (b-h) N                 to and from everybody
//     z below, dz   4 (E-1) h D or H          4 (b-h) D or H            likewise
//     sums of z, dx 4 K_e (b-h) H or D        4 (K-K_e) h H or D        to and from each row's home
//     dg            4 (b-h) n                 4 h (N-n)
//
// Routed, with R' rows of another home that chose an own expert, R'' rows of this home that chose another
// rank's (once for each), S' and S'' the same of blocks, A' and A'' of choices:
//
//     counts        8 (E-1)                   8 (E-1)
//     choices       12 A'' (row, expert, value) 12 A'
//     rows of x, dz 4 R'' D or H              4 R' D or H
//     sums of z, dx 4 S' H or D               4 S'' H or D
//     dg            4 A'                      4 A''
#pragma once

#include "exchange/topology.hpp"
#include "scale/layout.hpp"
#include "scale/workload.hpp"

namespace dmoe::scale {

/// Bytes that a rank sends and receives, and in how many messages.
struct Flow {
  double sent = 0;
  double received = 0;
  double messages_sent = 0;
  double messages_received = 0;
  bool is_broadcast = false;  // the same to or from all

  double messages() const { return messages_sent + messages_received; }
  Flow& operator+=(const Flow& other);
};

/// Of one layer.
struct LayerFlows {
  Flow counts;            // routed and gated by rows
  Flow gates;             // or choices
  Flow inputs;            // z below
  Flow output_sums;       // of z
  Flow output_gradients;  // dz
  Flow gate_gradients;    // dg
  Flow input_sums;        // of dx

  Flow all() const;
};

/// Of the coordinator of E ranks, for b rows. Local.
LayerFlows coordinator_flows(const Workload& work, Index layer, Index ranks, Index rows);
/// Of the other rank with the most to send. Local.
LayerFlows other_flows(const Workload& work, Index layer, Index ranks, Index rows);
/// Of the rank with the most experts, where each row has a home and `home` are at home here. Local.
LayerFlows home_flows(const Workload& work, Index layer, Index ranks, Index rows, Index home);

/// The rows that are gated on one rank: of a replica's coordinator all, else those of the home with the most.
/// A recipe with fewer slices of the gate than there are homes is taken to have one for each.
struct GatedRows {
  Index rows = 0;
  std::vector<Index> of_slices;
  Index leaves = 1;  // of the tree over the whole batch
};
/// Local.
GatedRows gated_rows(const Workload& work, const Layout& layout);

/// What a layer's experts are to a rank.
struct Holding {
  Index experts = 0;       // n
  Index blocks = 0;        // K_e
  double entries = 0;      // choices that fall on them; of the busiest rank
  double needed_rows = 0;  // rows that chose one of them, expected
  double block_rows = 0;   // rows of the sums that it makes, expected
};
/// Of the coordinator; of whichever rank has the most; and, but for the busiest, of all ranks together.
/// Local.
Holding holding_of(const Workload& work, Index layer, Index ranks, Index rank, Index rows);
Holding largest_holding(const Workload& work, Index layer, Index ranks, Index rows);
Holding all_holdings(const Workload& work, Index layer, Index ranks, Index rows);

}  // namespace dmoe::scale
