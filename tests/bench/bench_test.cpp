#include "bench/bench.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include <gmock/gmock.h>

#include "bench/machine.hpp"
#include "bench/work.hpp"
#include "support/world.hpp"

namespace dmoe::bench {
namespace {

using test::world;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Options tiny() {
  Options options;
  options.network = network_named("4x8-8x4");
  options.batch_sizes = {6};
  options.repetitions = 1;  // so that a median of quotients is the quotient of the medians
  options.steps = 2;
  options.experts = {3, 5};
  options.chosen = 3;
  options.hidden = 8;
  options.rows = {16};
  return options;
}

/// The rows that a bench records: on the coordinator, and none elsewhere.
class Recorded {
 public:
  Recorded(void (*run)(const comm::Communicator&, const Options&, const Record&), const Options& options) {
    run(world(), options, Record([&](const Measurement& row) { rows_.push_back(row); }));
    EXPECT_EQ(rows_.empty(), !world().is_coordinator());
  }

  const std::vector<Measurement>& rows() const { return rows_; }
  /// Those of a quantity of a measurement that `where` holds for.
  template <class Where>
  std::vector<Measurement> find(const std::string& name, const Quantity& quantity, Where where) const {
    std::vector<Measurement> found;
    std::ranges::copy_if(rows_, std::back_inserter(found), [&](const Measurement& row) {
      return row.name == name && row.quantity.name == quantity.name && row.quantity.unit == quantity.unit &&
             where(row);
    });
    return found;
  }
  /// The median of the only one of them.
  template <class Where>
  double value(const std::string& name, const Quantity& quantity, Where where) const {
    const std::vector<Measurement> found = find(name, quantity, where);
    EXPECT_THAT(found, SizeIs(1)) << name << " " << quantity.unit;
    return found.empty() ? 0 : found.front().spread.median;
  }
  double value(const std::string& name, const Quantity& quantity) const {
    return value(name, quantity, [](const Measurement&) { return true; });
  }

