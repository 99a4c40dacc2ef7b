// What differs where a run is simulated: the program dmoe_smpi (src/simulation), in which many ranks of the
// real code stand in one process and nobody looks at numbers. Work on numbers is not done there: its time, as
// it was measured, is charged. In every other build is_on is false, and nothing of this is left but the work
// itself.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

namespace dmoe::simulation {

#ifdef DMOE_SIMULATION
inline constexpr bool is_on = true;
#else
inline constexpr bool is_on = false;
#endif

/// The products of a layer y (rows, outputs) = x (rows, inputs) W^T.
enum class Product { output, input_gradient, weight_gradient, added_weight_gradient };

/// Of which something takes a measured time each.
enum class Unit {
  byte,         // read from or written to memory, one after the other
  logit,        // looked at for the largest
  choice,       // of an expert, planned for
  exponential,  // with what comes with it
};

// Of src/simulation, in a simulation alone.

/// Charges a product of rows x outputs x inputs. InputError where nobody has measured such a one. Local.
void charge_product(Product product, std::int64_t rows, std::int64_t outputs, std::int64_t inputs);
/// Charges work. Local.
void charge_units(Unit unit, std::int64_t count);
/// Room for numbers that nobody looks at: all of it, on all ranks, is the same memory. Never given back.
/// Local.
float* folded_memory(std::size_t bytes);
bool is_folded(const float* memory);

/// Simulated time. What was charged passes before it is read. Local.
struct Clock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Clock>;
  static constexpr bool is_steady = true;
  static time_point now() noexcept;
};

/// Work that is done here, but elsewhere takes its time. Local.
inline void charge([[maybe_unused]] Unit unit, [[maybe_unused]] std::int64_t count) {
  if constexpr (is_on) charge_units(unit, count);
}

inline void charge([[maybe_unused]] Product product, [[maybe_unused]] std::int64_t rows,
                   [[maybe_unused]] std::int64_t outputs, [[maybe_unused]] std::int64_t inputs) {
  if constexpr (is_on) charge_product(product, rows, outputs, inputs);
}

/// Does work on numbers, or charges it. Local.
template <class Work>
void work_on_numbers([[maybe_unused]] Unit unit, [[maybe_unused]] std::int64_t count,
                     [[maybe_unused]] const Work& work) {
  if constexpr (is_on) {
    charge_units(unit, count);
  } else {
    work();
  }
}

/// Copies a row of numbers, as long, from one matrix into another. Local.
inline void copy_numbers(std::span<const float> from, float* to) {
  const auto bytes = static_cast<std::int64_t>(from.size_bytes());
  work_on_numbers(Unit::byte, 2 * bytes, [&] { std::copy_n(from.data(), from.size(), to); });
}

}  // namespace dmoe::simulation
