// What ranks say to each other within a routed layer, between the homes of rows (homes.hpp) and the owners of
// experts. As in dense_exchange.hpp each class owns its buffers and requests; counts follow from the two
// halves of the plan (route_plan.hpp). Homes must outlive a batch.
#pragma once

#include <vector>

#include "comm/communicator.hpp"
#include "core/matrix.hpp"
#include "exchange/dense_exchange.hpp"
#include "exchange/homes.hpp"
#include "exchange/route_plan.hpp"

namespace dmoe::exchange {

/// What rows chose, from their homes to the owners of the experts. A coordinator tells all ranks everything,
/// in one broadcast; homes of some rows tell each owner what it needs, after one all-to-all of the counts.
class ChoiceExchange {
 public:
  /// Of up to `most` experts a row.
  ChoiceExchange(const comm::Communicator& ranks, Index most);

  /// For the rows of a batch. Local.
  void begin(const Homes& homes);
  /// Of the rows at home here: to be filled between begin and deliver. Local.
  model::Choices own() { return model::Choices(table_.own()); }
  /// Makes the plan. Collective.
  void deliver(RoutePlan& plan);
  /// Of all rows that this rank was told of, from row 0 of the batch on with a coordinator, else of those at
  /// home here. Local.
  model::ConstChoices known() { return model::ConstChoices(table_.arrived().values); }
  /// Ends the sends. Local.
  void finish();

 private:
  void deliver_from_homes(RoutePlan& plan);

  const comm::Communicator* ranks_;
  const Homes* homes_ = nullptr;
  SharedMatrix table_;
  GrowingMatrix sent_;                                       // (choices of own rows, Choice::columns)
  GrowingMatrix received_;                                   // (choices of own experts, Choice::columns)
  std::vector<std::int64_t> sent_counts_, received_counts_;  // (E)
  std::vector<comm::Request> requests_;
};

/// Rows of a matrix, each from its home once to every owner that needs it: the input of experts above the
/// first layer, dz.
class RowDelivery {
 public:
  RowDelivery(const comm::Communicator& ranks, Index columns, comm::Tag tag);

  /// Starts to send rows of `matrix` (rows at home here, columns), which must stay as it is until finish().
  /// Collective.
  void start(const RoutePlan& plan, const Homes& homes, ConstMatrixView matrix);
  /// What this rank needs, after its arrival: row rows_of_entries()[e] of it belongs to entry e. Where all
  /// rows are at home here, the matrix itself. Local.
  ConstMatrixView arrived();
  const Index* rows_of_entries() const { return rows_of_entries_; }
  /// Ends the sends. Local.
  void finish();

 private:
  const comm::Communicator* ranks_;
  comm::Tag tag_;
  ConstMatrixView arrived_;
  const Index* rows_of_entries_ = nullptr;
  GrowingMatrix sent_;      // of all other owners, one below the other
  GrowingMatrix received_;  // of all homes
  std::vector<comm::Request> receives_;
  std::vector<comm::Request> sends_;
};

/// A sum over the chosen experts of each row, to its home, along the fixed tree: every owner sends the sums
/// of its blocks for the rows that chose an expert in them.
class RowReduction {
 public:
  RowReduction(const comm::Communicator& ranks, Index width, comm::Tag tag);

  /// Starts the receives. Collective.
  void begin(const RoutePlan& plan, const Homes& homes);
  /// The sums of the own blocks over the own entries of each row, where `term` gives an entry's term. Between
  /// begin and send. Local.
  template <class Term>
  void add_up(const RoutePlan& plan, Term term);
  /// Sends them to the homes of their rows. Collective.
  void send(const RoutePlan& plan);
  /// The sum (rows at home here, width). Collective.
  void combine(const RoutePlan& plan, MatrixView sum);

 private:
  /// Calls visit(row counted from the first at home, block, values) for all sums of rows at home here, blocks
  /// from left to right.
  template <class Visit>
  void for_each_sum(const RoutePlan& plan, const Visit& visit);

  const comm::Communicator* ranks_;
  comm::Tag tag_;
  const Homes* homes_ = nullptr;
  GrowingMatrix own_;         // (rows of the own blocks, width), one block below the other
  std::vector<Index> first_;  // (own blocks + 1): where each begins
  GrowingMatrix received_;    // the same of other owners, of rows at home here
  std::vector<comm::Request> requests_;
  std::vector<model::TreeTerm> terms_;  // scratch
  std::vector<Index> end_;              // scratch: of each row, its terms that stand already
};

/// One value of each entry, computed where its expert is, at the home of its row.
class EntryGather {
 public:
  explicit EntryGather(const comm::Communicator& ranks);

  /// Starts the receives. Collective.
  void begin(const RoutePlan& plan, const Homes& homes);
  /// The values of the own entries, to be filled between begin and send.
  float* own() { return own_.data(); }
  /// Collective.
  void send(const RoutePlan& plan);
  /// The values of all that was sent (SentPlan), in that order. Collective.
  const float* collect();

 private:
  const comm::Communicator* ranks_;
  const Homes* homes_ = nullptr;
  std::vector<float> own_;
  std::vector<float> packed_;    // as the choices arrived
  std::vector<float> received_;  // as the choices were sent
  std::vector<comm::Request> requests_;
};

template <class Term>
void RowReduction::add_up(const RoutePlan& plan, Term term) {
  const std::span<const Choice> arrived = plan.owned.arrived();
  const auto blocks = static_cast<Index>(plan.owned.blocks().size());
  for (Index k = 0; k < blocks; ++k) {
    const model::TreeBlock& block = plan.owned.blocks()[size(k)];
    Index a = 0;
    Index place = first_[size(k)];
    for (const Index row : plan.owned.block_rows(k)) {
      while (arrived[size(a)].row != row) ++a;
      terms_.clear();
      for (; a < static_cast<Index>(arrived.size()) && arrived[size(a)].row == row; ++a) {
        const Index expert = arrived[size(a)].expert;
        if (expert >= block.first && expert < block.first + block.width)
          terms_.push_back(term(expert, plan.owned.entry_of(a)));
      }
      model::sum_terms(terms_, own_.rows_from(place++, 1).values());
    }
  }
}

}  // namespace dmoe::exchange
