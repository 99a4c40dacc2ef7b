#include "training/optimizer.hpp"

namespace dmoe::training {

Sgd::Sgd(distribution::Network& network, double momentum, double weight_decay)
    : momentum_(static_cast<float>(momentum)), weight_decay_(static_cast<float>(weight_decay)) {
  network.for_each_parameter([&](const model::Parameter& parameter) {
    slots_.push_back({parameter.values, parameter.gradient,
                      std::vector<float>(momentum != 0 ? parameter.values.size() : 0)});
  });
}

void Sgd::step(double rate) {
  const auto eta = static_cast<float>(rate);
  for (Slot& slot : slots_) {
    float* const w = slot.values.data();
    const float* const gradient = slot.gradient.data();
    const std::size_t count = slot.values.size();
    if (slot.velocity.empty()) {
      for (std::size_t i = 0; i < count; ++i) w[i] -= eta * (gradient[i] + weight_decay_ * w[i]);
    } else {
      float* const v = slot.velocity.data();
      for (std::size_t i = 0; i < count; ++i) {
        v[i] = momentum_ * v[i] + (gradient[i] + weight_decay_ * w[i]);
        w[i] -= eta * v[i];
      }
    }
  }
}

}  // namespace dmoe::training
