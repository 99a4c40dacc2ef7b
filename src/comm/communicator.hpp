// A group of ranks and what they say to each other. Only this module calls MPI.
//
// "Collective": every rank of the communicator calls it, in the same order, with the same shapes. "Local":
// one rank may call it alone. A local communicator (one rank, no MPI behind it) runs the same code without
// mpirun.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <mpi.h>

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
  output_gradient_rows = 7
};

/// Payload of this rank's float broadcasts, messages and all-reduces since the start; what only steers a run
/// is not counted. A broadcast counts once per receiver at the root.
struct Traffic {
  std::int64_t bytes_sent = 0;
  std::int64_t bytes_received = 0;
  std::int64_t bytes_reduced = 0;  // of all-reduces, counted once per rank
};

class Communicator {
 public:
  /// One rank and no MPI: the local twin. Local.
  static Communicator local() { return {}; }
  /// Wraps a duplicate of an MPI communicator, with errors returned and checked. Collective over `native`.
  static Communicator duplicate_of(MPI_Comm native);

  Communicator(Communicator&&) noexcept = default;
  Communicator& operator=(Communicator&&) noexcept = default;
  ~Communicator() = default;

  int rank() const { return rank_; }
  int size() const { return size_; }
  /// Rank 0: gates, head, loss, files that one rank writes, everything that prints.
  bool is_coordinator() const { return rank_ == 0; }
  /// No MPI behind it.
  bool is_local() const { return native() == MPI_COMM_NULL; }
  MPI_Comm native() const { return handle_.native; }

  /// The coordinator's values on every rank. Collective.
  void broadcast(std::span<float> values) const;
  void broadcast(std::span<std::int64_t> values) const;
  void broadcast(std::string& text) const;
  Request start_broadcast(std::span<float> values) const;

  /// Point to point between different ranks, in order per (peer, tag). Local.
  Request start_send(std::span<const float> values, int to, Tag tag) const;
  Request start_receive(std::span<float> values, int from, Tag tag) const;

  /// Sums over the ranks, on every rank. Exact, hence the same for any number of ranks. Collective.
  void all_reduce(std::span<std::int64_t> values) const;
  Request start_all_reduce(std::span<std::int64_t> values) const;
  /// The library's own float sum on the coordinator, in whatever order it likes: for benchmarks. Collective.
  void reduce_any_order(std::span<float> values) const;
  /// The largest value of any rank, on every rank. Collective.
  std::int64_t all_reduce_max(std::int64_t value) const;

  /// One row per rank on the coordinator (rows of equal length), empty elsewhere. Collective.
  std::vector<double> gather(std::span<const double> row) const;
  std::vector<std::string> gather(const std::string& text) const;

  /// Returns on no rank before all have called it. Collective.
  void barrier() const;

  const Traffic& traffic() const { return *traffic_; }
  /// The clock of this rank; waiting and communication are switched on by the calls above.
  Timing& timing() const { return *timing_; }

 private:
  Communicator() = default;
  /// Owner of the duplicate.
  struct Handle {
    MPI_Comm native = MPI_COMM_NULL;
    Handle() = default;
    Handle(Handle&& other) noexcept : native(std::exchange(other.native, MPI_COMM_NULL)) {}
    Handle& operator=(Handle&& other) noexcept {
      std::swap(native, other.native);
      return *this;
    }
    ~Handle();
  };
  Handle handle_;
  int rank_ = 0;
  int size_ = 1;
  // Behind pointers, so that const operations count and requests survive a move of the communicator's owner.
  std::unique_ptr<Traffic> traffic_ = std::make_unique<Traffic>();
  std::unique_ptr<Timing> timing_ = std::make_unique<Timing>();
};

}  // namespace dmoe::comm
