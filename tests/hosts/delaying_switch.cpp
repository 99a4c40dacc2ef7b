// delaying_switch MILLISECONDS INTERFACE...: an Ethernet switch that hands every frame on so much later.
//
//     host1 eth0 ----- port1 +-----------------+ port2 ----- eth0 host2
//                            | delaying_switch |
//     host3 eth0 ----- port3 +-----------------+
//
// It stands where a bridge would stand, for kernels that cannot delay packets themselves. A frame goes to the
// port from which its receiver has sent before, or to all others. Prints "ready" once it listens; runs until
// killed.
#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <exception>
#include <iostream>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <map>
#include <net/if.h>
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Address = std::array<char, ETH_ALEN>;
constexpr std::size_t offload_bytes = 10;  // virtio_net_hdr, whose own header is no C++

/// What one interface receives, and a way to send on it. The kernel has left checksums, and the cutting of
/// long TCP segments, to hardware that is not there; a virtio_net_hdr in front of each frame notes what is to
/// be done.
class Port {
 public:
  explicit Port(const std::string& interface) : socket_(socket(AF_PACKET, SOCK_RAW, 0)) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
    packet_mreq everything{};  // frames for others too
    everything.mr_ifindex = address.sll_ifindex;
    everything.mr_type = PACKET_MR_PROMISC;
    const int yes = 1;
    const bool listens =
        setsockopt(socket_, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof yes) == 0 &&
        setsockopt(socket_, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes) == 0 &&
        setsockopt(socket_, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &everything, sizeof everything) == 0 &&
        bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    if (!listens) throw std::system_error(errno, std::generic_category(), interface);
  }
  int descriptor() const { return socket_; }

  /// The next frame that has come; nothing where there is none, or the link is down.
  std::optional<std::vector<char>> receive() const {
    static std::array<char, 1 << 17> buffer;  // the longest TCP segment and all headers fit
    const ssize_t length = recv(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (length < static_cast<ssize_t>(offload_bytes + ETH_HLEN)) return std::nullopt;
    return std::vector<char>(buffer.begin(), buffer.begin() + length);
  }
  /// A frame that the link does not take is lost, as on a real one.
  void send(const std::vector<char>& frame) const {
    static_cast<void>(!write(socket_, frame.data(), frame.size()));
  }

 private:
  int socket_;  // open as long as the program runs
};

struct Frame {
  Clock::time_point due;
  std::size_t from = 0;  // port
  std::vector<char> bytes;
  Address address(std::size_t offset) const {
    Address result{};
    std::memcpy(result.data(), bytes.data() + offload_bytes + offset, result.size());
    return result;
  }
  Address receiver() const { return address(0); }
  Address sender() const { return address(ETH_ALEN); }
};

class Switch {
 public:
  Switch(std::vector<Port> ports, Clock::duration delay) : ports_(std::move(ports)), delay_(delay) {
    for (const Port& port : ports_) polled_.push_back({port.descriptor(), POLLIN, 0});
  }
  [[noreturn]] void run() {
    while (true) {
      wait();
      for (std::size_t port = 0; port < ports_.size(); ++port) {
        if (auto bytes = ports_[port].receive()) {
          under_way_.push_back({Clock::now() + delay_, port, std::move(*bytes)});
          port_of_[under_way_.back().sender()] = port;
        }
      }
      for (; !under_way_.empty() && under_way_.front().due <= Clock::now(); under_way_.pop_front()) {
        deliver(under_way_.front());
      }
    }
  }

 private:
  /// Until a frame comes or one is due.
  void wait() {
    timespec left{};
    if (!under_way_.empty()) {
      const auto time = std::max(under_way_.front().due - Clock::now(), Clock::duration::zero());
      const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
      left = {seconds.count(), std::chrono::nanoseconds(time - seconds).count()};
    }
    ppoll(polled_.data(), polled_.size(), under_way_.empty() ? nullptr : &left, nullptr);
  }
  void deliver(const Frame& frame) const {
    const auto known = port_of_.find(frame.receiver());
    for (std::size_t port = 0; port < ports_.size(); ++port) {
      const bool is_meant = known == port_of_.end() || known->second == port;
      if (port != frame.from && is_meant) ports_[port].send(frame.bytes);
    }
  }
  std::vector<Port> ports_;
  Clock::duration delay_;
  std::vector<pollfd> polled_;
  std::deque<Frame> under_way_;  // in the order in which they are due
  std::map<Address, std::size_t> port_of_;
};

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 3) throw std::invalid_argument("delaying_switch MILLISECONDS INTERFACE...");
    const std::chrono::duration<double, std::milli> delay(std::atof(argv[1]));
    const std::vector<Port> ports(argv + 2, argv + argc);
    Switch between(ports, std::chrono::duration_cast<Clock::duration>(delay));
    std::cout << "ready" << std::endl;
    between.run();
  } catch (const std::exception& error) {
    std::cerr << "delaying_switch: " << error.what() << '\n';
    return 1;
  }
}
