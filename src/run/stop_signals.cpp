#include "run/stop_signals.hpp"

#include <csignal>
#include <initializer_list>

namespace dmoe::run {

namespace {

volatile std::sig_atomic_t stop_flag = 0;

extern "C" void note_stop(int /*signal*/) {
  stop_flag = 1;
}

}  // namespace

void catch_stop_signals() {
  struct sigaction action = {};
  action.sa_handler = note_stop;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGTERM, SIGUSR1}) sigaction(signal, &action, nullptr);
  action.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // who reads may leave: the run goes on
}

bool stop_requested() {
  return stop_flag != 0;
}

}  // namespace dmoe::run
