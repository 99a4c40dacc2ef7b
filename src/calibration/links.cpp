#include "calibration/links.hpp"

#include <algorithm>
#include <vector>

#include "bench/measurement.hpp"
#include "bench/repetition.hpp"

namespace dmoe::calibration {

namespace {

using comm::Communicator;
using comm::Tag;

constexpr std::size_t small = 1;                      // floats
constexpr std::size_t medium = std::size_t{1} << 14;  // 64 KiB
constexpr std::size_t large = std::size_t{1} << 18;   // 1 MiB
constexpr std::size_t burst = 64;                     // messages

/// Between rank 0 and a peer.
class Pair {
 public:
  Pair(const Communicator& world, int peer)
      : world_(world), peer_(peer), out_(burst * large / 16), in_(out_.size()) {}

  bool takes_part() const { return world_.is_coordinator() || world_.rank() == peer_; }

  /// Seconds of a message of so many floats one way.
  double one_way(std::size_t count, Index times) {
    const double milliseconds = bench::milliseconds_of([&] {
      for (Index i = 0; i < times; ++i) {
        if (world_.is_coordinator()) send(count);
        receive(count);
        if (!world_.is_coordinator()) send(count);
      }
    });
    return 1e-3 * milliseconds / static_cast<double>(2 * times);
  }
  /// Seconds that one of many small messages to rank 0 costs it.
  double of_a_burst(Index times) {
    const double milliseconds = bench::milliseconds_of([&] {
      for (Index i = 0; i < times; ++i) {
        std::vector<comm::Request> requests;
        for (std::size_t m = 0; m < burst; ++m) {
          if (world_.is_coordinator())
            requests.push_back(world_.start_receive({&in_[m], small}, other(), Tag::partial_sums));
          else
            requests.push_back(world_.start_send({&out_[m], small}, other(), Tag::partial_sums));
        }
        for (comm::Request& request : requests) request.wait();
      }
    });
    return 1e-3 * milliseconds / static_cast<double>(times * static_cast<Index>(burst));
  }

 private:
  int other() const { return world_.is_coordinator() ? peer_ : 0; }
  void send(std::size_t count) { world_.start_send({out_.data(), count}, other(), Tag::partial_sums).wait(); }
  void receive(std::size_t count) {
    world_.start_receive({in_.data(), count}, other(), Tag::partial_sums).wait();
  }

  const Communicator& world_;
  int peer_;
  std::vector<float> out_, in_;
};

}  // namespace

scale::Link measure_link(const Communicator& world, int peer, Index repetitions) {
  Pair pair(world, peer);
  bench::Samples latency;
  bench::Samples medium_seconds;
  bench::Samples large_seconds;
  bench::Samples overhead;
  for (Index repetition = -1; repetition < repetitions; ++repetition) {  // the first one warms up
    world.barrier();
    if (!pair.takes_part()) continue;
    const std::vector<double> seconds{pair.one_way(small, 50), pair.one_way(medium, 10),
                                      pair.one_way(large, 4), pair.of_a_burst(8)};
    if (repetition < 0) continue;
    latency.push_back(seconds[0]);
    medium_seconds.push_back(seconds[1]);
    large_seconds.push_back(seconds[2]);
    overhead.push_back(seconds[3]);
  }
  if (!world.is_coordinator()) return {};
  const auto shortest = [](const bench::Samples& samples) { return bench::spread_of(samples).smallest; };
  constexpr double bytes = sizeof(float) * (large - medium);
  const double slope = std::max(1e-12, shortest(large_seconds) - shortest(medium_seconds)) / bytes;
  return {std::max(0.0, shortest(latency) - shortest(overhead)), 1 / slope, shortest(overhead)};
}

double measure_all_reduce(const Communicator& world, Index repetitions) {
  std::vector<std::int64_t> values(16);
  constexpr Index count = 50;
  const auto samples = bench::in_turn(world, repetitions, {{bench::Where::everywhere, count, [&] {
                                                              for (Index i = 0; i < count; ++i)
                                                                world.all_reduce(values);
                                                            }}});
  return 1e-3 * bench::spread_of(samples.front()).smallest;
}

}  // namespace dmoe::calibration
