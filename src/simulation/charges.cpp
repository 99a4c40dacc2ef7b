// Every simulated rank has its own copy of what is static here (SMPI's privatization).
#include "simulation/charges.hpp"

#include <bit>
#include <optional>
#include <simgrid/engine.h>
#include <smpi/smpi.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace dmoe::simulation {

namespace {

std::optional<WorkTimes> times;
double pending_nanoseconds = 0;                             // charged, and not yet passed
std::map<std::pair<Index, Index>, double> product_seconds;  // by outputs and inputs
std::array<double, unit_names.size()> unit_seconds{};
std::map<std::string, double> seconds_by_name;

struct Region {
  float* memory;
  std::size_t bytes;
};
std::vector<Region> regions;

}  // namespace

void charge_from(const WorkTimes& table) {
  times = table;
}

std::map<std::string, double> charged_seconds() {
  for (const auto& [shape, seconds] : product_seconds)
    seconds_by_name[fmt::format("{}x{}", shape.first, shape.second)] = seconds;
  for (std::size_t u = 0; u < unit_names.size(); ++u) seconds_by_name[unit_names[u]] = unit_seconds[u];
  return seconds_by_name;
}

void charge_product(Product product, std::int64_t rows, std::int64_t outputs, std::int64_t inputs) {
  if (!times) return;
  const double nanoseconds = times->product(product, rows, outputs, inputs);
  pending_nanoseconds += nanoseconds;
  product_seconds[{outputs, inputs}] += 1e-9 * nanoseconds;
}

void charge_units(Unit unit, std::int64_t count) {
  if (!times) return;
  const double nanoseconds = times->unit(unit) * static_cast<double>(count);
  pending_nanoseconds += nanoseconds;
  unit_seconds[static_cast<std::size_t>(unit)] += 1e-9 * nanoseconds;
}

float* folded_memory(std::size_t bytes) {
  constexpr std::size_t least = std::size_t{1} << 26;
  if (regions.empty() || regions.back().bytes < bytes) {
    const std::size_t room = std::bit_ceil(std::max(bytes, least));
    regions.push_back({static_cast<float*>(SMPI_SHARED_MALLOC(room)), room});
  }
  return regions.back().memory;
}

bool is_folded(const float* memory) {
  return std::ranges::any_of(regions, [&](const Region& region) { return region.memory == memory; });
}

/// Hosts of the platforms of experiments/scaling do 10^9 operations a second: a nanosecond is one.
Clock::time_point Clock::now() noexcept {
  if (pending_nanoseconds > 0) smpi_execute_flops(std::exchange(pending_nanoseconds, 0));
  return time_point(std::chrono::duration_cast<duration>(std::chrono::duration<double>(simgrid_get_clock())));
}

}  // namespace dmoe::simulation
