#include "exchange/homes.hpp"

#include "core/enum_names.hpp"
#include "exchange/topology.hpp"

namespace dmoe::exchange {

namespace {

constexpr EnumNames<Gating, 2> names{"gating", {"coordinator", "rows"}};

}  // namespace

std::string to_text(Gating gating) {
  return names.text(gating);
}
std::vector<std::string> gating_names() {
  return names.all();
}
Gating gating_named(const std::string& name) {
  return names.named(name);
}

SliceRange slices_at_home(Gating gating, Index slices, Index ranks, Index rank) {
  if (gating == Gating::coordinator) return rank == 0 ? SliceRange{0, slices} : SliceRange{slices, 0};
  const ExpertRange own = Topology(slices, ranks).range(rank);  // shared out as experts are
  return {own.first, own.count};
}

Homes::Homes(const comm::Communicator& ranks, Index rows)
    : Homes(ranks, rows, Gating::coordinator, model::Slices::whole()) {}

Homes::Homes(const comm::Communicator& ranks, Index rows, Gating gating, const model::Slices& slices)
    : gating_(gating), rank_(ranks.rank()), starts_(size(ranks.size() + 1), rows) {
  for (Index rank = 0; rank < ranks.size(); ++rank) {
    const SliceRange own = slices_at_home(gating, slices.count(), ranks.size(), rank);
    if (own.first < slices.count()) starts_[size(rank)] = slices.of(own.first, rows).first;
  }
}

}  // namespace dmoe::exchange
