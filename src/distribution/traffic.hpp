// What one training step moves between the E ranks of a replica, and between R replicas: a closed form, and
// what a test finds counted.
//
// B rows; mixture layer l = 1 .. L has N_l experts of H_l units on inputs of width D_l, of which n_l stand on
// the coordinator; the other ranks' experts form K_l blocks of the summation tree (topology.hpp). In bytes:
//
//     coordinator sends      gates      4 (E-1) B sum_l N_l           one broadcast a layer
//                            z          4 (E-1) B sum_{l<L} H_l       the next layer's input
//                            dz         4 (E-1) B sum_l H_l
//     coordinator receives   sums of z  4 B sum_l K_l H_l
//                            dg         4 B sum_l (N_l - n_l)
//                            sums of dx 4 B sum_{l>1} K_l D_l
//     every rank reduces     totals     8 (sum_l N_l + 3)             one all-reduce of int64
//
// For a mixture of classifiers H_l is C. A concatenated layer has no gates, dg and totals, and in place of dz
// and the sums of z every owner's part of them, 4 B (N_l - n_l) H_l. A single or dense layer moves nothing,
// nor does the z that it reads.
//
// A routed layer moves what its rows chose. Of B rows that choose up to k experts, R rows are needed by other
// ranks (counted once for each rank), S rows have a sum in one of their blocks (once for each block), and A
// choices fell on their experts:
//
//     coordinator sends      choices           4 (E-1) B 2 k
//                            rows of z below   4 R D              (l > 1)
//                            rows of dz        4 R H
//     coordinator receives   sums of z         4 S H
//                            dg                4 A
//                            sums of dx        4 S D              (l > 1)
//
// K_l is E - 1 where the ranges of the ranks are subtrees themselves, and at most 2 (E-1) log2 N_l.
//
// Each of these is one message to or from each other rank that has a part in it: z, dz, gates and choices go
// to all E - 1, sums and dg come from those that own experts of the layer.
//
// Where each rank e gates b_e rows of its own, it owns n_e experts and k_e of all K blocks of a layer:
//
//     dense               sends                 receives
//     gates               4 (E-1) b_e N         4 (B - b_e) N
//     dz                  4 (E-1) b_e H         4 (B - b_e) H
//     z below             4 (E-1) b_e D         4 (B - b_e) D         where it is read everywhere
//     sums of z           4 k_e (B - b_e) H     4 (K - k_e) b_e H
//     sums of dx          4 k_e (B - b_e) D     4 (K - k_e) b_e D     (l > 1)
//     dg                  4 n_e (B - b_e)       4 (N - n_e) b_e
//
// A routed layer sends 12 bytes a choice to the owner of the expert, and the rows and sums as above between
// the home of each row and the owners of what it chose. A message carries one block of a sum.
//
// Of R replicas, rank r of a column holds V values, c_r of which it owns, and K_r blocks of the S slices:
//
//     it sends      its sums of what others own     4 K_r (V - c_r)
//                   the weights that it owns        4 c_r
//     it receives   others' sums of what it owns    4 sum_{r' != r} K_r' c_r
//                   the weights that others own     4 (V - c_r)
//     homes         losses                          16 S T            one all-reduce of int64, of S T slices
//     of
//                                                                   the gate
//
// With a limit on the gradient's norm the sums travel back too, as much as the weights. A message carries
// what a chunk has of one tensor.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "core/matrix.hpp"
#include "core/types.hpp"
#include "exchange/homes.hpp"
#include "model/network_spec.hpp"

namespace dmoe::distribution {

/// Bytes that the coordinator sends and receives in one training step, and those that every rank puts into
/// the all-reduce. A broadcast counts once per receiver.
struct StepTraffic {
  std::int64_t gates = 0;
  std::int64_t outputs = 0;           // z, to the layer above
  std::int64_t output_gradients = 0;  // dz
  std::int64_t output_sums = 0;       // sums, or parts, of z
  std::int64_t gate_gradients = 0;    // dg
  std::int64_t input_sums = 0;        // sums of dx
  std::int64_t totals = 0;            // of each rank
  std::int64_t messages_sent = 0;     // by the coordinator
  std::int64_t messages_received = 0;

  /// By the coordinator, to all others together.
  std::int64_t sent() const { return gates + outputs + output_gradients; }
  /// By the coordinator, from all others together.
  std::int64_t received() const { return output_sums + gate_gradients + input_sums; }
};

/// What a batch made of a routed layer, in the letters above.
struct RoutedTraffic {
  Index most = 0;        // k
  Index rows = 0;        // R
  Index block_rows = 0;  // S
  Index choices = 0;     // A
  Index ranks = 0;       // other ranks that own an expert that was chosen
};

/// The closed form above for a batch of `rows` on `ranks` ranks; `routed` of the layers l = 0 .. L-1 that
/// are. Local.
StepTraffic bytes_per_step(const model::NetworkSpec& spec, Index ranks, Index rows,
                           const std::map<Index, RoutedTraffic>& routed = {});

/// What one rank sends and receives in a step.
struct RankTraffic {
  std::int64_t bytes_sent = 0;
  std::int64_t bytes_received = 0;
  std::int64_t messages_sent = 0;
  std::int64_t messages_received = 0;
  RankTraffic& operator+=(const RankTraffic& other);
};

/// The closed form above where each rank gates rows of its own, of the rank whose homes these are, without
/// what homes say to each other of gradients. `chosen` of the routed layers l = 0 .. L-1: (B, N), not 0 where
/// a row chose an expert. Local.
RankTraffic home_traffic(const model::NetworkSpec& spec, const exchange::Homes& homes,
                         const std::map<Index, ConstMatrixView>& chosen = {});

/// How many values each tensor has that `rank` of `ranks` holds, in the order of the list of parameters; 0 of
/// those that it holds nothing of. Local.
std::vector<Index> parameter_lengths(const model::NetworkSpec& spec, Index ranks, Index rank);

/// Whether gradients are shared too, so that every rank knows their norm (train.max_gradient_norm).
enum class GradientSharing { no, yes };

/// The closed form above for each of `replicas` replicas, on the rank of it that holds tensors of these
/// lengths; nothing where there is one replica. Local.
std::vector<RankTraffic> replica_traffic(const std::vector<Index>& lengths, Index slices, Index replicas,
                                         GradientSharing sharing = GradientSharing::no);

/// Bytes that each home (coordinator, or rank) puts into the all-reduce of losses; 0 where it is alone.
/// Local.
std::int64_t loss_bytes(Index gate_slices, Index homes);

}  // namespace dmoe::distribution
