// A group of ranks and what they say to each other. Only this module calls MPI.
//
// "Collective": every rank of the communicator calls it, in the same order, with the same shapes. "Local":
// one rank may call it alone. A local communicator (one rank, no MPI behind it) runs the same code without
// mpirun. Where calls are checked (call_check.hpp), a collective call that is not the same on every rank
// throws RunError with the call and the `place` of each.
#pragma once

#include <cstdint>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "comm/request.hpp"
#include "core/timing.hpp"
#include "core/types.hpp"

namespace dmoe::comm {

/// What a point-to-point message carries.
enum class Tag : int {
  partial_sums = 1,
  gate_gradient = 2,
  input_gradient = 3,
  expert_outputs = 4,
  expert_output_gradients = 5,
  input_rows = 6,
  output_gradient_rows = 7,
  gradients = 8,
  weights = 9,
  choices = 10
};

/// Payload of this rank's float broadcasts, messages and all-reduces since the start; what only steers a run
/// is not counted. A broadcast counts once per receiver at the root.
struct Traffic {
  std::int64_t bytes_sent = 0;
  std::int64_t bytes_received = 0;
  std::int64_t bytes_reduced = 0;  // of all-reduces, counted once per rank
  std::int64_t messages_sent = 0;  // what the bytes travelled in; all-reduces are none
  std::int64_t messages_received = 0;
};

class Communicator {
 public:
  using Place = std::source_location;  // of the caller

  /// One rank and no MPI: the local twin. Local.
  static Communicator local();
  /// MPI behind it: native.hpp, of which this is the whole.
  struct Native;
  explicit Communicator(std::unique_ptr<const Native> native);

  Communicator(Communicator&& other) noexcept;
  Communicator& operator=(Communicator&& other) noexcept;
  ~Communicator();

  /// Those ranks that name the same `color`, in the order of their `key`; a local one where it is one. They
  /// count into this communicator's traffic and clock. `among` says which these are where one has to be named
  /// that does not answer: "replica 2 (ranks 2 and 3)". Collective.
  Communicator split(int color, int key, const std::string& among) const;

  int rank() const { return rank_; }
  int size() const { return size_; }
  /// Rank 0: gates, head, loss, files that one rank writes, everything that prints.
  bool is_coordinator() const { return rank_ == 0; }
  /// No MPI behind it.
  bool is_local() const { return native_ == nullptr; }
  const Native* native() const { return native_.get(); }
  /// Another one for each communicator, the same when that is moved. Local.
  const void* identity() const {
    return native_ ? static_cast<const void*>(native_.get()) : static_cast<const void*>(traffic_.get());
  }

  /// The coordinator's values on every rank. Collective.
  void broadcast(std::span<float> values, Place place = Place::current()) const;
  void broadcast(std::span<std::int64_t> values, Place place = Place::current()) const;
  void broadcast(std::string& text, Place place = Place::current()) const;
  Request start_broadcast(std::span<float> values, Place place = Place::current()) const;
  /// Every rank's part of `all` on every rank: that of rank r is [starts[r], starts[r + 1]), in units of
  /// `width` values. Collective.
  Request start_all_gather(std::span<float> all, std::span<const Index> starts, Index width,
                           Place place = Place::current()) const;
  /// received[r] = what rank r has in sent[own rank]; as many values as ranks. Collective.
  void all_to_all(std::span<const std::int64_t> sent, std::span<std::int64_t> received,
                  Place place = Place::current()) const;

  /// Point to point between different ranks, in order per (peer, tag). Local.
  Request start_send(std::span<const float> values, int to, Tag tag) const;
  Request start_receive(std::span<float> values, int from, Tag tag) const;

  /// Sums over the ranks, on every rank. Exact, hence the same for any number of ranks. Collective.
  void all_reduce(std::span<std::int64_t> values, Place place = Place::current()) const;
  Request start_all_reduce(std::span<std::int64_t> values, Place place = Place::current()) const;
  /// The library's own float sum on the coordinator, in whatever order it likes: for benchmarks. Collective.
  void reduce_any_order(std::span<float> values, Place place = Place::current()) const;
  /// The largest value of any rank, on every rank. Collective.
  std::int64_t all_reduce_max(std::int64_t value, Place place = Place::current()) const;

  /// One row per rank on the coordinator (rows of equal length), empty elsewhere. Collective.
  std::vector<double> gather(std::span<const double> row, Place place = Place::current()) const;
  std::vector<std::string> gather(const std::string& text, Place place = Place::current()) const;

  /// Returns on no rank before all have called it. Collective.
  void barrier(Place place = Place::current()) const;

  /// The check alone, of what is no call of ours: "HDF5's write of" "/train/loss". Collective.
  void compare(std::string_view operation, std::string_view of, Place place = Place::current()) const;

  /// The same of what is no more than a place in the code: "together". Collective.
  void compare_place(std::string_view operation, Place place = Place::current()) const;

  const Traffic& traffic() const { return *traffic_; }
  /// The clock of this rank; waiting and communication are switched on by the calls above.
  Timing& timing() const { return *timing_; }

 private:
  bool checks_calls() const;
  const char* among() const { return among_ ? among_->c_str() : nullptr; }
  std::unique_ptr<CallCheck> start_check(std::string_view operation, std::size_t count, std::string_view of,
                                         Place place) const;
  void compare(std::string_view operation, std::size_t count, std::string_view of, Place place) const;

  std::unique_ptr<const Native> native_;      // none: local
  std::unique_ptr<const std::string> among_;  // of a part; behind a pointer, for requests under way
  int rank_ = 0;
  int size_ = 1;
  // Behind pointers, so that const operations count, requests survive a move of the communicator's owner, and
  // parts of a communicator count with the whole.
  std::shared_ptr<Traffic> traffic_ = std::make_shared<Traffic>();
  std::shared_ptr<Timing> timing_ = std::make_shared<Timing>();
};

}  // namespace dmoe::comm
