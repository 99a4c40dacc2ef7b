#include "core/registry.hpp"

#include <cstdint>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "support/message_of.hpp"

namespace dmoe {
namespace {

using test::message_of;

struct Part {
  std::int64_t value;
};
using Parts = Registry<Part, std::int64_t>;

Parts::Entry entry(std::string name) {
  return {std::move(name),
          "a part",
          {{"factor", "what the context is multiplied by", std::int64_t{2}, 1, 9}},
          [](const Settings& settings, std::int64_t context) {
            return std::make_unique<Part>(Part{settings.integer("factor") * context});
          }};
}

TEST(Registry, makes_a_part_from_settings_and_context) {
  const Parts parts("part", {entry("a"), entry("b")});
  const Parts::Entry& found = parts.find("b");
  EXPECT_EQ(found.make(defaults(found.settings), 5)->value, 10);
  Settings settings;
  settings.set("factor", std::int64_t{3});
  EXPECT_EQ(found.make(settings, 5)->value, 15);
}

TEST(Registry, names_what_is_known_when_a_name_is_not) {
  const Parts parts("part", {entry("a"), entry("b")});
  EXPECT_EQ(message_of([&] { parts.find("c"); }), "unknown part 'c'; known: a, b");
}

TEST(Registry, takes_a_new_part_but_no_name_twice) {
  Parts parts("part", {entry("a")});
  parts.add(entry("c"));
  EXPECT_EQ(parts.names(), "a, c");
  EXPECT_EQ(message_of([&] { parts.add(entry("a")); }), "part 'a' exists already");
  EXPECT_EQ(parts.entries().size(), 2U);
}

TEST(Settings, refuse_a_name_that_was_not_declared) {
  EXPECT_EQ(message_of([] { Settings{}.integer("margin"); }),
            "setting 'margin' was not declared by the part that reads it");
}

TEST(Settings, know_their_values_by_type) {
  const Settings settings =
      defaults({{"count", "", std::int64_t{4}}, {"rate", "", 0.5}, {"path", "", std::string("x")}});
  EXPECT_EQ(settings.integer("count"), 4);
  EXPECT_EQ(settings.real("rate"), 0.5);
  EXPECT_EQ(settings.text("path"), "x");
  EXPECT_EQ(settings.values().size(), 3U);
}

}  // namespace
}  // namespace dmoe
