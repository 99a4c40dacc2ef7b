// The learning rates of past steps, as few numbers as there were changes of the rate.
#pragma once

#include <algorithm>
#include <vector>

#include "core/types.hpp"

namespace dmoe::training {

/// Steps are counted from the last forget().
class RateHistory {
 public:
  void add(float rate) {
    if (periods_.empty() || periods_.back().rate != rate) periods_.push_back({rate, steps()});
    ++periods_.back().end;
  }
  Index steps() const { return periods_.empty() ? 0 : periods_.back().end; }
  void forget() { periods_.clear(); }

  /// visit(rate, number of steps at it), in order, for the steps from `first` on.
  template <class Visit>
  void for_each_since(Index first, Visit visit) const {
    const auto is_later = [](Index step, const Period& period) { return step < period.end; };
    for (auto period = std::upper_bound(periods_.begin(), periods_.end(), first, is_later);
         period != periods_.end(); ++period) {
      visit(period->rate, period->end - first);
      first = period->end;
    }
  }

 private:
  struct Period {
    float rate;
    Index end;  // the first step behind it
  };
  std::vector<Period> periods_;
};

}  // namespace dmoe::training
