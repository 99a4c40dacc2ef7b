#include "exchange/route_plan.hpp"

#include <algorithm>
#include <vector>

#include <gmock/gmock.h>

#include "core/random.hpp"

namespace dmoe::exchange {
namespace {

using testing::ElementsAre;

/// What rows chose: {expert, value} each, as a table.
class Table {
 public:
  Table(Index rows, Index most) : matrix_(rows, model::Choices::columns(most)) {
    for (Index b = 0; b < rows; ++b) row(b, {});
  }
  void row(Index b, const std::vector<std::pair<Index, float>>& chosen) {
    const model::Choices choices(matrix_.view());
    for (Index j = 0; j < choices.most(); ++j) choices.set(b, j, -1, 0);
    for (std::size_t j = 0; j < chosen.size(); ++j)
      choices.set(b, static_cast<Index>(j), chosen[j].first, chosen[j].second);
  }
  model::ConstChoices rows(Index first, Index count) const {
    return model::ConstChoices(matrix_.view().rows_from(first, count));
  }
  model::ConstChoices choices() const { return model::ConstChoices(matrix_.view()); }

 private:
  Matrix matrix_;
};

/// What a rank owns of the choices of all homes: each sends what it planned.
OwnedPlan owned_by(const Topology& topology, Index owner, const std::vector<SentPlan>& homes) {
  OwnedPlan plan(topology, owner);
  for (const SentPlan& home : homes)
    for (Index c = home.begin(owner); c < home.begin(owner + 1); ++c) plan.add(home.choice(c));
  plan.make();
  return plan;
}

TEST(RoutePlan, is_that_of_the_example) {
  Table first(2, 2);
  first.row(0, {{0, 0.9F}, {3, 0.1F}});
  first.row(1, {{2, 0.8F}, {3, 0.2F}});
  Table second(1, 2);
  second.row(0, {{0, 0.7F}, {1, 0.3F}});
  const Topology topology(4, 2);
  std::vector<SentPlan> homes(2, SentPlan(topology));
  homes[0].make(first.choices(), 0);
  homes[1].make(second.choices(), 2);
  EXPECT_THAT(homes[0].rows(0), ElementsAre(0));
  EXPECT_THAT(homes[0].rows(1), ElementsAre(0, 1));
  EXPECT_THAT(homes[1].rows(0), ElementsAre(0));
  EXPECT_THAT(homes[1].rows(1), ElementsAre());
  EXPECT_THAT(homes[0].block_rows(1), ElementsAre(0, 1));
  EXPECT_EQ(homes[0].place(homes[0].begin(1)), 1);
  const OwnedPlan owned = owned_by(topology, 0, homes);
  EXPECT_THAT(owned.entry_rows(), ElementsAre(0, 2, 2));
  EXPECT_THAT(owned.values(), ElementsAre(0.9F, 0.7F, 0.3F));
  EXPECT_THAT(owned.rows(), ElementsAre(0, 2));
  EXPECT_THAT(owned.entry_places(), ElementsAre(0, 1, 1));
  EXPECT_EQ(owned.begin(1), 2);
  const RoutePlan plan(topology, 0);
  EXPECT_EQ(plan.blocks[0], (model::TreeBlock{0, 2}));
  EXPECT_EQ(plan.blocks[1], (model::TreeBlock{2, 2}));
}

/// Every entry, row and block row, counted by the definition, of rows that are dealt to some homes.
TEST(RoutePlan, holds_each_choice_once) {
  RandomStream stream(1, Purpose::test, 5);
  for (const Index experts : {1, 4, 7, 16}) {
    for (Index ranks = 1; ranks <= std::min<Index>(experts, 5); ++ranks) {
      const Topology topology(experts, ranks);
      std::vector<SentPlan> homes(size(ranks), SentPlan(topology));
      for (const Index rows : {9, 0, 4}) {
        const Index most = std::min<Index>(experts, 3);
        Table table(rows, most);
        for (Index b = 0; b < rows; ++b) {
          std::vector<std::pair<Index, float>> chosen;
          for (Index i = stream.below(experts); i < experts && static_cast<Index>(chosen.size()) < most;
               i += 1 + stream.below(3))
            chosen.emplace_back(i, stream.uniform());
          table.row(b, chosen);
        }
        const auto home = [&](Index rank) { return Topology(rows, ranks).range(rank); };  // as experts are
        for (Index rank = 0; rank < ranks; ++rank)
          homes[size(rank)].make(table.rows(home(rank).first, home(rank).count), home(rank).first);
        Index entries = 0;
        for (Index owner = 0; owner < ranks; ++owner) {
          const ExpertRange own = topology.range(owner);
          const OwnedPlan plan = owned_by(topology, owner, homes);
          std::vector<Index> needed;
          Index arrival = 0;
          for (Index b = 0; b < rows; ++b) {
            for (Index j = 0; j < table.choices().count(b); ++j) {
              const Index expert = table.choices().expert(b, j);
              if (expert < own.first || expert >= own.end()) continue;
              ++entries;
              if (needed.empty() || needed.back() != b) needed.push_back(b);
              const Index entry = plan.entry_of(arrival++);
              EXPECT_TRUE(entry >= plan.begin(expert) && entry < plan.begin(expert + 1));
              EXPECT_EQ(plan.row(entry), b);
              EXPECT_EQ(plan.values()[size(entry)], table.choices().value(b, j));
              EXPECT_EQ(plan.rows()[size(plan.entry_places()[size(entry)])], b);
            }
          }
          EXPECT_EQ(arrival, static_cast<Index>(plan.arrived().size()));
          EXPECT_TRUE(std::ranges::equal(plan.rows(), needed));
          Index sent_rows = 0;
          for (Index rank = 0; rank < ranks; ++rank) {
            const model::RowRange part = OwnedPlan::within(plan.rows(), {home(rank).first, home(rank).count});
            EXPECT_EQ(part.first, sent_rows);
            EXPECT_EQ(part.count, static_cast<Index>(homes[size(rank)].rows(owner).size()));
            sent_rows += part.count;
          }
          EXPECT_EQ(sent_rows, static_cast<Index>(needed.size()));
          for (std::size_t k = 0; k < plan.blocks().size(); ++k) {
            const model::TreeBlock& block = plan.blocks()[k];
            std::vector<Index> in_block;
            for (Index b = 0; b < rows; ++b) {
              for (Index j = 0; j < table.choices().count(b); ++j) {
                const Index offset = table.choices().expert(b, j) - block.first;
                if (offset >= 0 && offset < block.width && (in_block.empty() || in_block.back() != b))
                  in_block.push_back(b);
              }
            }
            EXPECT_TRUE(std::ranges::equal(plan.block_rows(static_cast<Index>(k)), in_block));
          }
        }
        Index sent = 0;
        for (const SentPlan& of_home : homes) sent += of_home.count();
        EXPECT_EQ(sent, entries);
      }
    }
  }
}

}  // namespace
}  // namespace dmoe::exchange
