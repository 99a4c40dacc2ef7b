// What ranks say to each other within a routed layer. As in exchange.hpp each class owns its buffers and
// requests; here counts follow from the plan of the batch, which every rank has.
#pragma once

#include <vector>

#include "comm/communicator.hpp"
#include "core/matrix.hpp"
#include "exchange/route_plan.hpp"

namespace dmoe::exchange {

/// What the coordinator and one other rank exchange: rows, and the message they travel in.
struct PeerRows {
  GrowingMatrix rows;
  comm::Request request;
};
/// One for each of the ranks 1 .. E-1 on the coordinator, none elsewhere. Local.
std::vector<PeerRows> make_peers(const comm::Communicator& ranks, Index columns);

/// Rows of a matrix that the coordinator holds, to every rank those it needs, once each: the input of experts
/// above the first layer, dz.
class RowDelivery {
 public:
  RowDelivery(const comm::Communicator& ranks, Index columns, comm::Tag tag);

  /// Starts to send rows of `matrix` (B, columns), which counts on the coordinator and must stay as it is
  /// until finish(). Collective.
  void start(const RoutePlan& plan, ConstMatrixView matrix);
  /// What this rank needs, after its arrival: row rows_of_entries()[e] of it belongs to entry e. On the
  /// coordinator the matrix itself. Local.
  ConstMatrixView arrived();
  const Index* rows_of_entries() const { return rows_of_entries_; }
  /// Ends the sends of the coordinator. Local.
  void finish();

 private:
  const comm::Communicator* ranks_;
  comm::Tag tag_;
  ConstMatrixView matrix_;  // on the coordinator
  const Index* rows_of_entries_ = nullptr;
  GrowingMatrix own_;  // elsewhere
  Index own_rows_ = 0;
  comm::Request received_;
  std::vector<PeerRows> peers_;
};

/// A sum over the chosen experts of each row, onto the coordinator, along the fixed tree: every rank sends
/// the sums of its blocks for the rows that chose an expert in them.
class RowReduction {
 public:
  RowReduction(const comm::Communicator& ranks, Index width, comm::Tag tag);

  /// Starts the receives on the coordinator. Collective.
  void begin(const RoutePlan& plan);
  /// (block rows, width): the own blocks' rows, one block below the other, to be filled between begin and
  /// send.
  MatrixView own() { return own_.rows_from(0, own_rows_); }
  /// Fills own(): the sum over the own entries of each row, where `term` gives an entry's term. Local.
  template <class Term>
  void add_up(const RoutePlan& plan, Term term);
  /// Sends the own sums to the coordinator. Collective.
  void send();
  /// The sum (B, width), on the coordinator; other ranks finish their send. Collective.
  void combine(const RoutePlan& plan, MatrixView sum);

 private:
  const comm::Communicator* ranks_;
  comm::Tag tag_;
  GrowingMatrix own_;
  Index own_rows_ = 0;
  comm::Request sent_;
  std::vector<PeerRows> peers_;
  std::vector<model::TreeTerm> terms_;  // scratch
  std::vector<Index> used_;             // scratch: of each expert, entries that are done
  std::vector<Index> end_;              // scratch: of each row, its terms that stand already
};

/// One value of each entry, computed where its expert is, on the coordinator.
class EntryGather {
 public:
  explicit EntryGather(const comm::Communicator& ranks);

  /// Starts the receives on the coordinator. Collective.
  void begin(const RoutePlan& plan);
  /// The values of the own entries, to be filled between begin and send.
  float* own() { return own_; }
  /// Collective.
  void send();
  /// The values of all entries, on the coordinator; other ranks finish their send. Collective.
  const float* collect();

 private:
  const comm::Communicator* ranks_;
  std::vector<float> values_;  // of all entries on the coordinator, else of the own
  float* own_ = nullptr;
  std::size_t own_count_ = 0;
  std::vector<comm::Request> requests_;  // of the receives, or of the one send
};

template <class Term>
void RowReduction::add_up(const RoutePlan& plan, Term term) {
  const ExpertRange own_experts = plan.topology().range(ranks_->rank());
  used_.assign(size(own_experts.count), 0);  // entries of each own expert: its rows come in order
  Index next = 0;
  for (Index k = plan.first_block(ranks_->rank()); k < plan.first_block(ranks_->rank() + 1); ++k) {
    const model::TreeBlock& block = plan.block(k);
    for (const Index b : plan.block_rows(k)) {
      terms_.clear();
      const Index chosen = plan.choices().count(b);
      for (Index j = 0; j < chosen; ++j) {
        const Index expert = plan.choices().expert(b, j);
        if (expert < block.first || expert >= block.first + block.width) continue;
        terms_.push_back(term(expert, plan.begin(expert) + used_[size(expert - own_experts.first)]++));
      }
      model::sum_terms(terms_, own().row(next++));
    }
  }
}

}  // namespace dmoe::exchange
