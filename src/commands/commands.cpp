#include "commands/analyze.hpp"
#include "commands/bench.hpp"
#include "commands/check.hpp"
#include "commands/command.hpp"
#include "commands/evaluate.hpp"
#include "commands/info.hpp"
#include "commands/show_config.hpp"
#include "commands/sweep.hpp"
#include "commands/train.hpp"

namespace dmoe::commands {

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

}  // namespace dmoe::commands
