// What a machine takes for the parts that a training step is made of: the constants of the model of scale.
// `dmoe bench machine` measures them; machine_file.hpp reads and writes them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/types.hpp"

namespace dmoe::scale {

/// Times of one kind of product of a linear part y = x W^T + b, x (m, k), W (n, k), for all m of `rows`, n of
/// `outputs` and k of `inputs`, each ascending.
struct ProductTable {
  std::vector<Index> rows;      // m
  std::vector<Index> outputs;   // n
  std::vector<Index> inputs;    // k
  std::vector<double> seconds;  // m slowest, k fastest

  double at(std::size_t m, std::size_t n, std::size_t k) const {
    return seconds[(m * outputs.size() + n) * inputs.size() + k];
  }
  /// Seconds of one product: between the sizes of the table straight lines of log t over log m, log n and log
  /// k; below them the time of the smallest, above them in proportion to the operations. 0 of an empty
  /// product. Local.
  double operator()(Index m, Index n, Index k) const;
};

/// Whether messages go one way at a time or both.
enum class Direction { one_way, crossing };

/// How messages travel between two ranks.
struct Link {
  double latency = 0;    // seconds until the first byte is there
  double bandwidth = 0;  // bytes a second
  double overhead = 0;   // seconds that a message costs each of the two processors
  /// Seconds, without the overhead, of messages of these sizes [bytes, ascending]: of one, and of two that
  /// cross. What no two constants say: long messages that are asked for first, windows that have to open,
  /// links that are slower when both directions are full. Empty: latency + bytes / bandwidth.
  std::vector<double> sizes{};
  std::vector<double> one_way{};
  std::vector<double> crossing{};

  /// Seconds of one message, without the overhead: between sizes a straight line, beyond them its last one.
  /// Local.
  double seconds(double bytes, Direction direction) const;
  /// Seconds that each byte takes of a long message, or of many. Local.
  double seconds_a_byte(Direction direction) const;
  bool operator==(const Link&) const = default;
};

/// One core, and the links between ranks on a core each.
struct Machine {
  std::string name;
  ProductTable forward;          // y
  ProductTable input_gradient;   // dx
  ProductTable weight_gradient;  // dW
  /// Whether rows and units of a product keep their bits whatever stands beside them, so that slices and
  /// experts are multiplied at once (numerics/tiled_linear.hpp).
  bool at_once = false;
  double memory_bandwidth = 0;  // bytes a second, read and written: sums, packing, SGD
  double presenting = 0;        // seconds a value of an example that is made ready
  double softmax = 0;           // seconds a logit of a dense mixture's gate
  double choosing = 0;          // seconds a logit that is searched for the largest
  double planning = 0;          // seconds a choice of a routed row
  Link inner;                   // between ranks of a node
  Link outer;                   // between nodes
  Index ranks_a_node = 0;       // 0: all ranks are on one node

  /// The slowest link between neighbours among `all` ranks, numbered node after node, that stand together in
  /// groups of `ranks` numbers in a row. Local.
  const Link& link_in_group(Index ranks, Index all) const;
  /// The same of ranks whose numbers are further apart. Local.
  const Link& link_across(Index all) const { return is_one_node(all) ? inner : outer; }

 private:
  bool is_one_node(Index ranks) const { return ranks_a_node == 0 || ranks <= ranks_a_node; }
};

/// What dmoe takes where nobody has measured: the same everywhere, so that all ranks choose alike. Local.
const Machine& default_machine();

}  // namespace dmoe::scale
