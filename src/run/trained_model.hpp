// A trained model, with the examples that it is asked about.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "config/config.hpp"
#include "data/dataset.hpp"
#include "distribution/network.hpp"
#include "io/model_file.hpp"
#include "training/evaluation.hpp"
#include "training/routings.hpp"

namespace dmoe::run {

struct TrainedModel {
  std::string path;                  // of model.h5 or a checkpoint
  std::string config_text;           // the effective TOML it is looked at with
  std::vector<std::string> unknown;  // of it, to this program
  io::Trained trained;
  config::CommSpec comm;
  std::unique_ptr<data::Dataset> dataset;
  std::vector<std::string> data_differences;  // from those it was trained on
  std::vector<std::string> remarks;           // on damaged checkpoints, and on how the data were read
  training::Pass pass;  // over the whole split; of the training set as in the first evaluation of its run
  training::Routings routings;  // in force in the network
  std::unique_ptr<distribution::Network> network;
};

/// Of a run's folder, model file or checkpoint; of more ranks than experts in replicas. Throws on all ranks,
/// also where the data set has no such split. Collective.
TrainedModel load_trained_model(const comm::Communicator& world, const std::string& run, data::Split split,
                                const std::vector<std::string>& overrides = {});

}  // namespace dmoe::run
