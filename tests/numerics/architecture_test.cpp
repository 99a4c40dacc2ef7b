#include "numerics/architecture.hpp"

#include <sstream>

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

#if defined(__aarch64__)
TEST(InstructionSet, of_aarch64_has_its_width) {
  EXPECT_THAT(instruction_set(), testing::AnyOf("asimd", testing::MatchesRegex("sve_[0-9]+")));
  EXPECT_FALSE(has_bf16_products());
  EXPECT_THROW(use_instruction_set("avx2"), InputError);
}
#endif

std::string cpu_name_in(const std::string& text) {
  std::istringstream cpuinfo(text);
  return cpu_name(cpuinfo);
}

TEST(CpuName, is_the_kernels) {
  EXPECT_FALSE(cpu_name().empty());
  EXPECT_EQ(cpu_name_in("processor\t: 0\nmodel name\t: AMD EPYC 9654\nstepping\t: 1\n"), "AMD EPYC 9654");
  EXPECT_EQ(cpu_name_in("processor\t: 0\nFeatures\t:\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n"),
            "aarch64 CPU, implementer 0x41, part 0xd0c");
  EXPECT_EQ(cpu_name_in("processor\t: 0\n"), "unknown");
}

TEST(MultiplyAddLoop, has_work_where_it_is_available) {
  if (!MultiplyAddLoop::is_available()) return;
  MultiplyAddLoop().run();
  EXPECT_GT(MultiplyAddLoop::flops(), 1e8);
}

}  // namespace
}  // namespace dmoe::numerics
