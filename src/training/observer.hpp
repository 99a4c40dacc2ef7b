// What a run reports while it trains. All of it happens on the coordinator.
#pragma once

#include <string>
#include <vector>

#include "core/timing.hpp"
#include "core/types.hpp"

namespace dmoe::training {

/// What is known before the first step.
struct Plan {
  Index first_step = 0;  // steps done by earlier starts
  Index steps = 0;       // of the whole training
  Index steps_per_epoch = 0;
  Index epochs = 0;
  std::vector<std::string> phases;
  std::vector<Index> phase_steps;  // steps of each phase
};

/// The state of one layer's balancing at a row.
struct AssignmentRow {
  std::vector<double> totals;           // (N) examples, over all phases
  std::vector<double> masked_fraction;  // (N) of the steps since the last row
};

/// One row every log_every_steps steps, and at the end: means over the steps since the last row.
struct LogRow {
  Index step = 0;    // steps done
  Index epoch = 0;   // epoch of the last of them, from 0
  Index phase = 0;   // its phase, from 0
  double loss = 0;   // nats per example
  double error = 0;  // fraction
  double learning_rate = 0;
  double examples_per_second = 0;
  std::vector<AssignmentRow> layers;
};

/// Loss in nats per example and error as a fraction, over one split.
struct Score {
  double loss = 0;
  double error = 0;
};

/// One row every evaluation.every_epochs epochs, and at the end.
struct EvaluationRow {
  Index epoch = 0;  // epochs done
  Score test;
  Score train;  // over the whole training set, freshly transformed
  bool has_validation = false;
  Score validation;
};

/// Seconds since the start, of every rank, by activity (core/timing.hpp).
using RankSeconds = std::vector<ActivitySeconds>;

class Observer {
 public:
  Observer() = default;
  virtual ~Observer() = default;
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  virtual void began(const Plan& /*plan*/) {}
  /// After every step; the row holds the means since the last logged row, its layers are empty.
  virtual void stepped(const LogRow& /*row*/) {}
  virtual void logged(const LogRow& /*row*/) {}
  virtual void evaluated(const EvaluationRow& /*row*/, const RankSeconds& /*seconds*/) {}
};

/// Passes everything on to several observers, in order; they must outlive it.
class Observers : public Observer {
 public:
  void add(Observer& observer) { observers_.push_back(&observer); }
  void began(const Plan& plan) override {
    for (Observer* observer : observers_) observer->began(plan);
  }
  void stepped(const LogRow& row) override {
    for (Observer* observer : observers_) observer->stepped(row);
  }
  void logged(const LogRow& row) override {
    for (Observer* observer : observers_) observer->logged(row);
  }
  void evaluated(const EvaluationRow& row, const RankSeconds& seconds) override {
    for (Observer* observer : observers_) observer->evaluated(row, seconds);
  }

 private:
  std::vector<Observer*> observers_;
};

}  // namespace dmoe::training
