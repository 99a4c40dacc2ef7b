// The whole dmoe program with one more balancing rule: balance = { rule = "relay", lead = 5.0 }.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "app/run.hpp"
#include "balance/rule.hpp"

namespace {

/// Masks the expert with the largest total while it leads the one with the smallest by more than `lead`
/// examples.
class Relay : public dmoe::balance::Rule {
 public:
  explicit Relay(double lead) : lead_(lead) {}

  void mask(std::span<const dmoe::balance::Total> totals, std::span<std::uint8_t> masked) const override {
    const auto [least, most] = std::minmax_element(totals.begin(), totals.end());
    std::fill(masked.begin(), masked.end(), std::uint8_t{0});
    if (dmoe::balance::to_examples(*most - *least) > lead_) {
      masked[static_cast<std::size_t>(most - totals.begin())] = 1;
    }
  }

 private:
  double lead_;
};

}  // namespace

int main(int argc, char** argv) {
  dmoe::balance::rules().add(
      {"relay",
       "masks the busiest expert while it leads",
       {{"lead", "lead that is allowed [examples]", 5.0, 0.0}},
       [](const dmoe::Settings& settings) { return std::make_unique<Relay>(settings.real("lead")); }});
  return dmoe::app::run(argc, argv);
}
