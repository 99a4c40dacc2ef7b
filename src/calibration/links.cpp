#include "calibration/links.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "bench/measurement.hpp"
#include "bench/repetition.hpp"

namespace dmoe::calibration {

namespace {

using comm::Communicator;
using comm::Tag;

constexpr std::size_t small = 1;  // floats
// Floats of the messages of the curve, 1 KB to 4 MB: closely below and above what libraries send unasked, 64
// KiB by TCP.
constexpr std::array<std::size_t, 9> lengths{250,    4'000,  8'000,   16'000,   17'000,
                                             34'000, 65'000, 250'000, 1'000'000};
constexpr std::size_t burst = 64;         // messages
constexpr double sample_seconds = 0.004;  // at least, of messages of one length; at least two of them

/// Between rank 0 and a peer.
class Pair {
 public:
  Pair(const Communicator& world, int peer)
      : world_(world), peer_(peer), out_(lengths.back()), in_(lengths.back()) {}

  bool takes_part() const { return world_.is_coordinator() || world_.rank() == peer_; }

  /// Seconds of a message of so many floats, while another comes the other way or none does.
  double of_one(std::size_t count, scale::Direction direction, Index times) {
    const bool crosses = direction == scale::Direction::crossing;
    const double milliseconds = bench::milliseconds_of([&] {
      for (Index i = 0; i < times; ++i) crosses ? exchange(count) : there_and_back(count);
    });
    return 1e-3 * milliseconds / static_cast<double>(crosses ? times : 2 * times);
  }
  /// Seconds that one of many small messages to rank 0 costs it.
  double of_a_burst(Index times) {
    const double milliseconds = bench::milliseconds_of([&] {
      for (Index i = 0; i < times; ++i) {
        std::vector<comm::Request> requests;
        for (std::size_t m = 0; m < burst; ++m)
          requests.push_back(world_.is_coordinator() ? start_receive(small, m) : start_send(small, m));
        for (comm::Request& request : requests) request.wait();
      }
    });
    return 1e-3 * milliseconds / static_cast<double>(times * static_cast<Index>(burst));
  }
  /// How often, so that a sample is long enough: as rank 0 found, which tells the peer.
  Index times_of(std::size_t count, scale::Direction direction) {
    const double once = of_one(count, direction, 2);
    float times = static_cast<float>(std::clamp(std::ceil(sample_seconds / once), 2.0, 200.0));
    if (world_.is_coordinator()) world_.start_send({&times, 1}, other(), Tag::partial_sums).wait();
    if (!world_.is_coordinator()) world_.start_receive({&times, 1}, other(), Tag::partial_sums).wait();
    return static_cast<Index>(times);
  }

 private:
  int other() const { return world_.is_coordinator() ? peer_ : 0; }
  comm::Request start_send(std::size_t count, std::size_t first = 0) {
    return world_.start_send({&out_[first], count}, other(), Tag::partial_sums);
  }
  comm::Request start_receive(std::size_t count, std::size_t first = 0) {
    return world_.start_receive({&in_[first], count}, other(), Tag::partial_sums);
  }
  void there_and_back(std::size_t count) {
    if (world_.is_coordinator()) start_send(count).wait();
    start_receive(count).wait();
    if (!world_.is_coordinator()) start_send(count).wait();
  }
  void exchange(std::size_t count) {
    comm::Request receive = start_receive(count);
    comm::Request send = start_send(count);
    receive.wait();
    send.wait();
  }

  const Communicator& world_;
  int peer_;
  std::vector<float> out_, in_;
};

/// What else runs here only ever makes messages slower.
double shortest(const bench::Samples& samples) {
  return bench::spread_of(samples).smallest;
}

/// Seconds of a message of each length, without what it costs its processor.
std::vector<double> curve(Pair& pair, scale::Direction direction, double overhead, Index repetitions) {
  std::vector<double> seconds;
  for (const std::size_t length : lengths) {
    const Index times = pair.times_of(length, direction);
    bench::Samples samples;
    for (Index i = 0; i < repetitions; ++i) samples.push_back(pair.of_one(length, direction, times));
    const double without = std::max(1e-9, shortest(samples) - overhead);
    // A longer one takes no less, whatever disturbed the shorter.
    seconds.push_back(seconds.empty() ? without : std::max(without, seconds.back() * 1.0001));
  }
  return seconds;
}

}  // namespace

scale::Link measure_link(const Communicator& world, int peer, Index repetitions) {
  Pair pair(world, peer);
  bench::Samples latency;
  bench::Samples overhead;
  world.barrier();
  if (!pair.takes_part()) return {};
  for (Index repetition = -1; repetition < repetitions; ++repetition) {  // the first one warms up
    const double one_way = pair.of_one(small, scale::Direction::one_way, 50);
    const double of_a_burst = pair.of_a_burst(8);
    if (repetition < 0) continue;
    latency.push_back(one_way);
    overhead.push_back(of_a_burst);
  }
  const double each = shortest(overhead);
  scale::Link link{.latency = std::max(0.0, shortest(latency) - each),
                   .overhead = each,
                   .sizes = {},
                   .one_way = curve(pair, scale::Direction::one_way, each, repetitions),
                   .crossing = curve(pair, scale::Direction::crossing, each, repetitions)};
  for (const std::size_t length : lengths) link.sizes.push_back(static_cast<double>(sizeof(float) * length));
  link.bandwidth = 1 / link.seconds_a_byte(scale::Direction::one_way);
  return world.is_coordinator() ? link : scale::Link{};
}

double measure_all_reduce(const Communicator& world, Index repetitions) {
  std::vector<std::int64_t> values(16);
  constexpr Index count = 50;
  const auto samples = bench::in_turn(world, repetitions, {{bench::Where::everywhere, count, [&] {
                                                              for (Index i = 0; i < count; ++i)
                                                                world.all_reduce(values);
                                                            }}});
  return 1e-3 * shortest(samples.front());
}

}  // namespace dmoe::calibration
