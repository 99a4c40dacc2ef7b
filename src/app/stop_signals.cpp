#include "app/stop_signals.hpp"

#include <csignal>
#include <initializer_list>

namespace dmoe::app {

namespace {

volatile std::sig_atomic_t stop_flag = 0;

extern "C" void note_stop(int /*signal*/) {
  stop_flag = 1;
}

}  // namespace

void catch_stop_signals() {
  struct sigaction action {};
  action.sa_handler = note_stop;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaction(signal, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // who reads may leave: the run goes on
}

bool stop_requested() {
  return stop_flag != 0;
}

}  // namespace dmoe::app
