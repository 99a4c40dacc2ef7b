// A steady training step allocates no memory in dmoe's own code; what oneDNN and MPI take is printed.
//
// This program's own malloc and operator new note who called them. dmoe is linked in statically, so its calls
// come from the program itself, or through the C++ and fmt libraries; others' calls come from their own
// shared libraries.
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <dlfcn.h>
#include <map>
#include <new>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/world.hpp"
#include "training/tiny_dataset.hpp"
#include "training/trainer.hpp"

extern "C" {
void* __libc_malloc(std::size_t bytes);                           // NOLINT(bugprone-reserved-identifier)
void* __libc_calloc(std::size_t count, std::size_t bytes);        // NOLINT(bugprone-reserved-identifier)
void* __libc_realloc(void* memory, std::size_t bytes);            // NOLINT(bugprone-reserved-identifier)
void* __libc_memalign(std::size_t alignment, std::size_t bytes);  // NOLINT(bugprone-reserved-identifier)
}

namespace {

std::atomic<bool> is_noting{false};
std::atomic<std::size_t> noted{0};
std::array<void*, 1 << 16> callers;

void note(void* caller) {
  if (!is_noting.load(std::memory_order_relaxed)) return;
  const std::size_t i = noted.fetch_add(1);
  if (i < callers.size()) callers[i] = caller;
}

void* checked(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// GCC sees that memory of one family is freed by another; here they are one.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

extern "C" {
__attribute__((noinline)) void* malloc(std::size_t bytes) noexcept {
  note(__builtin_return_address(0));
  return __libc_malloc(bytes);
}
__attribute__((noinline)) void* calloc(std::size_t count, std::size_t bytes) noexcept {
  note(__builtin_return_address(0));
  return __libc_calloc(count, bytes);
}
__attribute__((noinline)) void* realloc(void* memory, std::size_t bytes) noexcept {
  note(__builtin_return_address(0));
  return __libc_realloc(memory, bytes);
}
__attribute__((noinline)) void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
  note(__builtin_return_address(0));
  return __libc_memalign(alignment, bytes);
}
__attribute__((noinline)) int posix_memalign(void** memory, std::size_t alignment,
                                             std::size_t bytes) noexcept {
  note(__builtin_return_address(0));
  *memory = __libc_memalign(alignment, bytes);
  return *memory == nullptr ? ENOMEM : 0;
}
}

__attribute__((noinline)) void* operator new(std::size_t bytes) {
  note(__builtin_return_address(0));
  return checked(__libc_malloc(bytes));
}
__attribute__((noinline)) void* operator new[](std::size_t bytes) {
  note(__builtin_return_address(0));
  return checked(__libc_malloc(bytes));
}
__attribute__((noinline)) void* operator new(std::size_t bytes, std::align_val_t alignment) {
  note(__builtin_return_address(0));
  return checked(__libc_memalign(static_cast<std::size_t>(alignment), bytes));
}
__attribute__((noinline)) void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  note(__builtin_return_address(0));
  return checked(__libc_memalign(static_cast<std::size_t>(alignment), bytes));
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t /*bytes*/) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t /*bytes*/) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::align_val_t /*alignment*/) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t /*bytes*/, std::align_val_t /*alignment*/) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t /*bytes*/, std::align_val_t /*alignment*/) noexcept {
  std::free(memory);
}

namespace dmoe::training {
namespace {

using test::world;

/// The allocations noted while `work` ran, by the file name of the program or library that asked for them.
template <class Work>
std::map<std::string, int> allocations_by_caller(const Work& work) {
  noted = 0;
  is_noting = true;
  work();
  is_noting = false;
  EXPECT_LE(noted, callers.size());
  std::map<std::string, int> counts;
  for (std::size_t i = 0; i < noted; ++i) {
    Dl_info info{};
    const bool is_known = dladdr(callers[i], &info) != 0 && info.dli_fname != nullptr;
    const std::string file = is_known ? info.dli_fname : "generated code";
    ++counts[file.substr(file.rfind('/') + 1)];
  }
  return counts;
}

bool is_dmoe(std::string_view file) {
  return file.find("allocations_test") != std::string_view::npos || file.starts_with("libstdc++") ||
         file.starts_with("libfmt");
}

TEST(AllocationCounter, sees_both_ways_to_allocate) {
  const auto counts = allocations_by_caller([] {
    const Matrix matrix(3, 3);  // aligned_alloc
    const std::vector<Index> numbers(5);
    const std::string text(100, 'x');
    EXPECT_EQ(text.size() + numbers.size() + size(matrix.rows()), 108U);
  });
  int total = 0;
  for (const auto& [file, count] : counts) total += is_dmoe(file) ? count : 0;
  EXPECT_GE(total, 2);
}

/// How many steps come before: a routed step may need more room than any before it.
void expect_steady_steps(const std::vector<PartSpec>& routings, int steps_before) {
  const model::NetworkSpec network_spec{
      test::TinyDataset::inputs, test::TinyDataset::classes, {{7, 4, 3}, {4, 5, 2}, {5, 3, 3}}};
  TrainingSpec spec;
  spec.batch_size = 8;
  spec.momentum = 0.5;
  spec.evaluation.batch_size = 8;
  Settings margin;
  margin.set("margin", 0.5);
  Settings rate;
  rate.set("start", 0.1);
  spec.phases = {{"constrained", 100, {"margin", margin}, {"constant", rate}, routings}};
  const test::TinyDataset dataset(22, 0, 5);  // 3 steps an epoch, the last one smaller
  distribution::Network network(network_spec, world(), 0, Trainer::capacity(spec, world()));
  Observer nobody;
  Trainer trainer(spec, network, dataset, nobody, [] { return false; });
  trainer.begin_phase(0);
  for (int t = 0; t < steps_before; ++t) trainer.step(0.1);
  const auto counts = allocations_by_caller([&] {
    for (int t = 0; t < 20; ++t) trainer.step(0.1);
  });
  for (const auto& [file, count] : counts) {
    EXPECT_FALSE(is_dmoe(file)) << file << ": " << count << " allocations in 20 steps";
    if (!is_dmoe(file))
      fmt::print("rank {}: {} allocations in 20 steps by {}\n", world().rank(), count, file);
  }
}

TEST(SteadyStep, allocates_nothing_in_dmoe) {
  expect_steady_steps({}, 3);
}

PartSpec top_k(std::int64_t k, const std::string& value) {
  Settings settings;
  settings.set("k", k);
  settings.set("value", value);
  settings.set("noise", 0.5);
  return {"top_k", settings};
}

TEST(SteadyStep, routed_allocates_nothing_in_dmoe) {
  expect_steady_steps({top_k(2, "probability")}, 500);
  expect_steady_steps({top_k(1, "renormalised"), top_k(2, "renormalised"), top_k(2, "renormalised")}, 500);
}

}  // namespace
}  // namespace dmoe::training
