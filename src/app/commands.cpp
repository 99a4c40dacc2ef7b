#include "app/analyze.hpp"
#include "app/bench.hpp"
#include "app/check.hpp"
#include "app/command.hpp"
#include "app/evaluate.hpp"
#include "app/info.hpp"
#include "app/show_config.hpp"
#include "app/sweep.hpp"
#include "app/train.hpp"

namespace dmoe::app {

const std::vector<Command>& commands() {
  static const std::vector<Command> table{
      {"train", "train a network and keep the run in a new folder", declare_train},
      {"evaluate", "loss and error of a trained network; writes nothing", declare_evaluate},
      {"analyze", "what each expert stands for; adds the answer to the run file", declare_analyze},
      {"sweep", "train a grid of configs and seeds, and gather one table", declare_sweep},
      {"config", "what can be set, and what a config or a run has set", declare_config},
      {"info", "what a run, a model or a checkpoint holds", declare_info},
      {"check", "whether files are whole", declare_check},
      {"bench", "measure the speed of this machine", declare_bench},
  };
  return table;
}

}  // namespace dmoe::app
