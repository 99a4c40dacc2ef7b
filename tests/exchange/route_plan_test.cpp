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
  model::ConstChoices choices() const { return model::ConstChoices(matrix_.view()); }

 private:
  Matrix matrix_;
};

TEST(RoutePlan, is_that_of_the_example) {
  Table table(3, 2);
  table.row(0, {{0, 0.9F}, {3, 0.1F}});
  table.row(1, {{2, 0.8F}, {3, 0.2F}});
  table.row(2, {{0, 0.7F}, {1, 0.3F}});
  RoutePlan plan(Topology(4, 2));
  plan.make(table.choices());
  EXPECT_THAT(plan.entry_rows(), ElementsAre(0, 2, 2, 1, 0, 1));
  EXPECT_THAT(plan.values(), ElementsAre(0.9F, 0.7F, 0.3F, 0.8F, 0.1F, 0.2F));
  EXPECT_THAT(plan.rows(0), ElementsAre(0, 2));
  EXPECT_THAT(plan.rows(1), ElementsAre(0, 1));
  EXPECT_EQ(plan.block(0), (model::TreeBlock{0, 2}));
  EXPECT_THAT(plan.block_rows(0), ElementsAre(0, 2));
  EXPECT_THAT(plan.block_rows(1), ElementsAre(0, 1));
  EXPECT_THAT(plan.arrivals(), ElementsAre(0, 1, 1, 1, 0, 1));
  EXPECT_EQ(plan.place(4), 1);
}

/// Every entry, row and block row, counted by the definition.
TEST(RoutePlan, holds_each_choice_once) {
  RandomStream stream(1, Purpose::test, 5);
  for (const Index experts : {1, 4, 7, 16}) {
    for (Index ranks = 1; ranks <= std::min<Index>(experts, 5); ++ranks) {
      const Topology topology(experts, ranks);
      RoutePlan plan(topology);
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
        plan.make(table.choices());
        Index entries = 0;
        for (Index rank = 0; rank < ranks; ++rank) {
          const ExpertRange own = topology.range(rank);
          std::vector<Index> needed;
          for (Index b = 0; b < rows; ++b) {
            for (Index j = 0; j < table.choices().count(b); ++j) {
              const Index expert = table.choices().expert(b, j);
              if (expert < own.first || expert >= own.end()) continue;
              ++entries;
              if (needed.empty() || needed.back() != b) needed.push_back(b);
              Index entry = plan.begin(expert);
              while (entry < plan.begin(expert + 1) && plan.row(entry) != b) ++entry;
              ASSERT_LT(entry, plan.begin(expert + 1));
              EXPECT_EQ(plan.place(entry), j);
              EXPECT_EQ(plan.value(entry), table.choices().value(b, j));
              EXPECT_EQ(plan.rows(rank)[size(plan.arrival(entry))], b);
            }
          }
          EXPECT_TRUE(std::ranges::equal(plan.rows(rank), needed));
          Index block_rows = 0;
          for (Index k = plan.first_block(rank); k < plan.first_block(rank + 1); ++k) {
            block_rows += static_cast<Index>(plan.block_rows(k).size());
            for (const Index b : plan.block_rows(k)) {
              Index inside = 0;
              for (Index j = 0; j < table.choices().count(b); ++j) {
                const Index offset = table.choices().expert(b, j) - plan.block(k).first;
                inside += offset >= 0 && offset < plan.block(k).width ? 1 : 0;
              }
              EXPECT_GE(inside, 1);
            }
          }
          EXPECT_EQ(plan.block_row_count(rank), block_rows);
        }
        EXPECT_EQ(static_cast<Index>(plan.values().size()), entries);
      }
    }
  }
}

}  // namespace
}  // namespace dmoe::exchange