 private:
  std::vector<Measurement> rows_;
};

auto of_rank(Index rank) {
  return [rank](const Measurement& row) { return row.rank == rank; };
}
auto on_ranks(Index ranks) {
  return [ranks](const Measurement& row) { return row.subject.ranks == ranks && row.rank == -1; };
}
auto with_experts(Index experts) {
  return [experts](const Measurement& row) { return row.subject.experts == experts; };
}

TEST(Options, have_twice_as_many_inputs_as_units) {
  Options options;
  EXPECT_EQ(options.inputs(), 256);
  options.hidden = 5;
  EXPECT_EQ(options.inputs(), 10);
}

TEST(Options, have_the_usual_batch_sizes_where_none_are_given) {
  Options options;
  EXPECT_THAT(options.batch_sizes_or({3, 4}), ElementsAre(3, 4));
  options.batch_sizes = {7};
  EXPECT_THAT(options.batch_sizes_or({3, 4}), ElementsAre(7));
}

TEST(Benches, have_names_of_their_own_and_a_line_of_help) {
  std::set<std::string> names;
  for (const Bench& bench : benches()) {
    EXPECT_TRUE(names.insert(bench.name).second) << bench.name;
    EXPECT_FALSE(bench.help.empty());
    EXPECT_EQ(bench.help.find('\n'), std::string::npos);
  }
  EXPECT_EQ(names, (std::set<std::string>{"step", "evaluate", "ranks", "replicas", "size", "sum", "shapes"}));
}

const Bench& bench_named(const std::string& name) {
  return *std::ranges::find(benches(), name, &Bench::name);
}

TEST(Obstacle, is_too_few_ranks_where_they_are_compared) {
  for (const char* name : {"ranks", "sum"}) {
    EXPECT_EQ(obstacle(bench_named(name), 1, tiny()), "needs at least 2 ranks: mpirun -n 2");
    EXPECT_EQ(obstacle(bench_named(name), 2, tiny()), "");
  }
  for (const char* name : {"step", "evaluate", "replicas", "size", "shapes"})
    EXPECT_EQ(obstacle(bench_named(name), 1, tiny()), "");
}

TEST(Obstacle, is_ranks_that_would_have_no_expert) {
  EXPECT_EQ(obstacle(bench_named("ranks"), 8, tiny()), "");
  EXPECT_EQ(obstacle(bench_named("ranks"), 9, tiny()), "has work for at most 8 ranks, got 9");
  EXPECT_EQ(obstacle(bench_named("size"), 3, tiny()), "");
  EXPECT_EQ(obstacle(bench_named("size"), 4, tiny()), "has work for at most 3 ranks, got 4");
  for (const char* name : {"step", "evaluate", "sum", "shapes"})
    EXPECT_EQ(obstacle(bench_named(name), 1000, tiny()), "");
}

/// To all digits but those that another order of operations may round otherwise.
void expect_same(double found, double expected) {
  EXPECT_NEAR(found, expected, 1e-12 * std::abs(expected));
}

void expect_shares(const Recorded& found, const std::string& whole, const std::string& products, Pass pass) {
  const double peak = found.value("peak", gflops);
  const double whole_ms = found.value(whole, time_ms);
  const double products_ms = found.value(products, time_ms);
  expect_same(found.value(whole, ratio), whole_ms / products_ms);
  const double flops = 2 * 6 * work(network_named("4x8-8x4").spec, pass, 1, 0);
  for (const auto& [name, ms] : {std::pair(whole, whole_ms), std::pair(products, products_ms)}) {
    expect_same(found.value(name, gflops), flops / (ms / 1e3) / 1e9);
    expect_same(found.value(name, share), found.value(name, gflops) / peak);
  }
  for (const Measurement& row : found.rows()) {
    if (row.name == "peak") continue;
    EXPECT_EQ(row.subject.network, "4x8-8x4");
    EXPECT_EQ(row.subject.batch, 6);
    EXPECT_EQ(row.subject.ranks, 1);
  }
}

TEST(BenchStep, relates_time_rate_and_share_of_the_peak) {
  const Recorded found(step, tiny());
  if (world().is_coordinator()) expect_shares(found, "step", "products", Pass::step);
}

TEST(BenchEvaluate, relates_time_rate_and_share_of_the_peak) {
  const Recorded found(evaluate, tiny());
  if (world().is_coordinator()) expect_shares(found, "evaluate", "forward_products", Pass::evaluation);
}

TEST(BenchRanks, relates_all_ranks_to_one) {
  if (world().size() == 1) return;  // a row could be of either
  const Recorded found(ranks, tiny());
  if (!world().is_coordinator()) return;
  for (const auto& [name, pass] : {std::pair("step", Pass::step), std::pair("evaluate", Pass::evaluation)}) {
    const double one = found.value(name, time_ms, on_ranks(1));
    const double all = found.value(name, time_ms, on_ranks(world().size()));
    expect_same(found.value(name, {"speedup", ""}), one / all);
    const double ceiling = speedup_ceiling(tiny().network.spec, pass, world().size());
    EXPECT_EQ(found.value(name, {"ceiling", ""}), ceiling);
    expect_same(found.value(name, share), one / all / ceiling);
    double coordinator = 0;
    for (const char* activity : {"compute", "communication", "waiting", "data", "io"}) {
      for (Index rank = 0; rank < world().size(); ++rank)
        EXPECT_GE(found.value(name, {activity, "ms"}, of_rank(rank)), 0);
      coordinator += found.value(name, {activity, "ms"}, of_rank(0));
    }
    EXPECT_LE(coordinator, all * (1 + 1e-9));  // of the same steps, read within
  }
}

TEST(BenchReplicas, relates_slices_shards_and_replicas_to_one_rank_with_the_whole_batch) {
  if (world().size() == 1) return;
  const Recorded found(replicas, tiny());
  if (!world().is_coordinator()) return;
  const double one = found.value("step", time_ms, on_ranks(1));
  for (const char* name : {"step_in_2_slices", "step_in_4_slices", "step_in_8_slices"})
    expect_same(found.value(name, {"over_whole_batch", ""}), found.value(name, time_ms, on_ranks(1)) / one);
  for (const char* name : {"step_of_shards", "step_of_replicas"})
    expect_same(found.value(name, {"speedup", ""}),
                one / found.value(name, time_ms, on_ranks(world().size())));
}

TEST(BenchRanks, counts_the_bytes_of_the_closed_form) {
  Options options = tiny();
  options.batch_sizes = {6, 5};
  options.repetitions = 2;
  const Recorded found(ranks, options);
  if (!world().is_coordinator()) return;
  // Of 4 experts the others own 2 on two ranks, 1 + 2 on three, a subtree each; of 8 they own 4, or 3 + 3 in
  // two subtrees each.
  const Index others = world().size() - 1;
  const Index first_sums = std::vector<Index>{0, 1, 2}.at(size(others));
  const Index second_sums = std::vector<Index>{0, 1, 4}.at(size(others));
  const Index elsewhere = std::vector<Index>{0, 2 + 4, 3 + 6}.at(size(others));
  for (const Index rows : {6, 5}) {
    const auto of_coordinator = [&](const Measurement& row) {
      return row.subject.batch == rows && row.rank == 0;
    };
    const auto sent = static_cast<double>(4 * rows * others * ((4 + 8) + 8 + (8 + 4)));
    const auto received =
        static_cast<double>(4 * rows * (first_sums * 8 + second_sums * 4 + elsewhere + second_sums * 8));
    for (const std::string counted : {"step", "closed_form"}) {
      EXPECT_EQ(found.value(counted + "_sent", bytes, of_coordinator), sent);
      EXPECT_EQ(found.value(counted + "_received", bytes, of_coordinator), received);
    }
    double sent_elsewhere = 0;
    double received_elsewhere = 0;
    for (Index rank = 0; rank < world().size(); ++rank) {
      const auto of = [&](const Measurement& row) { return row.subject.batch == rows && row.rank == rank; };
      sent_elsewhere += rank == 0 ? 0 : found.value("step_sent", bytes, of);
      received_elsewhere += rank == 0 ? 0 : found.value("step_received", bytes, of);
      const double reduced = (12 + 3) * 8;
      EXPECT_EQ(found.value("step_reduced", bytes, of), world().is_local() ? 0 : reduced);
      EXPECT_EQ(found.value("closed_form_reduced", bytes, of), reduced);
      EXPECT_EQ(found.find("step_sent", bytes, of).at(0).repetitions, 2);
    }
    EXPECT_EQ(sent_elsewhere, received);
    EXPECT_EQ(received_elsewhere, sent);
  }
}

TEST(BenchSize, relates_times_to_the_first_number_of_experts) {
  const Recorded found(size_of_layers, tiny());
  if (!world().is_coordinator()) return;
  for (const char* name : {"step", "evaluate", "gate", "gate_products", "step_less_gate"}) {
    const double first = found.value(name, time_ms, with_experts(3));
    const double second = found.value(name, time_ms, with_experts(5));
    expect_same(found.value(name, ratio, with_experts(5)), second / first);
    EXPECT_THAT(found.find(name, ratio, with_experts(3)), IsEmpty());
  }
  for (const Index experts : {3, 5}) {
    const auto ms = [&](const char* name) { return found.value(name, time_ms, with_experts(experts)); };
    expect_same(ms("step_less_gate"), ms("step") - ms("gate"));
    expect_same(ms("step_less_gate_products"), ms("step") - ms("gate_products"));
    const double moved = found.value("weights_moved", bytes, with_experts(experts));
    expect_same(ms("weights_moved"), moved / (1e9 * found.value("triad", bandwidth)) * 1e3);
    expect_same(found.value("step_over_weights_moved", ratio, with_experts(experts)),
                ms("step") / ms("weights_moved"));
  }
}

TEST(BenchSize, counts_rows_weights_and_parameters_where_all_are_chosen) {
  const Recorded found(size_of_layers, tiny());
  if (!world().is_coordinator()) return;
  // Two layers of 3 experts of 8 units, on 16 inputs and on 8, with gates of 2 units, and 10 classes.
  EXPECT_EQ(found.value("weights_moved", bytes, with_experts(3)), 3 * 4 * 8 * (5 * 16 + 6 * 8));
  EXPECT_EQ(found.value("row_counts", {"shapes", ""}, with_experts(3)), 1);
  const std::vector<Measurement> rows = found.find("expert_rows", {"rows", ""}, with_experts(3));
  ASSERT_THAT(rows, SizeIs(1));
  EXPECT_EQ(rows[0].repetitions, 2 * 3);
  EXPECT_EQ(rows[0].spread.smallest, 16);
  EXPECT_EQ(rows[0].spread.largest, 16);
  EXPECT_EQ(rows[0].subject.network, "3x8-3x8");
  EXPECT_EQ(rows[0].subject.batch, 16);
  EXPECT_EQ(rows[0].subject.chosen, 3);
  double values = 0;
  for (Index rank = 0; rank < world().size(); ++rank) {
    const auto of = [rank](const Measurement& row) { return row.subject.experts == 3 && row.rank == rank; };
    values += found.value("parameters_and_gradients", bytes, of) / 8;
    EXPECT_THAT(found.find("memory", bytes, of), SizeIs(1));
  }
  EXPECT_EQ(values, 3 * 8 * (17 + 9) + 2 * (17 + 9) + 2 * 3 * 3 + 10 * 9);
}

TEST(BenchSum, relates_the_fixed_order_to_any) {
  const Recorded found(sum, tiny());
  if (!world().is_coordinator()) return;
  const Index count = world().size();
  for (const Index experts : {count, 2 * count + 1, 8 * count}) {
    expect_same(found.value("sum_fixed_order", ratio, with_experts(experts)),
                found.value("sum_fixed_order", time_ms, with_experts(experts)) /
                    found.value("sum_any_order", time_ms, with_experts(experts)));
  }
  for (const Measurement& row : found.rows()) EXPECT_THAT(row.subject.network, HasSubstr("x100"));
}

TEST(BenchShapes, says_the_rows_in_the_middle) {
  Options options = tiny();
  for (const Index repetitions : {1, 3}) {
    options.repetitions = repetitions;
    const Recorded found(shapes, options);
    if (!world().is_coordinator()) continue;
    for (const char* name : {"first_call", "later_call"}) {
      const std::vector<Measurement> rows = found.find(name, time_ms, on_ranks(1));
      ASSERT_THAT(rows, SizeIs(1));
      EXPECT_EQ(rows[0].subject.batch, 65 + (2 + 2 * repetitions) / 2);  // of 67, 69, ..
      EXPECT_EQ(rows[0].subject.network, "1x8");
      EXPECT_EQ(rows[0].repetitions, repetitions);
    }
  }
}

}  // namespace
}  // namespace dmoe::bench
