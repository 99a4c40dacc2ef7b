// Every attribute and column of a run file (run.h5), declared once.
#pragma once

#include <string>

#include "io/record.hpp"
#include "io/run_summary.hpp"

namespace dmoe::io {

const AttributesOf<Provenance>& provenance_attributes();
const AttributesOf<NetworkRecord>& network_attributes();
/// Of layer l = 1 .. L, below /network/layers.
const AttributesOf<LayerRecord>& layer_attributes();
const AttributesOf<DataRecord>& data_attributes();
const AttributesOf<LaunchRecord>& launch_attributes();

const ColumnsOf<training::LogRow>& train_columns();
const ColumnsOf<training::EvaluationRow>& evaluation_columns();
/// Only where the data set has a validation split.
const ColumnsOf<training::EvaluationRow>& validation_columns();

/// What a run file holds, group by group, as Markdown (docs/run-file.md). Local.
std::string run_file_reference();

}  // namespace dmoe::io
