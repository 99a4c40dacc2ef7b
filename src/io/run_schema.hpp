// Every attribute and column of a run file (run.h5), declared once.
#pragma once

#include <string>

#include "io/record.hpp"
#include "io/run_summary.hpp"

namespace dmoe::io {

const Attributes<Provenance>& provenance_attributes();
const Attributes<NetworkRecord>& network_attributes();
/// Of layer l = 1 .. L, below /network/layers.
const Attributes<LayerRecord>& layer_attributes();
const Attributes<DataRecord>& data_attributes();
const Attributes<LaunchRecord>& launch_attributes();

const Columns<training::LogRow>& train_columns();
const Columns<training::EvaluationRow>& evaluation_columns();
/// Only where the data set has a validation split.
const Columns<training::EvaluationRow>& validation_columns();

/// What a run file holds, group by group, as Markdown (docs/run-file.md). Local.
std::string run_file_reference();

}  // namespace dmoe::io
