// Attributes of hdf5/file.hpp.
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "hdf5/bytes.hpp"
#include "hdf5/file.hpp"
#include "support/temporary_folder.hpp"

namespace dmoe::hdf5 {
namespace {

using test::message_of;
using testing::HasSubstr;

const Attributes all_types{{"text", std::string("Größe µ")},
                           {"empty", std::string()},
                           {"integer", std::int64_t{-9007199254740993}},
                           {"number", 0.1},
                           {"integers", std::vector<std::int64_t>{1, -2, 3}},
                           {"numbers", std::vector<double>{0.5}},
                           {"texts", std::vector<std::string>{"b", "", "ä"}},
                           {"no_texts", std::vector<std::string>{}}};

TEST(Attributes, come_back_in_order_from_groups_and_datasets) {
  const test::TemporaryFolder folder;
  File file = File::create_serial(folder / "a.h5");
  file.create_group("/group");
  for (const char* object : {"/", "/group"}) {
    for (const auto& [name, value] : all_types) file.write_attribute(object, name, value);
  }
  file.write("/values", std::vector<double>{1.0}, {1}, {"nats", {"row"}});
  file.write_attribute("/values", "note", "later");
  file.close();

  const File again = File::open_read(folder / "a.h5");
  EXPECT_EQ(again.attributes("/"), all_types);
  EXPECT_EQ(again.attributes("/group"), all_types);
  const Attributes expected{
      {"units", "nats"}, {"dimensions", std::vector<std::string>{"row"}}, {"note", "later"}};
  EXPECT_EQ(again.attributes("/values"), expected);
  EXPECT_EQ(again.read_attribute<std::string>("/values", "units"), "nats");
}

TEST(Attributes, take_literals_as_the_type_they_look_like) {
  const test::TemporaryFolder folder;
  File file = File::create_serial(folder / "a.h5");
  file.write_attribute("/", "seed", 3);
  file.write_attribute("/", "rate", 0.25F);
  file.write_attribute("/", "format", "dmoe-run");
  EXPECT_EQ(file.read_attribute<std::int64_t>("/", "seed"), 3);
  EXPECT_EQ(file.read_attribute<double>("/", "rate"), 0.25);
  EXPECT_EQ(file.read_attribute<std::string>("/", "format"), "dmoe-run");
}

TEST(Attributes, are_replaced_also_where_there_are_many) {
  const test::TemporaryFolder folder;
  File file = File::create_serial(folder / "a.h5");
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 40; ++i) file.write_attribute("/", fmt::format("a{}", i), i + round);
  }
  file.write_attribute("/", "a0", "now text");
  file.close();
  const File again = File::open_read(folder / "a.h5");
  EXPECT_EQ(again.attributes("/").size(), 40U);
  EXPECT_EQ(again.read_attribute<std::string>("/", "a0"), "now text");
  EXPECT_EQ(again.read_attribute<std::int64_t>("/", "a39"), 40);
}

TEST(Attributes, that_are_missing_or_of_another_type_are_named) {
  const test::TemporaryFolder folder;
  File file = File::create_serial(folder / "a.h5");
  file.write_attribute("/", "seed", 3);
  EXPECT_TRUE(file.has_attribute("/", "seed"));
  EXPECT_FALSE(file.has_attribute("/", "format"));
  EXPECT_THAT(message_of<InputError>([&] { file.read_attribute<std::string>("/", "format"); }),
              HasSubstr("a.h5: cannot read /: it has no attribute 'format'"));
  EXPECT_THAT(message_of<InputError>([&] { file.read_attribute<std::string>("/", "seed"); }),
              HasSubstr("attribute 'seed' holds one integer, expected one text"));
  EXPECT_THAT(message_of<InputError>([&] { file.read_attribute<double>("/none", "seed"); }),
              HasSubstr("cannot read /none: the file has no such object"));
}

}  // namespace
}  // namespace dmoe::hdf5
