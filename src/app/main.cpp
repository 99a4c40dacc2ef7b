#include "app/run.hpp"

int main(int argc, char** argv) {
  return dmoe::app::run(argc, argv);
}
