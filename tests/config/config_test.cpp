#include "config/config.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config_texts.hpp"
#include "core/error.hpp"

namespace dmoe::config {
namespace {

using test::small_config;
using test::with;

/// The message that refuses a config.
std::string refusal(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    parse_config(text, "config.toml", overrides);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

std::string refusal_with(const std::string& from, const std::string& to) {
  return refusal(with(small_config, from, to));
}

TEST(Config, holds_what_the_text_says) {
  const Config config = parse_config(small_config, "config.toml");
  EXPECT_EQ(config.data.name, "synthetic");
  EXPECT_EQ(config.data.settings.integer("classes"), 4);
  EXPECT_EQ(config.layers, (std::vector<model::LayerSpec>{{4, 10, 5}, {3, 8, 6}}));
  EXPECT_EQ(config.training.seed, 7U);
  EXPECT_EQ(config.training.batch_size, 20);
  ASSERT_EQ(config.training.phases.size(), 2U);
  EXPECT_EQ(config.training.phases[0].name, "constrained");
  EXPECT_EQ(config.training.phases[0].epochs, 2);
  EXPECT_EQ(config.training.phases[0].rule.name, "margin");
  EXPECT_EQ(config.training.phases[0].rule.settings.real("margin"), 50.0);
  EXPECT_EQ(config.training.phases[1].rule.name, "none");
  EXPECT_EQ(config.training.phases[1].schedule.name, "exponential");
  EXPECT_EQ(config.training.phases[1].schedule.settings.real("end"), 0.01);
}

TEST(Config, fills_in_defaults) {
  const Config config = parse_config(small_config, "config.toml");
  EXPECT_EQ(config.data.settings.integer("test_seed"), 1);
  EXPECT_EQ(config.training.momentum, 0.0);
  EXPECT_EQ(config.training.weight_decay, 0.0);
  EXPECT_EQ(config.training.log_every_steps, 100);
  EXPECT_EQ(config.training.evaluation.every_epochs, 1);
  EXPECT_EQ(config.training.evaluation.batch_size, 500);
  EXPECT_EQ(config.numerics.precision, "float32");
  EXPECT_EQ(config.numerics.threads, 1);
  EXPECT_EQ(config.numerics.isa, "best");
}

TEST(Config, writes_the_effective_text_in_the_order_of_the_schema) {
  const std::string shuffled = R"([[phases]]
learning_rate = { start = 1e-7, schedule = "constant" }
balance = { rule = "margin" }
epochs = 3
name = "only \"one\""
[train]
momentum = 0.1
[[layers]]
gate_hidden = 5
hidden = 10
experts = 4
kind = "mixture"
[data]
path = 'C:\digits'
name = "mnist"
)";
  EXPECT_EQ(parse_config(shuffled, "config.toml").text, R"([data]
name = "mnist"
path = "C:\\digits"
test_seed = 1
validation = 0

[[layers]]
kind = "mixture"
experts = 4
hidden = 10
gate_hidden = 5

[network]
baseline = "none"

[train]
seed = 0
batch_size = 100
slices = 1
gate_slices = 0
momentum = 0.1
weight_decay = 0.0
max_gradient_norm = 0.0
log_every_steps = 100
stop_after = "never"

[evaluation]
every_epochs = 1
batch_size = 500

[[phases]]
name = "only \"one\""
epochs = 3
balance = { rule = "margin", margin = 100.0 }
routing = { rule = "all" }
learning_rate = { schedule = "constant", start = 1e-07 }
expert_rate_factor = 1.0

[checkpoint]
every_steps = 0
every_minutes = 10.0
at_phase_ends = true
keep = 2

[comm]
replicas = "auto"
gating = "auto"
timeout = "10m"

[numerics]
precision = "float32"
threads = 1
isa = "best"
)");
}

TEST(Config, effective_text_loads_to_the_same_bits) {
  // None of these has a short decimal form.
  const Config config = parse_config(
      small_config, "config.toml",
      {"train.momentum=0.1428571428571428492", "train.weight_decay=3.3333333333333334e-05",
       "phases.1.balance.margin=12345.678901234567", "data.noise=1", "train.seed=9223372036854775807"});
  const Config again = parse_config(config.text, "/config");
  EXPECT_EQ(again.text, config.text);
  EXPECT_EQ(again.data, config.data);
  EXPECT_EQ(again.layers, config.layers);
  EXPECT_EQ(again.training.momentum, config.training.momentum);
  EXPECT_EQ(again.training.weight_decay, config.training.weight_decay);
  EXPECT_EQ(again.training.seed, 9223372036854775807U);
  for (std::size_t p = 0; p < config.training.phases.size(); ++p) {
    EXPECT_EQ(again.training.phases[p].rule, config.training.phases[p].rule);
    EXPECT_EQ(again.training.phases[p].schedule, config.training.phases[p].schedule);
  }
}

TEST(Config, takes_an_integer_for_a_number_but_not_the_reverse) {
  EXPECT_EQ(parse_config(with(small_config, "start = 0.3", "start = 1"), "config.toml")
                .training.phases[0]
                .schedule.settings.real("start"),
            1.0);
  EXPECT_EQ(refusal_with("experts = 4", "experts = 4.0"),
            "config.toml:7: layers.1.experts must be an integer, got 4.0");
}

TEST(Config, names_line_key_and_value_of_what_is_out_of_range) {
  EXPECT_EQ(refusal_with("batch_size = 20", "batch_size = 0"),
            "config.toml:17: train.batch_size must be at least 1, got 0");
  EXPECT_EQ(refusal_with("seed = 7", "seed = -1"), "config.toml:16: train.seed must be at least 0, got -1");
  EXPECT_EQ(refusal_with("seed = 7", "momentum = 1"),
            "config.toml:16: train.momentum must be below 1.0, got 1.0");
  EXPECT_EQ(refusal_with("seed = 7", "weight_decay = -0.5"),
            "config.toml:16: train.weight_decay must be at least 0.0, got -0.5");
  EXPECT_EQ(refusal_with("seed = 7", "weight_decay = nan"),
            "config.toml:16: train.weight_decay must be a finite number, got nan");
  EXPECT_EQ(refusal_with("hidden = 8", "hidden = 0"),
            "config.toml:13: layers.2.hidden must be at least 1, got 0");
  EXPECT_EQ(refusal_with("experts = 3", "experts = 70000"),
            "config.toml:12: layers.2.experts must be at most 65536, got 70000");
  EXPECT_EQ(refusal_with("epochs = 1", "epochs = -1"),
            "config.toml:25: phases.2.epochs must be at least 0, got -1");
  EXPECT_EQ(refusal_with("classes = 4", "classes = 1"),
            "config.toml:3: data.classes must be at least 2, got 1");
  EXPECT_EQ(refusal_with("margin = 50", "margin = -50"),
            "config.toml:21: phases.1.balance.margin must be at least 0.0, got -50.0");
}

TEST(Config, names_the_expected_and_the_found_type) {
  EXPECT_EQ(refusal_with("seed = 7", "seed = \"abc\""),
            "config.toml:16: train.seed must be an integer, got the string \"abc\"");
  EXPECT_EQ(refusal_with("seed = 7", "momentum = true"),
            "config.toml:16: train.momentum must be a number, got true");
  EXPECT_EQ(refusal_with("name = \"synthetic\"", "name = 3"),
            "config.toml:2: data.name must be a string, got 3");
  EXPECT_EQ(refusal_with("seed = 7", "seed = 1979-05-27"),
            "config.toml:16: train.seed must be an integer, got a date or time");
  EXPECT_EQ(refusal_with("{ rule = \"none\" }", "\"none\""),
            "config.toml:26: phases.2.balance must be a table such as { rule = \"margin\" }, got the string "
            "\"none\"");
  EXPECT_EQ(refusal("train = 1\n" + with(small_config, "[train]\nseed = 7\nbatch_size = 20\n", "")),
            "config.toml:1: train must be a table, got 1");
  EXPECT_EQ(refusal("layers = {}\n[data]\nname = \"mnist\""),
            "config.toml:1: layers must be an array of tables, [[layers]], got a table");
  EXPECT_EQ(refusal("phases = [1]\n" + small_config.substr(0, small_config.find("[[phases]]"))),
            "config.toml:1: phases.1 must be a table, got 1");
}

TEST(Config, refuses_unknown_keys_with_the_nearest_and_all_allowed) {
  EXPECT_EQ(
      refusal_with("hidden = 8", "hiden = 8"),
      "config.toml:13: unknown key layers.2.hiden (did you mean hidden?); allowed: kind, experts, hidden, "
      "gate_hidden");
  EXPECT_EQ(refusal_with("[train]", "[savings]"),
            "config.toml:15: unknown key savings; allowed: data, layers, network, train, evaluation, "
            "phases, checkpoint, comm, numerics");
  EXPECT_EQ(refusal_with("[data]", "[date]"),
            "config.toml:1: unknown key date (did you mean data?); allowed: data, layers, network, train, "
            "evaluation, "
            "phases, checkpoint, comm, "
            "numerics");
  EXPECT_EQ(
      refusal_with("margin = 50", "margn = 50"),
      "config.toml:21: unknown key phases.1.balance.margn (did you mean margin?); allowed: rule, margin");
  EXPECT_EQ(refusal_with("{ rule = \"none\" }", "{ rule = \"none\", margin = 5 }"),
            "config.toml:26: unknown key phases.2.balance.margin; allowed: rule");
  EXPECT_EQ(refusal_with("classes = 4", "path = \"x\""),
            "config.toml:3: unknown key data.path; allowed: name, classes, train_examples, test_examples, "
            "max_translation, noise, test_seed, validation");
}

TEST(Config, knows_where_each_setting_of_the_data_was_set) {
  const Config config = parse_config(small_config, "config.toml", {"data.validation=5"});
  EXPECT_EQ(config.data_places.at("classes"), "config.toml:3");
  EXPECT_EQ(config.data_places.at("validation"), "--set data.validation=5");
  EXPECT_EQ(config.data_places.at("noise"), "config.toml:1") << "a default: where its table begins";
}

TEST(Config, refuses_unknown_names_with_all_known) {
  EXPECT_EQ(
      refusal_with("\"synthetic\"", "\"syntetic\""),
      "config.toml:2: data.name names an unknown data set \"syntetic\" (did you mean synthetic?); known: "
      "jittered_mnist, mnist, jittered_fashion_mnist, fashion_mnist, synthetic, frames");
  EXPECT_EQ(refusal_with("kind = \"mixture\"", "kind = \"singel\""),
            "config.toml:6: layers.1.kind names an unknown layer kind \"singel\" (did you mean single?); "
            "known: mixture, single, concatenated, dense, classifier_mixture");
  EXPECT_EQ(
      refusal_with("rule = \"none\"", "rule = \"bias\""),
      "config.toml:26: phases.2.balance.rule names an unknown balancing rule \"bias\"; known: margin, none");
  EXPECT_EQ(
      refusal_with("\"constant\"", "\"linear\""),
      "config.toml:22: phases.1.learning_rate.schedule names an unknown learning-rate schedule \"linear\"; "
      "known: constant, exponential, step, cosine");
  EXPECT_EQ(refusal(small_config + "[numerics]\nisa = \"neon\"\n"),
            "config.toml:29: numerics.isa names an unknown isa \"neon\"; known: best, avx512, "
            "avx2, sse41");
  EXPECT_EQ(refusal(small_config + "[numerics]\nprecision = \"double\"\n"),
            "config.toml:29: numerics.precision names an unknown precision \"double\"; known: float32, bf16");
}

TEST(Config, reads_what_each_kind_of_layer_needs) {
  const auto layer = [](const std::string& keys) {
    const std::size_t first = small_config.find("[[layers]]");
    const std::size_t end = small_config.find("[train]");
    return small_config.substr(0, first) + "[[layers]]\n" + keys + small_config.substr(end);
  };
  using enum model::LayerKind;
  const auto read = [&](const std::string& keys) {
    const Config config = parse_config(layer(keys), "c");
    EXPECT_EQ(parse_config(config.text, "again").text, config.text);
    return config.layers.front();
  };
  EXPECT_EQ(read("kind = 'single'\nhidden = 7\n"), (model::LayerSpec{1, 7, 0, single}));
  EXPECT_EQ(read("kind = 'dense'\nhidden = 7\n"), (model::LayerSpec{1, 7, 0, dense}));
  EXPECT_EQ(read("kind = 'concatenated'\nexperts = 3\nhidden = 7\n"),
            (model::LayerSpec{3, 7, 0, concatenated}));
  EXPECT_EQ(read("kind = 'classifier_mixture'\nexperts = 3\nhidden = 7\ngate_hidden = 2\n"),
            (model::LayerSpec{3, 7, 2, classifier_mixture}));
  EXPECT_EQ(refusal(layer("kind = 'dense'\nhidden = 7\nexperts = 3\n")),
            "config.toml:8: unknown key layers.1.experts; allowed: kind, hidden");
  EXPECT_EQ(refusal(layer("kind = 'concatenated'\nexperts = 3\nhidden = 7\ngate_hidden = 2\n")),
            "config.toml:9: unknown key layers.1.gate_hidden; allowed: kind, experts, hidden");
}

TEST(Config, takes_classifiers_as_the_last_layer_alone) {
  EXPECT_EQ(refusal_with("kind = \"mixture\"", "kind = \"classifier_mixture\""),
            "config.toml:11: layers.2.kind follows a layer 1 of kind \"classifier_mixture\", which gives the "
            "classes: that must be the last layer");
}

TEST(Config, makes_baselines_of_mixtures_alone) {
  EXPECT_EQ(parse_config(small_config, "c", {"network.baseline=dense_wide_first"}).baseline,
            model::Baseline::dense_wide_first);
  EXPECT_EQ(parse_config(small_config, "c").baseline, model::Baseline::none);
  EXPECT_EQ(refusal(small_config + "[network]\nbaseline = \"dense\"\n"),
            "config.toml:29: network.baseline names an unknown baseline \"dense\"; known: none, single, "
            "concatenated, dense_wide_first, dense_equal_widths");
  const std::string concatenated =
      with(with(small_config, "hidden = 8\ngate_hidden = 6", "hidden = 8"), "kind = \"mixture\"\nexperts = 3",
           "kind = \"concatenated\"\nexperts = 3");
  EXPECT_EQ(
      refusal(concatenated, {"network.baseline=single"}),
      "--set network.baseline=single: network.baseline is \"single\", which follows from layers of kind "
      "mixture; one is of kind concatenated");
}

TEST(Config, says_what_is_missing) {
  EXPECT_EQ(refusal(""),
            "config.toml: data.name is missing; it must be a string, one of jittered_mnist, mnist, "
            "jittered_fashion_mnist, fashion_mnist, synthetic, frames");
  EXPECT_EQ(refusal("[data]\nname = \"mnist\""), "config.toml: at least one [[layers]] is needed");
  EXPECT_EQ(refusal("layers = []\n[data]\nname = \"mnist\""),
            "config.toml:1: layers needs at least one table, [[layers]]");
  EXPECT_EQ(refusal(small_config.substr(0, small_config.find("[[phases]]"))),
            "config.toml: at least one [[phases]] is needed");
  EXPECT_EQ(refusal_with("hidden = 8\n", ""),
            "config.toml:10: layers.2.hidden is missing; it must be an integer");
  EXPECT_EQ(refusal_with("balance = { rule = \"none\" }\n", ""),
            "config.toml:23: phases.2.balance is missing; it must be a table such as { rule = \"margin\" }");
}

TEST(Config, reads_a_routing_for_all_layers_or_one_for_each) {
  const Config plain = parse_config(small_config, "config.toml");
  ASSERT_EQ(plain.training.phases.front().routings.size(), 1U);
  EXPECT_EQ(plain.training.phases.front().routings.front().name, "all");
  EXPECT_THAT(plain.text, testing::HasSubstr("\nrouting = { rule = \"all\" }\n"));

  const std::string phase = plain.training.phases.front().name;
  const Config one = parse_config(small_config, "config.toml", {"phases." + phase + ".routing.rule=top_k"});
  EXPECT_EQ(one.training.phases.front().routings.front().settings.integer("k"), 2);
  const std::string two_text =
      R"([{ rule = "top_k", k = 1, value = "probability", noise = 0.5 }, { rule = "all" }])";
  const Config two = parse_config(small_config, "config.toml", {"phases." + phase + ".routing=" + two_text});
  ASSERT_EQ(two.layers.size(), 2U);
  ASSERT_EQ(two.training.phases.front().routings.size(), 2U);
  EXPECT_EQ(two.training.phases.front().routings[0].settings.text("value"), "probability");
  EXPECT_EQ(two.training.phases.front().routings[1].name, "all");
  EXPECT_THAT(two.text, testing::HasSubstr("\nrouting = " + two_text + "\n"));
  EXPECT_EQ(parse_config(two.text, "again").text, two.text);
}

TEST(Config, refuses_routings_that_cannot_serve) {
  const auto message = [](const std::string& routing) {
    return refusal(small_config, {"phases.1.routing=" + routing});
  };
  EXPECT_THAT(message(R"({ rule = "top_2" })"), testing::HasSubstr("unknown routing \"top_2\""));
  EXPECT_THAT(message(R"({ rule = "top_k", k = 0 })"), testing::HasSubstr("k must be at least 1, got 0"));
  EXPECT_THAT(message(R"({ rule = "top_k", value = "best" })"),
              testing::HasSubstr("phases.1.routing.value names an unknown value \"best\""));
  EXPECT_THAT(
      message(R"([{ rule = "all" }, { rule = "all" }, { rule = "all" }])"),
      testing::HasSubstr("routing has 3 entries; one table is for all layers, an array has one for each "
                         "of the 2 layers"));
  EXPECT_THAT(
      refusal(with(small_config, "[[layers]]", "[[layers]]\nkind = \"dense\"\nhidden = 7\n[[layers]]"),
              {"phases.1.routing=[{ rule = \"top_k\" }, { rule = \"all\" }, { rule = \"all\" }]"}),
      testing::HasSubstr("routing has \"top_k\" for layer 1, whose kind dense has no gate"));
  EXPECT_THAT(message("7"), testing::HasSubstr("must be a table such as { rule = \"all\" }"));
  EXPECT_THAT(message("[]"), testing::HasSubstr("routing must not be empty"));
}

TEST(Config, refuses_phases_without_a_name_of_their_own) {
  EXPECT_EQ(refusal_with("\"fine_tune\"", "\"constrained\""),
            "config.toml:24: phases.2.name \"constrained\" is the name of an earlier phase");
  EXPECT_EQ(refusal_with("\"fine_tune\"", "\"\""),
            "config.toml:24: phases.2.name must be printable text, got \"\"");
  EXPECT_EQ(refusal_with("\"fine_tune\"", "\"a\\u001Bb\""),
            "config.toml:24: phases.2.name must be printable text, got \"a\\u001Bb\"");
}

TEST(Config, gives_line_and_column_of_what_is_not_toml) {
  const std::string message = refusal_with("seed = 7", "seed = ");
  EXPECT_EQ(message.substr(0, message.find(": ")), "config.toml:16:8") << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

TEST(Config, refuses_keys_of_very_many_parts) {
  std::string key = "x";
  for (int i = 0; i < 100'000; ++i) key += ".a";
  EXPECT_EQ(refusal("\n" + key + " = 1"), "config.toml:2: a key of 100001 parts, allowed are 256");
  EXPECT_EQ(refusal("[" + key + "]"), "config.toml:1: a key of 100001 parts, allowed are 256");
  EXPECT_EQ(refusal("# " + key + "\n" + std::string(small_config)), "accepted");
}

TEST(ConfigOverride, sets_keys_of_tables_arrays_and_parts) {
  const Config config =
      parse_config(small_config, "config.toml",
                   {"train.seed=3", "layers.1.hidden=50", "phases.fine_tune.epochs=8",
                    "phases.1.balance.margin=9", "evaluation.every_epochs=5", "train.seed=4"});
  EXPECT_EQ(config.training.seed, 4U);
  EXPECT_EQ(config.layers[0].hidden, 50);
  EXPECT_EQ(config.layers[1].hidden, 8);
  EXPECT_EQ(config.training.phases[1].epochs, 8);
  EXPECT_EQ(config.training.phases[0].rule.settings.real("margin"), 9.0);
  EXPECT_EQ(config.training.evaluation.every_epochs, 5);
}

TEST(ConfigOverride, takes_bare_and_quoted_strings) {
  EXPECT_EQ(
      parse_config(small_config, "c", {"data.name=mnist", "data.path=/a b/c.d"}).data.settings.text("path"),
      "/a b/c.d");
  EXPECT_EQ(
      parse_config(small_config, "c", {"data.name=mnist", "data.path=\"x=1\""}).data.settings.text("path"),
      "x=1");
  EXPECT_EQ(parse_config(small_config, "c", {"data.name=mnist", "data.path=2024"}).data.settings.text("path"),
            "2024");
}

TEST(ConfigOverride, takes_a_name_before_a_number) {
  const std::string swapped = with(with(small_config, "name = \"constrained\"", "name = \"2\""),
                                   "name = \"fine_tune\"", "name = \"1\"");
  const Config config = parse_config(swapped, "c", {"phases.1.epochs=7", "phases.2.epochs=5"});
  EXPECT_EQ(config.training.phases[0].epochs, 5);
  EXPECT_EQ(config.training.phases[1].epochs, 7);
}

TEST(ConfigOverride, of_a_selector_forgets_settings_of_the_part_it_replaces) {
  const Config config = parse_config(
      small_config, "config.toml",
      {"phases.1.balance.rule=none", "phases.2.learning_rate.schedule=constant", "data.name=jittered_mnist"});
  EXPECT_EQ(config.training.phases[0].rule, (training::PartSpec{"none", {}}));
  EXPECT_EQ(config.training.phases[1].schedule.settings.values().size(), 1U);  // start, as in the file
  EXPECT_EQ(config.training.phases[1].schedule.settings.real("start"), 0.3);
  EXPECT_EQ(config.data.settings.integer("max_translation"), 4);
}

TEST(ConfigOverride, of_the_data_set_leaves_the_folder_of_the_one_it_replaces) {
  const std::string digits = with(small_config, "name = \"synthetic\"\nclasses = 4\ntrain_examples = 200",
                                  "name = \"jittered_mnist\"\npath = \"/my/digits\"\nmax_translation = 3");
  const auto settings = [&](const std::vector<std::string>& overrides) {
    return parse_config(digits, "c", overrides).data.settings;
  };
  EXPECT_EQ(settings({}).text("path"), "/my/digits");
  EXPECT_EQ(settings({"data.name=mnist"}).text("path"), "/my/digits");  // the same images
  EXPECT_EQ(settings({"data.name=jittered_fashion_mnist"}).text("path"), "data/fashion-mnist");
  EXPECT_EQ(settings({"data.name=jittered_fashion_mnist"}).integer("max_translation"), 3);
  EXPECT_EQ(settings({"data.name=jittered_fashion_mnist", "data.path=/here"}).text("path"), "/here");
}

TEST(ConfigOverride, of_a_selector_still_refuses_what_no_part_knows_and_what_was_set_too) {
  EXPECT_EQ(refusal(with(small_config, "margin = 50", "margn = 50"), {"phases.1.balance.rule=none"}),
            "config.toml:21: unknown key phases.1.balance.margn; allowed: rule");
  EXPECT_EQ(refusal(small_config, {"phases.1.balance.rule=none", "phases.1.balance.margin=5"}),
            "--set phases.1.balance.margin=5: unknown key phases.1.balance.margin; allowed: rule");
}

TEST(ConfigOverride, is_named_in_every_refusal) {
  EXPECT_EQ(refusal(small_config, {"train.seed=abc"}),
            "--set train.seed=abc: train.seed must be an integer, got the string \"abc\"");
  EXPECT_EQ(refusal(small_config, {"phases.constrained.epochs=-1"}),
            "--set phases.constrained.epochs=-1: phases.1.epochs must be at least 0, got -1");
  EXPECT_EQ(refusal(small_config, {"train.sed=1"}),
            "--set train.sed=1: unknown key train.sed (did you mean seed?); allowed: seed, batch_size, "
            "slices, gate_slices, momentum, "
            "weight_decay, max_gradient_norm, log_every_steps, stop_after");
  EXPECT_EQ(refusal(small_config, {"bogus.key=1"}),
            "--set bogus.key=1: unknown key bogus; allowed: data, layers, network, train, evaluation, "
            "phases, checkpoint, comm, numerics");
  EXPECT_EQ(refusal(small_config, {"phases.1.balance={rule=\"margin\",margin=-1}"}),
            "--set phases.1.balance={rule=\"margin\",margin=-1}: phases.1.balance.margin must be at least "
            "0.0, got "
            "-1.0");
}

TEST(ConfigOverride, needs_a_place_to_go) {
  EXPECT_EQ(refusal(small_config, {"train.seed"}),
            "--set train.seed: expected key=value, for example --set train.seed=3");
  EXPECT_EQ(refusal(small_config, {"=3"}), "--set =3: expected key=value, for example --set train.seed=3");
  EXPECT_EQ(refusal(small_config, {"train..seed=3"}), "--set train..seed=3: the key has an empty part");
  EXPECT_EQ(refusal(small_config, {"layers.3.hidden=5"}),
            "--set layers.3.hidden=5: layers has no entry 3; its entries are numbered 1 to 2 or called by "
            "their name");
  EXPECT_EQ(refusal(small_config, {"layers.0.hidden=5"}),
            "--set layers.0.hidden=5: layers has no entry 0; its entries are numbered 1 to 2 or called by "
            "their name");
  EXPECT_EQ(refusal(small_config, {"train.seed.x=5"}),
            "--set train.seed.x=5: train.seed is a value, not a table");
  EXPECT_EQ(refusal(small_config, {"layers.1=5"}),
            "--set layers.1=5: layers is an array; name a key of one of its entries");
}

TEST(ConfigOverride, cannot_smuggle_in_a_second_key) {
  EXPECT_EQ(refusal(small_config, {"train.seed=3\nmomentum=0.5"}),
            "--set train.seed=3\nmomentum=0.5: train.seed must be an integer, got the string "
            "\"3\\u000Amomentum=0.5\"");
}

TEST(ConfigOverride, refuses_bytes_that_are_not_utf8) {
  EXPECT_EQ(refusal(small_config, {"data.name=\xff"}).rfind("--set data.name=\xff: ", 0), 0U);
}

}  // namespace
}  // namespace dmoe::config
