// bench ranks: a training step and an evaluation on all ranks against one, where each rank's time goes, and
// what is sent.
#include <array>
#include <optional>

#include "bench/bench.hpp"
#include "bench/repetition.hpp"
#include "bench/stepped_training.hpp"
#include "bench/work.hpp"
#include "distribution/traffic.hpp"

namespace dmoe::bench {

namespace {

/// What this rank did in each repetition, the one that warms up among them.
class Notes {
 public:
  explicit Notes(const comm::Communicator& ranks) : ranks_(ranks) {}

  /// Runs the body and notes it, per one of `count`. Collective where the body is.
  template <class Body>
  void during(Index count, Body body) {
    const ActivitySeconds seconds = ranks_.timing().seconds();
    const comm::Traffic traffic = ranks_.traffic();
    body();
    const ActivitySeconds then = ranks_.timing().seconds();
    const comm::Traffic after = ranks_.traffic();
    const auto one = static_cast<double>(count);
    for (std::size_t a = 0; a < seconds.size(); ++a)
      milliseconds_[a].push_back(1e3 * (then[a] - seconds[a]) / one);
    sent_.push_back(static_cast<double>(after.bytes_sent - traffic.bytes_sent) / one);
    received_.push_back(static_cast<double>(after.bytes_received - traffic.bytes_received) / one);
    reduced_.push_back(static_cast<double>(after.bytes_reduced - traffic.bytes_reduced) / one);
  }
  /// A row for each activity of each rank. Collective.
  void record_times(const Record& record, const std::string& name, const Subject& subject) const {
    for (std::size_t a = 0; a < milliseconds_.size(); ++a) {
      const bool is_part = a >= activity_names.size();
      const std::string_view of = is_part ? part_names[a - activity_names.size()] : activity_names[a];
      record_ranks(record, name, subject, {std::string(of), "ms"}, milliseconds_[a]);
    }
  }
  /// A row for the bytes that each rank sent, received and put into all-reduces. Collective.
  void record_bytes(const Record& record, const std::string& name, const Subject& subject) const {
    record_ranks(record, name + "_sent", subject, bytes, sent_);
    record_ranks(record, name + "_received", subject, bytes, received_);
    record_ranks(record, name + "_reduced", subject, bytes, reduced_);
  }

 private:
  void record_ranks(const Record& record, const std::string& name, const Subject& subject,
                    const Quantity& quantity, const Samples& samples) const {
    const Samples counting(samples.begin() + 1, samples.end());
    const std::vector<double> all = ranks_.gather(counting);
    if (!ranks_.is_coordinator()) return;
    for (Index rank = 0; rank < ranks_.size(); ++rank) {
      const auto first = all.begin() + rank * static_cast<Index>(counting.size());
      record(name, subject, quantity, {first, first + static_cast<Index>(counting.size())}, rank);
    }
  }

  const comm::Communicator& ranks_;
  std::array<Samples, ActivitySeconds{}.size()> milliseconds_;
  Samples sent_, received_, reduced_;
};

void record_speedup(const Record& record, const std::string& name, const NamedNetwork& network, Pass pass,
                    const Subject& subject, const Samples& one, const Samples& all) {
  Subject alone = subject;
  alone.ranks = 1;
  const Samples ceiling{speedup_ceiling(network.spec, pass, subject.ranks)};
  record(name, alone, time_ms, one);
  record(name, subject, time_ms, all);
  record(name, subject, {"speedup", ""}, ratios(one, all));
  record(name, subject, {"ceiling", ""}, ceiling);
  record(name, subject, share, inverses(1 / ceiling.front(), ratios(all, one)));
}

/// On the coordinator: what Notes should have counted.
void record_closed_form(const Record& record, const NamedNetwork& network, const Subject& subject) {
  const distribution::StepTraffic traffic =
      distribution::bytes_per_step(network.spec, subject.ranks, subject.batch);
  const auto add = [&](const std::string& name, Index count, Index rank) {
    record("closed_form_" + name, subject, bytes, {static_cast<double>(count)}, rank);
  };
  add("sent", traffic.sent(), 0);
  add("received", traffic.received(), 0);
  for (Index rank = 0; rank < subject.ranks; ++rank) add("reduced", traffic.totals, rank);
}

void measure(const comm::Communicator& world, const Options& options, const Record& record, Pass pass,
             Index rows) {
  const std::string name = pass == Pass::step ? "step" : "evaluate";
  const Index count = options.steps.value_or(50);
  const data::ImageDataset images = random_images(rows, pass == Pass::step ? 1 : count);
  const comm::Communicator alone = comm::Communicator::local();
  std::optional<SteppedTraining> on_one;
  if (world.is_coordinator()) on_one.emplace(options.network.spec, alone, images, rows, "margin");
  SteppedTraining on_all(options.network.spec, world, images, rows, "margin");
  const auto run = [&](SteppedTraining& training) {
    pass == Pass::step ? training.steps(count) : training.evaluate();
  };
  Notes notes(world);
  const std::vector<Samples> samples =
      in_turn(world, options.repetitions.value_or(7),
              {{Where::coordinator, count, [&] { run(*on_one); }},
               {Where::everywhere, count, [&] { notes.during(count, [&] { run(on_all); }); }}});
  const Subject subject = options.network.subject(rows, world.size());
  if (world.is_coordinator())
    record_speedup(record, name, options.network, pass, subject, samples[0], samples[1]);
  notes.record_times(record, name, subject);
  if (pass == Pass::evaluation) return;
  notes.record_bytes(record, name, subject);
  if (world.is_coordinator()) record_closed_form(record, options.network, subject);
}

}  // namespace

void ranks(const comm::Communicator& world, const Options& options, const Record& record) {
  for (const Index rows : options.batch_sizes_or({100, 128, 512}))
    measure(world, options, record, Pass::step, rows);
  for (const Index rows : options.batch_sizes_or({training::EvaluationSpec{}.batch_size}))
    measure(world, options, record, Pass::evaluation, rows);
}

}  // namespace dmoe::bench
