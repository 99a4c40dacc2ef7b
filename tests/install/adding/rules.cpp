// Names the balancing rules. Warnings of this project are its own: `unused` is one.
#include <iostream>

#include "balance/rule.hpp"

int main() {
  int unused;
  for (const auto& rule : dmoe::balance::rules().entries()) std::cout << rule.name << "\n";
}
