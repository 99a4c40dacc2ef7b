// The model of scale: milliseconds, bytes, messages and memory of a training step for any layout, from the
// constants of a machine. Plain arithmetic, nothing of MPI and of clocks: the same everywhere.
//
// A step is followed on two clocks, the coordinator's and that of the other rank with the most to do, from
// message to message as the code waits for them (dense_mixing.hpp, routed_mixing.hpp). Of a replica it takes
// the one with the most rows, of a routed layer the rank on which the most choices fall.
//
//     message         t(bytes) + o (messages handled); t = a + bytes / bandwidth, or a measured curve
//     messages        at one rank those of all add up: the first by t, more bytes by its last slope
//     broadcast       ceil(log2 E) (t(bytes) + o)
//     all-reduce      ceil(log2 P) (t(bytes) + o)
//     replicas        2 messages, one after the other, then (K + 1) V / R floats added, V / R stepped
#pragma once

#include <vector>

#include "scale/layout.hpp"
#include "scale/machine.hpp"
#include "scale/workload.hpp"

namespace dmoe::scale {

/// Seconds of a step by what its first rank does; together they are the step.
struct Parts {
  double presenting = 0;
  double gate = 0;
  double experts = 0;  // products
  double packing = 0;  // sums, copies of rows, gradients before the activation
  double head = 0;
  double sgd = 0;
  double exchange = 0;  // messages within the replica, and waiting for others of it
  double replicas = 0;  // gradients and weights between replicas, added
  double totals = 0;    // what is left of that all-reduce when all else is done

  double all() const;
};

/// What one rank sends, receives and holds.
struct RankLoad {
  double bytes_sent = 0;
  double bytes_received = 0;
  double bytes_reduced = 0;  // put into all-reduces of integers
  double messages_sent = 0;
  double messages_received = 0;
  double memory = 0;  // bytes of parameters, gradients, velocities and buffers; no data, no libraries
};

struct Prediction {
  Layout layout;
  Parts parts;
  RankLoad first;  // the coordinator
  RankLoad other;  // the most of any other rank of a replica; where there is none, that of the first

  double milliseconds() const { return 1e3 * parts.all(); }
};

/// Local.
Prediction predict(const Machine& machine, const Workload& work, const Layout& layout);

/// Of each layout, in that order. Local.
std::vector<Prediction> predict(const Machine& machine, const Workload& work,
                                const std::vector<Layout>& layouts);

/// The place of the fastest of at least one; of equals the first. Local.
std::size_t fastest(const std::vector<Prediction>& predictions);

}  // namespace dmoe::scale
