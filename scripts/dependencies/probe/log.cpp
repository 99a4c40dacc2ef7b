// Compiles where spdlog and fmt go together.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

int main() { spdlog::info("{}", fmt::format("{}", 1)); }
