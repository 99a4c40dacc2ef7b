#include "numerics/architecture.hpp"

#include <gmock/gmock.h>

#include "core/error.hpp"

namespace dmoe::numerics {
namespace {

TEST(InstructionSet, has_a_name) {
  EXPECT_FALSE(instruction_set().empty());
  EXPECT_NO_THROW(use_instruction_set("best"));
}

TEST(InstructionSet, refuses_an_unknown_name) {
  EXPECT_THAT([] { use_instruction_set("altivec"); },
              testing::ThrowsMessage<InputError>(
                  testing::AllOf(testing::HasSubstr("best"), testing::HasSubstr("altivec"))));
}

TEST(InstructionSet, of_a_config_is_known_on_every_architecture) {
  EXPECT_THAT(instruction_set_names(), testing::ElementsAre("best", "avx512", "avx2", "sse41"));
}

TEST(InstructionSet, names_its_bf16) {
  const std::string name = instruction_set();
  EXPECT_EQ(has_bf16_products(), name.ends_with("bf16") || name.ends_with("amx"));
}

TEST(MultiplyAddLoop, has_work_where_it_is_available) {
  if (!MultiplyAddLoop::is_available()) return;
  MultiplyAddLoop().run();
  EXPECT_GT(MultiplyAddLoop::flops(), 1e8);
}

}  // namespace
}  // namespace dmoe::numerics
