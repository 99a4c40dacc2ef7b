#include "training/optimizer.hpp"

#include <algorithm>
#include <bit>

namespace dmoe::training {

namespace {

/// Bits in the order of |value|: those of infinity or above are of no finite number.
std::uint32_t magnitude(float value) {
  return std::bit_cast<std::uint32_t>(value) & 0x7fffffffU;
}
constexpr std::uint32_t infinite = 0x7f800000U;

}  // namespace

Sgd::Sgd(distribution::Network& network, double momentum, double weight_decay)
    : momentum_(static_cast<float>(momentum)), weight_decay_(static_cast<float>(weight_decay)) {
  network.for_each_parameter([&](const model::Parameter& parameter) {
    slots_.push_back({parameter, std::vector<float>(momentum != 0 ? parameter.values.size() : 0)});
  });
}

std::optional<std::string> Sgd::step(double rate, float scale) {
  const auto eta = static_cast<float>(rate);
  const Slot* damaged = nullptr;
  for (Slot& slot : slots_) {
    float* const w = slot.parameter.values.data();
    const float* const gradient = slot.parameter.gradient.data();
    std::uint32_t largest = 0;
    if (slot.velocity.empty()) {
      for_each_moving_part(slot.parameter, [&](std::size_t first, std::size_t end) {
        for (std::size_t i = first; i < end; ++i) {
          largest = std::max(largest, magnitude(gradient[i]));
          w[i] -= eta * (scale * gradient[i] + weight_decay_ * w[i]);
        }
      });
    } else {
      float* const v = slot.velocity.data();
      for (std::size_t i = 0; i < slot.parameter.values.size(); ++i) {
        largest = std::max(largest, magnitude(gradient[i]));
        v[i] = momentum_ * v[i] + (scale * gradient[i] + weight_decay_ * w[i]);
        w[i] -= eta * v[i];
      }
    }
    if (largest >= infinite && damaged == nullptr) damaged = &slot;
  }
  if (damaged == nullptr) return std::nullopt;
  return damaged->parameter.name;
}

template <class Visit>
void Sgd::for_each_moving_part(const model::Parameter& parameter, Visit visit) const {
  const std::size_t count = parameter.values.size();
  if (parameter.has_gradient.empty() || weight_decay_ != 0) return visit(0, count);
  const std::size_t block = count / parameter.has_gradient.size();
  for (std::size_t entry = 0; entry < parameter.has_gradient.size(); ++entry) {
    if (parameter.has_gradient[entry] != 0) visit(entry * block, (entry + 1) * block);
  }
}

void Sgd::for_each_velocity(const model::ParameterVisitor& visit) {
  if (momentum_ == 0) return;
  for (Slot& slot : slots_) {
    model::Parameter velocity = slot.parameter;
    velocity.values = slot.velocity;
    visit(velocity);
  }
}

}  // namespace dmoe::training
