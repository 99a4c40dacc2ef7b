// What old compilers lack of what dmoe uses.
#include <compare>
#include <concepts>
#include <ranges>
#include <source_location>
#include <span>

struct Ordered {
  int value;
  auto operator<=>(const Ordered&) const = default;
};

int main() {
  const int numbers[] = {1, 2, 3};
  int sum = 0;
  for (const int number : std::span(numbers) | std::views::reverse) sum += number;
  const auto here = std::source_location::current();
  return Ordered{sum} < Ordered{6} || here.line() == 0 ? 1 : 0;
}
