// dmoe sweep SWEEP.toml --output DIR
//
//     DIR/runs/NAME/{run.h5,model.h5}    one folder a run, made by dmoe train and dmoe analyze
//     DIR/logs/NAME.log                  what they said
//     DIR/table.csv, DIR/table.h5        one row a run (app/sweep_table.hpp), written anew whenever a run
//     ends
#pragma once

#include "app/command.hpp"

namespace dmoe::app {

Action declare_sweep(CLI::App& parser);

}  // namespace dmoe::app
