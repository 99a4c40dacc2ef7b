// Conditional computation: an expert computes the rows that chose it, and nothing else is sent.
//
//               a row's home                            the owners of experts
//     forward   choices = routing(gate(x))
//               choices out                ->           plan of what chose the own experts
//               rows of x                  ->           that chose one of these (above the first layer)
//                                                       g_i f_i of these, summed over the own blocks
//               z = sum along the tree     <-           sums of the rows that are in a block
//     backward  rows of dz                 ->           that chose an own expert
//               gate gradient              <-           dg_i = <dz, f_i> of each row of the own experts
//               dx = sum along the tree    <-           own experts' shares of dx, summed as above
//               dW, db of the gate                      dW_i, db_i of the own experts
//
// Home is the coordinator of all rows, or each rank of its own (exchange/homes.hpp).
// The sequence of messages depends on nothing but the plan, of which each rank has its two halves. Sums
// have the order of the dense mixture, without what is absent: with all experts chosen, its bits.
#pragma once

#include <vector>

#include "distribution/mixing.hpp"
#include "exchange/routed_exchange.hpp"

namespace dmoe::distribution {

class RoutedMixing final : public Mixing {
 public:
  /// The routing must outlive it.
  RoutedMixing(const MixtureParts& parts, const model::Routing& routing);

  bool reads_everywhere() const override { return false; }
  void forward(const exchange::BatchRows& x, const BatchStep& step, MatrixView z) override;
  ConstMatrixView gates() override;
  void add_assigned(std::span<balance::Total> totals) override;
  Index expert_rows() override;
  void send_d_output(exchange::SharedMatrix& d_z) override;
  void backward_to_input(exchange::SharedMatrix& d_z, MatrixView d_x) override;
  void backward_to_weights(const exchange::BatchRows& x, exchange::SharedMatrix& d_z) override;

 private:
  /// Decides where the rows of each own expert stand in the buffers, slice by slice.
  void lay_out();
  /// Copies the rows of x that belong to each own expert to its place.
  void gather(ConstMatrixView x, const Index* rows_of_entries);
  /// Where an entry's row stands in the buffers of the own experts.
  Index buffer_row(Index entry) const { return buffer_rows_[size(entry)]; }
  /// Slices of the batch that are here.
  const model::Slices& slices() const { return *slices_; }

  const model::Routing& routing_;
  const exchange::Homes* homes_ = nullptr;  // of the last forward pass
  exchange::ChoiceExchange choices_;
  exchange::RoutePlan plan_;
  exchange::RowDelivery x_rows_;  // above the first layer
  exchange::RowDelivery d_z_rows_;
  exchange::RowReduction output_sum_;  // z
  exchange::RowReduction input_sum_;   // dx without the gate's share
  exchange::EntryGather d_values_;
  const model::Slices* slices_ = &model::Slices::whole();
  std::vector<model::ExpertBatch> batches_;  // (own experts, slices)
  std::vector<Index> batch_entries_;         // the first entry of each
  std::vector<model::ExpertUse> uses_;       // of each
  std::vector<Index> buffer_rows_;           // of each own entry
  GrowingMatrix inputs_;                     // (buffer rows, D)
  GrowingMatrix d_inputs_;                   // (buffer rows, D)
  GrowingMatrix d_choices_;                  // (rows at home, K), gradient of the values in use
  GrowingMatrix gates_;                      // (rows, N), for who asks
};

}  // namespace dmoe::distribution
