#include "io/table.hpp"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "hdf5/file.hpp"
#include "hdf5/format.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"

namespace dmoe::io {
namespace {

namespace fs = std::filesystem;
using Texts = std::vector<std::string>;
using Numbers = std::vector<double>;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::string content(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::string csv_of(const std::vector<TableColumn>& columns) {
  const test::TemporaryFolder folder;
  write_table_csv(folder / "table.csv", columns);
  return content(folder / "table.csv");
}

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  return names;
}

const std::vector<TableColumn>& sample() {
  static const std::vector<TableColumn> columns{
      {"run", "text", Texts{"a,seed=0", "b"}},
      {"test error", "1", Numbers{0.0125, nan}},
      {"status", "text", Texts{"finished", ""}},
      {"loss", "nats", Numbers{1.0 / 3, -1e-300}},
  };
  return columns;
}

TEST(TableCsv, has_a_line_of_names_and_one_a_row) {
  EXPECT_EQ(csv_of({{"run", "text", Texts{"a", "b"}}, {"error", "1", Numbers{0.25, 3}}}),
            "run,error\na,0.25\nb,3\n");
  EXPECT_EQ(csv_of({{"run", "text", Texts{}}, {"error", "1", Numbers{}}}), "run,error\n");
}

TEST(TableCsv, quotes_what_would_be_taken_for_more_than_a_field) {
  EXPECT_EQ(
      csv_of({{"a,b", "text", Texts{"x,y", "say \"no\"", "two\nlines", "return\r", "plain text; 'fine'", ""}},
              {"n", "1", Numbers{0, 1, 2, 3, 4, 5}}}),
      "\"a,b\",n\n\"x,y\",0\n\"say \"\"no\"\"\",1\n\"two\nlines\",2\n\"return\r\",3\nplain text; "
      "'fine',4\n,5\n");
}

TEST(TableCsv, leaves_a_field_empty_where_there_is_no_number) {
  EXPECT_EQ(csv_of({{"error", "1", Numbers{nan, 0.5, -nan}}, {"loss", "nats", Numbers{1, nan, nan}}}),
            "error,loss\n,1\n0.5,\n,\n");
}

TEST(TableCsv, keeps_every_bit_of_a_number) {
  const Numbers numbers{1.0 / 3, 0.1, 1e-300, 123456789012, -0.7166666666666667};
  const std::string text = csv_of({{"x", "1", numbers}});
  std::size_t at = text.find('\n') + 1;
  for (const double number : numbers) {
    EXPECT_EQ(std::stod(text.substr(at)), number);
    at = text.find('\n', at) + 1;
  }
}

TEST(TableHdf5, is_read_back) {
  const test::TemporaryFolder folder;
  write_table_hdf5(folder / "table.h5", sample());
  const hdf5::File file = hdf5::File::open_read(folder / "table.h5");
  EXPECT_EQ(hdf5::check_format(file, {table_format}), "dmoe-table");
  EXPECT_EQ(file.read_attribute<Texts>("/table", "columns"), (Texts{"run", "test error", "status", "loss"}));
  EXPECT_EQ(file.children("/table"), (Texts{"run", "test error", "status", "loss"}));
  EXPECT_EQ(file.read_texts("/table/run"), (Texts{"a,seed=0", "b"}));
  EXPECT_EQ(file.read_texts("/table/status"), (Texts{"finished", ""}));
  EXPECT_EQ(file.read<double>("/table/loss", {2}), (Numbers{1.0 / 3, -1e-300}));
  const Numbers errors = file.read<double>("/table/test error", {2});
  EXPECT_EQ(errors[0], 0.0125);
  EXPECT_TRUE(std::isnan(errors[1]));
  EXPECT_EQ(file.read_attribute<std::string>("/table/loss", "units"), "nats");
  EXPECT_EQ(file.read_attribute<std::string>("/table/run", "units"), "text");
}

TEST(TableHdf5, has_no_groups_whatever_the_names) {
  const test::TemporaryFolder folder;
  const Texts names{"phases.a/b.epochs", "phases.a_b.epochs", "a//b", "/"};
  std::vector<TableColumn> columns;
  for (const std::string& name : names) columns.push_back({name, "text", Texts{name}});
  write_table_hdf5(folder / "table.h5", columns);
  const hdf5::File file = hdf5::File::open_read(folder / "table.h5");
  EXPECT_EQ(file.read_attribute<Texts>("/table", "columns"), names);
  EXPECT_EQ(file.children("/table"), (Texts{"phases.a_b.epochs", "phases.a_b.epochs_", "a__b", "_"}));
  EXPECT_EQ(file.read_texts("/table/phases.a_b.epochs"), Texts{names[0]});
  EXPECT_EQ(file.read_texts("/table/phases.a_b.epochs_"), Texts{names[1]});
}

TEST(Table, takes_the_place_of_an_older_one_and_leaves_nothing_else) {
  const test::TemporaryFolder folder;
  for (const double error : {0.5, 0.25}) {
    const std::vector<TableColumn> columns{{"error", "1", Numbers{error}}};
    write_table_csv(folder / "table.csv", columns);
    write_table_hdf5(folder / "table.h5", columns);
  }
  EXPECT_EQ(content(folder / "table.csv"), "error\n0.25\n");
  EXPECT_EQ(hdf5::File::open_read(folder / "table.h5").read<double>("/table/error"), (Numbers{0.25}));
  EXPECT_EQ(files_in(folder.path()).size(), 2U);
}

TEST(Table, that_cannot_be_written_leaves_nothing_behind) {
  const test::TemporaryFolder folder;
  const auto csv = [&](const fs::path& path) {
    return test::message_of<RunError>([&] { write_table_csv(path, sample()); });
  };
  const auto hdf5 = [&](const fs::path& path) {
    return test::message_of<RunError>([&] { write_table_hdf5(path, sample()); });
  };
  const fs::path nowhere = folder / "missing/table";
  EXPECT_EQ(csv(nowhere).rfind(nowhere.string() + ": cannot write: ", 0), 0U) << csv(nowhere);
  EXPECT_EQ(hdf5(nowhere).rfind(folder.path().string(), 0), 0U) << hdf5(nowhere);
  EXPECT_TRUE(files_in(folder.path()).empty());

  const fs::path taken = folder / "taken";  // by a folder with something in it
  fs::create_directories(taken / "inner");
  EXPECT_EQ(csv(taken).rfind(taken.string() + ": ", 0), 0U) << csv(taken);
  EXPECT_NE(hdf5(taken).find(taken.string()), std::string::npos) << hdf5(taken);
  EXPECT_EQ(files_in(folder.path()), std::vector<fs::path>{"taken"});
}

}  // namespace
}  // namespace dmoe::io
