#include "calibration/calibration.hpp"

#include <algorithm>
#include <cmath>

#include "calibration/computing.hpp"
#include "calibration/links.hpp"

namespace dmoe::calibration {

Measured measure(const comm::Communicator& world, const std::vector<std::string>& hosts,
                 const std::string& name, const Plan& plan) {
  Measured measured;
  scale::Machine& machine = measured.machine;
  machine.name = name;
  machine.inner = machine.outer = scale::default_machine().inner;
  // The first rank that is elsewhere, which all must know; 0: none is.
  const auto elsewhere = std::ranges::find_if(hosts, [&](const auto& host) { return host != hosts.front(); });
  const Index away = world.all_reduce_max(elsewhere == hosts.end() ? 0 : elsewhere - hosts.begin());
  world.barrier();
  measure_computing(plan, machine);
  world.barrier();
  if (world.size() > 1 && away != 1) {
    machine.inner = machine.outer = measure_link(world, 1, plan.repetitions);
    measured.has_inner = true;
  }
  if (away > 0) {
    machine.outer = measure_link(world, narrow<int>(away), plan.repetitions);
    machine.ranks_a_node = away;
    measured.has_outer = true;
  }
  if (world.size() == 1) return measured;
  measured.all_reduce = measure_all_reduce(world, plan.repetitions);
  const double rounds = std::ceil(std::log2(static_cast<double>(world.size())));
  measured.all_reduce_model = rounds * (machine.outer.latency + machine.outer.overhead);
  return measured;
}

}  // namespace dmoe::calibration
