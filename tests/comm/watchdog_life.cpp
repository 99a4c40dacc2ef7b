// watchdog_life OPERATION SECONDS: the last rank stays away for so long while the others wait for it, under a
// watchdog of one second. watchdog_life_test.py reads what becomes of it.
#include <chrono>
#include <cstdlib>
#include <string_view>
#include <thread>
#include <vector>

#include "comm/session.hpp"
#include "comm/watchdog.hpp"

namespace {

using dmoe::comm::Communicator;

void wait_in(std::string_view operation, const Communicator& ranks) {
  std::vector<float> values(1000);
  std::vector<std::int64_t> totals(10);
  if (operation == "barrier") ranks.barrier();
  if (operation == "all_reduce") ranks.all_reduce(totals);
  if (operation == "all_reduce_max") ranks.all_reduce_max(1);
  if (operation == "gather") ranks.gather(std::vector<double>(5));
  if (operation == "receive") {
    const bool waits = ranks.is_coordinator();
    const int last = ranks.size() - 1;
    if (waits) ranks.start_receive(values, last, dmoe::comm::Tag::partial_sums).wait();
    if (ranks.rank() == last) ranks.start_send(values, 0, dmoe::comm::Tag::partial_sums).wait();
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view operation = argc > 1 ? argv[1] : "";
  const double seconds = argc > 2 ? std::atof(argv[2]) : 0;
  dmoe::comm::Session session;
  const Communicator& ranks = session.world();
  {
    const dmoe::comm::Watchdog watchdog(ranks, 1.0);
    if (ranks.rank() == ranks.size() - 1) std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    wait_in(operation, ranks);
    // Not in any operation: no watchdog minds.
    if (seconds < 1) std::this_thread::sleep_for(std::chrono::duration<double>(2));
  }
  ranks.barrier();
  session.finalize();
  return 0;
}
