// What a rank does in a step, part by part, in seconds on one core. Letters as in src/README.md; b are the
// rows of the replica, in slices whose products are made one by one.
#pragma once

#include <vector>

#include "exchange/topology.hpp"
#include "scale/machine.hpp"
#include "scale/workload.hpp"

namespace dmoe::scale {

/// Terms of one machine for one workload. Both must outlive it.
class Terms {
 public:
  Terms(const Machine& machine, const Workload& work) : machine_(machine), work_(work) {}

  /// One linear part y = x W^T + b of n outputs and k inputs: y, dx and dW of every slice of `slices`.
  struct Linear {
    double forward = 0;
    double input_gradient = 0;
    double weight_gradient = 0;
    Linear& operator+=(const Linear& other);
    Linear times(double count) const;
  };
  /// sum over slices of t(m, n, k); with more than 2 slices dW are added: 3 n k floats for each pair but one.
  Linear one_by_one(const std::vector<Index>& slices, Index outputs, Index inputs) const;
  /// The same where y and dx of all slices are one product, if this machine makes such (Machine::at_once).
  Linear linear(const std::vector<Index>& slices, Index outputs, Index inputs) const;

  /// So many floats read or written: 4 bytes each at the bandwidth of the memory.
  double traffic(double floats) const { return 4 * floats / machine_.memory_bandwidth; }

  /// `rows` examples of D values each made ready.
  double presenting(double rows) const;

  /// The gate of layer l = 0 .. L-1 on rows in these slices.
  struct Gate {
    double forward = 0;  // t(m, G, D) + t(m, N, G), and the softmax or the choice: O(N) a row
    double input_gradient =
        0;  // of the logits, 3 b N; both products' dx, above the first layer that of x too
    double weight_gradient = 0;
    double all() const { return forward + input_gradient + weight_gradient; }
  };
  Gate gate(Index layer, const std::vector<Index>& slices) const;

  /// The head and the loss: t(m, C, H).
  double head(const std::vector<Index>& slices) const;

  /// What a rank does with its experts of a layer.
  struct Experts {
    double forward = 0;          // products; routed: rows gathered, 2 m D
    double weighing = 0;         // g_i f_i added over its blocks, H (entries + block rows)
    double output_gradient = 0;  // f, dz read, gradient written: 3 H a row
    double input_gradient = 0;   // above the first layer
    double sharing = 0;          // their shares of dx added over its blocks, D (entries + block rows)
    double weight_gradient = 0;
    double products() const { return forward + input_gradient + weight_gradient; }
    double packing() const { return weighing + output_gradient + sharing; }
  };
  /// Of `own` experts for rows in these slices, where all experts compute all rows; `blocks` of the tree.
  Experts dense_experts(Index layer, Index own, Index blocks, const std::vector<Index>& slices) const;
  /// Of `own` experts on whose rows `entries` choices fell; sums of `block_rows` rows.
  Experts routed_experts(Index layer, Index own, double entries, double block_rows, Index slices) const;

  /// w -= rate g: 3 floats a value, 5 with momentum.
  double sgd(double values) const { return traffic((work_.has_momentum ? 5 : 3) * values); }

 private:
  const model::LayerSpec& layer_of(Index layer) const { return work_.network.layers[size(layer)]; }
  /// The products of `own` experts that compute all rows: side by side where they can be.
  Linear hidden_of(Index layer, Index own, const std::vector<Index>& slices) const;
  /// Adds the products of some experts' hidden units and, in a mixture of classifiers, of their classes.
  void add_products(Index layer, const Linear& hidden, const Linear& classes, Experts& experts) const;

  const Machine& machine_;
  const Workload& work_;
};

}  // namespace dmoe::scale
