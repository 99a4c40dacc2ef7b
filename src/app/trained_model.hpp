// What commands on a trained model share: their options, and the model with the examples they ask it about.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "comm/communicator.hpp"
#include "config/config.hpp"
#include "data/dataset.hpp"
#include "distribution/network.hpp"
#include "io/model_file.hpp"
#include "training/evaluation.hpp"
#include "training/routings.hpp"

namespace dmoe::app {

struct TrainedModelOptions {
  std::string run;
  data::Split split = data::Split::test;
  std::vector<std::string> overrides;
};

/// Declares RUN, --split and --set. The options must outlive the parser. Local.
void add_trained_model_options(CLI::App& parser, TrainedModelOptions& options, const std::string& run_help);

struct TrainedModel {
  std::string path;                  // of model.h5 or a checkpoint
  std::string config_text;           // the effective TOML it is looked at with
  std::vector<std::string> unknown;  // of it, to this program
  io::Trained trained;
  config::CommSpec comm;
  std::unique_ptr<data::Dataset> dataset;
  std::vector<std::string> data_differences;  // from those it was trained on
  std::vector<std::string> remarks;           // on how the data were read
  training::Pass pass;  // over the whole split; of the training set as in the first evaluation of its run
  training::Routings routings;  // in force in the network
  std::unique_ptr<distribution::Network> network;
};

/// Prints what there is to say of its config and data, before the results. Local.
void print_remarks(const TrainedModel& model);

/// Throws AgreedError, also where the data set has no such split. Collective.
TrainedModel load_trained_model(const comm::Communicator& world, const TrainedModelOptions& options);

}  // namespace dmoe::app
