// What every command that computes needs: a config, its data set, its network. The same on all ranks.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "config/config.hpp"
#include "data/contents.hpp"
#include "data/dataset.hpp"
#include "distribution/network.hpp"
#include "exchange/grid.hpp"
#include "io/data_record.hpp"

namespace dmoe::run {

/// The config in a TOML file, which the coordinator reads. Throws on all ranks. Collective.
config::Config load_config(const comm::Communicator& world, const std::string& path,
                           const std::vector<std::string>& overrides);

/// That of a run, with which it goes on. Throws on all ranks. Collective.
config::Config config_of_run(const comm::Communicator& world, const std::string& run,
                             const std::vector<std::string>& overrides);

/// A trained model: where it is and how it was made.
struct SavedModel {
  std::string path;  // of model.h5 or a checkpoint
  config::Config config;
  std::vector<std::string> remarks;  // on the newer checkpoints that are damaged
};

/// The model of a run: the folder (of one that is not finished, its newest checkpoint that is whole), or the
/// model file or checkpoint itself. Throws on all ranks. Collective.
SavedModel find_model(const comm::Communicator& world, const std::string& run,
                      const std::vector<std::string>& overrides);

/// The data set of a config, as its run knows it.
struct LoadedData {
  std::unique_ptr<data::Dataset> dataset;  // under the run's numbers of classes
  data::Contents contents;                 // of the splits asked for
  std::string folder;                      // absolute, from which data.path is taken
  std::vector<std::string> remarks;        // for the person who watches
};

/// Loads the data set of a config, whose instruction set is that of the process from then on. What is `known`
/// of the run's data says where to look for them second, and how classes are numbered. Throws on all ranks,
/// also where ranks read other data than the first. Collective.
LoadedData load_data(const comm::Communicator& world, const config::Config& config,
                     const io::DataRecord& known,
                     const std::vector<data::Split>& splits = {data::Split::train, data::Split::validation,
                                                               data::Split::test});

/// The network that a config makes of such data. Local.
model::NetworkSpec network_of(const config::Config& config, const data::Dataset& dataset);

/// It, with fresh weights and buffers for `capacity` rows. Throws on all ranks where there are more ranks of
/// a replica than experts, or too little memory. Collective.
std::unique_ptr<distribution::Network> make_network(const exchange::Grid& grid, const config::Config& config,
                                                    const data::Dataset& dataset, Index capacity);

}  // namespace dmoe::run
