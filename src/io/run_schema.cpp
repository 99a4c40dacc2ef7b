#include "io/run_schema.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.hpp"
#include "hdf5/format.hpp"

namespace dmoe::io {

using training::EvaluationRow;
using training::LogRow;

namespace {

constexpr std::array<std::string_view, 4> status_names{"running", "finished", "interrupted", "failed"};

}  // namespace

std::string to_text(RunStatus status) {
  return std::string(status_names[static_cast<std::size_t>(status)]);
}

/// By its name.
template <>
struct InFile<RunStatus> {
  using type = std::string;
  static std::optional<type> to(RunStatus status) { return to_text(status); }
  static RunStatus from(const type& name) {
    const auto* const found = std::ranges::find(status_names, name);
    if (found == status_names.end())
      throw InputError("the status is '{}', expected {}", name, fmt::join(status_names, ", "));
    return static_cast<RunStatus>(found - status_names.begin());
  }
};
template <>
struct InFile<model::LayerKind> {
  using type = std::string;
  static std::optional<type> to(model::LayerKind kind) { return model::to_text(kind); }
  static model::LayerKind from(const type& name) { return model::layer_kind_named(name); }
};

// clang-format off
const AttributesOf<Provenance>& provenance_attributes() {
  static const AttributesOf<Provenance> all{
      attribute<Provenance>("version", &Provenance::version, "of the dmoe that began it"),
      attribute<Provenance>("git_commit", &Provenance::git_commit, "of its sources"),
      attribute<Provenance>("seed", &Provenance::seed, "train.seed"),
      attribute<Provenance>("start_time", &Provenance::start_time, "of the first launch: ISO 8601, UTC"),
      attribute<Provenance>("end_time", &Provenance::end_time, "ISO 8601, UTC", Presence::if_known),
      attribute<Provenance>("status", &Provenance::status, fmt::format("{}", fmt::join(status_names, ", "))),
  };
  return all;
}

const AttributesOf<NetworkRecord>& network_attributes() {
  static const AttributesOf<NetworkRecord> all{
      attribute<NetworkRecord>("layers", &NetworkRecord::text, "the layers in short: 4x100 - 4x100"),
      attribute<NetworkRecord>("inputs", &NetworkRecord::inputs, "D of the first layer"),
      attribute<NetworkRecord>("classes", &NetworkRecord::classes, "C"),
      attribute<NetworkRecord>("parameters", &NetworkRecord::parameters, "trainable values"),
      attribute<NetworkRecord>("multiply_accumulates", &NetworkRecord::multiply_accumulates, "of one forward pass of one example through all experts"),
  };
  return all;
}

const AttributesOf<LayerRecord>& layer_attributes() {
  static const AttributesOf<LayerRecord> all{
      attribute<LayerRecord>("kind", [](auto& layer) -> auto& { return layer.spec.kind; }, fmt::format("{}", fmt::join(model::layer_kind_names(), ", "))),
      attribute<LayerRecord>("experts", [](auto& layer) -> auto& { return layer.spec.experts; }, "N; 1 of single and dense"),
      attribute<LayerRecord>("hidden", [](auto& layer) -> auto& { return layer.spec.hidden; }, "H, units of each expert"),
      attribute<LayerRecord>("gate_hidden", [](auto& layer) -> auto& { return layer.spec.gate_hidden; }, "G, hidden units of the gate; 0 where there is none"),
      attribute<LayerRecord>("inputs", &LayerRecord::inputs, "D, values that it reads"),
      attribute<LayerRecord>("outputs", &LayerRecord::outputs, "values that the layer above reads"),
  };
  return all;
}

const AttributesOf<DataRecord>& data_attributes() {
  static const AttributesOf<DataRecord> all{
      attribute<DataRecord>("train_examples", &DataRecord::train_examples, "of each split, 0 where there is none"),
      attribute<DataRecord>("validation_examples", &DataRecord::validation_examples, ""),
      attribute<DataRecord>("test_examples", &DataRecord::test_examples, ""),
      attribute<DataRecord>("folder", &DataRecord::folder, "where the run was begun, which relative paths of the config mean", Presence::if_known),
  };
  return all;
}

const AttributesOf<LaunchRecord>& launch_attributes() {
  static const AttributesOf<LaunchRecord> all{
      attribute<LaunchRecord>("command_line", [](auto& record) -> auto& { return record.launch.command_line; }, "with its launcher, as it may be pasted"),
      attribute<LaunchRecord>("hosts", [](auto& record) -> auto& { return record.launch.hosts; }, "of every rank"),
      attribute<LaunchRecord>("mpi_library", [](auto& record) -> auto& { return record.launch.mpi_library; }, "name and version"),
      attribute<LaunchRecord>("ranks", [](auto& record) -> auto& { return record.launch.ranks; }, "of all replicas"),
      attribute<LaunchRecord>("replicas", [](auto& record) -> auto& { return record.launch.replicas; }, "of the network, each on as many ranks", Presence::not_at_first),
      attribute<LaunchRecord>("gating", [](auto& record) -> auto& { return record.launch.gating; }, "who gates the rows of a replica: its coordinator, or each rank its own rows", Presence::not_at_first),
      attribute<LaunchRecord>("threads", [](auto& record) -> auto& { return record.launch.threads; }, "of each rank"),
      attribute<LaunchRecord>("cpu", [](auto& record) -> auto& { return record.launch.cpu; }, "of the coordinator"),
      attribute<LaunchRecord>("instruction_set", [](auto& record) -> auto& { return record.launch.instruction_set; }, "of the matrix products"),
      attribute<LaunchRecord>("compiler", &LaunchRecord::compiler, "of the program"),
      attribute<LaunchRecord>("start_time", &LaunchRecord::start_time, "ISO 8601, UTC", Presence::not_at_first),
      attribute<LaunchRecord>("wall_seconds", &LaunchRecord::wall_seconds, "from its start to the last write [s]", Presence::not_at_first),
      attribute<LaunchRecord>("first_step", &LaunchRecord::first_step, "steps done before it", Presence::not_at_first),
      attribute<LaunchRecord>("config_changes", &LaunchRecord::config_changes, "since the launch before: train.log_every_steps: 100 -> 10", Presence::if_known),
  };
  return all;
}

const ColumnsOf<LogRow>& train_columns() {
  static const ColumnsOf<LogRow> all{
      column<LogRow>("step", "steps", &LogRow::step, "done at the end of the interval"),
      column<LogRow>("epoch", "epochs", &LogRow::epoch, "that this step is of, from 0"),
      column<LogRow>("phase", "1", &LogRow::phase, "that this step is of, from 0; its attribute names has all names"),
      column<LogRow>("loss", "nats", &LogRow::loss, "mean over the examples of the interval"),
      column<LogRow>("error", "1", &LogRow::error, "fraction of them that were classified wrong"),
      column<LogRow>("learning_rate", "1", &LogRow::learning_rate, "of the last step"),
      column<LogRow>("examples_per_second", "examples/s", &LogRow::examples_per_second, "trained on"),
  };
  return all;
}

const ColumnsOf<EvaluationRow>& evaluation_columns() {
  static const ColumnsOf<EvaluationRow> all{
      column<EvaluationRow>("epoch", "epochs", &EvaluationRow::epoch, "done before the evaluation"),
      column<EvaluationRow>("test_loss", "nats", [](auto& row) -> auto& { return row.test.loss; }, "mean over the test split"),
      column<EvaluationRow>("test_error", "1", [](auto& row) -> auto& { return row.test.error; }, "fraction classified wrong"),
      column<EvaluationRow>("train_loss", "nats", [](auto& row) -> auto& { return row.train.loss; }, "the same of the training split, as it is, without jitter"),
      column<EvaluationRow>("train_error", "1", [](auto& row) -> auto& { return row.train.error; }, ""),
  };
  return all;
}

const ColumnsOf<EvaluationRow>& validation_columns() {
  static const ColumnsOf<EvaluationRow> all{
      column<EvaluationRow>("validation_loss", "nats", [](auto& row) -> auto& { return row.validation.loss; }, "where there is a validation split"),
      column<EvaluationRow>("validation_error", "1", [](auto& row) -> auto& { return row.validation.error; }, ""),
  };
  return all;
}
// clang-format on

namespace {

/// Markdown.
class Reference {
 public:
  template <class Record>
  void group(const std::string& path, const AttributesOf<Record>& attributes) {
    for (const Attribute<Record>& one : attributes) {
      const char* const lacking = one.presence == Presence::always     ? ""
                                  : one.presence == Presence::if_known ? "; missing where there is none"
                                                                       : "; not of the first files";
      row(fmt::format("{} @{}", path, one.name), one.type, "", one.meaning + lacking);
    }
  }
  template <class Row>
  void table(const std::string& path, const std::string& rows, const ColumnsOf<Row>& columns) {
    for (const Column<Row>& one : columns)
      row(path + "/" + one.name, fmt::format("{} ({})", one.type, rows), one.units, one.meaning);
  }
  void row(const std::string& place, const std::string& type, const std::string& units,
           const std::string& meaning) {
    text_ += fmt::format("| `{}` | {} | {} | {} |\n", place, type, units, meaning);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_ = "| place | type | units | what it is |\n|---|---|---|---|\n";
};

}  // namespace

std::string run_file_reference() {
  Reference all;
  all.row("/ @format", "text", "", "dmoe-run");
  all.row("/ @format_version", "int", "", "1: what has this number is read by every dmoe that knows it");
  all.row("/ @format_minor", "int", "", fmt::format("{}: counts what was added since", hdf5::format_minor));
  all.row("/ @dmoe_version", "text", "", "of the program that wrote the file");
  all.row("/config", "text", "TOML", "the effective config; its attribute crc32 is the checksum of the text");
  all.group("/provenance", provenance_attributes());
  all.group("/network", network_attributes());
  all.group("/network/layers/l", layer_attributes());
  all.group("/data", data_attributes());
  all.row("/data @classes", "int", "",
          "of the data; this and the rest of /data is missing where it is not known");
  all.row("/data/example_shape", "int (axes)", "1", "of one example");
  all.row("/data/levels/FACTOR", "text (levels)", "text",
          "names of the levels of class and of other factors");
  all.row("/data/SPLIT/class_counts", "int (C)", "examples", "of each class");
  all.row("/data/SPLIT @inputs", "text", "", "checksum of the inputs, the same for any number of ranks");
  all.row("/data/SPLIT @labels", "text", "", "checksum of the labels");
  all.group("/launches/s", launch_attributes());
  all.row("/launches/s/timing/phases", "text (Q)", "text", "what a rank's time goes into");
  all.row("/launches/s/timing/seconds", "number (E, Q)", "s",
          "that of each rank, up to the last evaluation or the end");
  all.row("/launches/s/timing/parts", "text (4)", "text", "what of it goes into parts of what is computed");
  all.row("/launches/s/timing/part_seconds", "number (E, 4)", "s", "that of each rank; compute has them too");
  all.table("/train", "T", train_columns());
  all.table("/evaluation", "K", evaluation_columns());
  all.table("/evaluation", "K", validation_columns());
  all.row("/analysis, /analysis_SPLIT", "groups", "",
          "of dmoe analyze, of the test split and of others: src/io/analysis_file.hpp");
  all.row("/cost", "group", "", "of dmoe evaluate --curve: src/io/cost_file.hpp");
  all.row("/layers/l/assignment/step", "int (T)", "steps", "as in /train; of layers with a gate");
  all.row("/layers/l/assignment/totals", "number (T, N)", "examples",
          "running totals of the gate values of each expert");
  all.row("/layers/l/assignment/masked", "number (T, N)", "1",
          "fraction of the interval's steps with the expert masked");
  return all.text();
}

}  // namespace dmoe::io
