// A run from C++: reads a config, changes it, trains with an observer, loads the model, and evaluates it.
//   mpirun -n 2 train CONFIG.toml
#include <cstdio>

#include "run/run.hpp"
#include "run/trained_model.hpp"

struct Watcher : dmoe::training::Observer {
  void evaluated(const dmoe::training::EvaluationRow& row, const dmoe::training::RankSeconds&) override {
    std::printf("epoch %td: test error %.4f\n", row.epoch, row.test.error);
  }
};

void train(const dmoe::comm::Session& session, const char* path) {
  const dmoe::config::Config config = dmoe::run::load_config(session.world(), path, {"train.seed=3"});
  Watcher watcher;
  dmoe::run::Run run(session, config, {.folder = "runs/example", .existing = dmoe::run::Existing::replace});
  run.train(watcher);
  const auto model = dmoe::run::load_trained_model(session.world(), "runs/example", dmoe::data::Split::test);
  const auto score =
      dmoe::training::evaluate(*model.network, *model.dataset, model.pass, [] { return false; });
  if (session.world().is_coordinator()) std::printf("loss %.6f, error %.4f\n", score->loss, score->error);
}

int main(int argc, char** argv) {
  dmoe::comm::Session session;
  train(session, argc > 1 ? argv[1] : "config.toml");
  session.finalize();
}
