// Control messages (config, errors; numerics never): any object that Boost.Serialization can archive.
#pragma once

#include <sstream>
#include <string>

#include <boost/archive/binary_iarchive.hpp>
#include <boost/archive/binary_oarchive.hpp>
#include <boost/serialization/string.hpp>
#include <boost/serialization/vector.hpp>

#include "comm/communicator.hpp"

namespace dmoe::comm {

template <class T>
std::string to_archive(const T& object) {
  std::ostringstream stream;
  boost::archive::binary_oarchive(stream) << object;
  return stream.str();
}

template <class T>
void from_archive(const std::string& bytes, T& object) {
  std::istringstream stream(bytes);
  boost::archive::binary_iarchive(stream) >> object;
}

/// The coordinator's object on every rank. Collective.
template <class T>
void broadcast_object(const Communicator& communicator, T& object) {
  if (communicator.is_local()) return;
  std::string bytes;
  if (communicator.is_coordinator()) bytes = to_archive(object);
  communicator.broadcast(bytes);
  if (!communicator.is_coordinator()) from_archive(bytes, object);
}

/// Every rank's object, in rank order, on the coordinator; empty elsewhere. Collective.
template <class T>
std::vector<T> gather_objects(const Communicator& communicator, const T& object) {
  std::vector<T> objects;
  for (const std::string& bytes : communicator.gather(to_archive(object)))
    from_archive(bytes, objects.emplace_back());
  return objects;
}

}  // namespace dmoe::comm
