#include "cluster/transport/memory/exchange.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cluster/base/fork_generation.h"
#include "cluster/transport/address.h"

namespace cluster::internal {
namespace memory {

Exchange& Exchange::Get() { return OfThisProcess<Exchange>(); }

absl::StatusOr<std::string> Exchange::Listen(const Place& place,
                                             std::shared_ptr<Port> port) {
  MutexLock lock(&mutex_);
  Place found = place;
  if (AsksForAnyPort(place.address)) {
    const absl::string_view stem =
        absl::string_view(place.address).substr(0, place.address.size() - 1);
    do {
      found.address = absl::StrCat(stem, ++last_number_);
    } while (parties_.count(found) > 0);
  }
  Party& party = parties_[found];
  if (party.listener != nullptr) {
    return absl::AlreadyExistsError(
        absl::StrCat("memory address \"", found.address,
                     "\" is in use in cluster \"", found.cluster, "\""));
  }
  party.listener = std::move(port);
  for (const auto& channel : party.dialling) channel->Attach(party.listener);
  return found.address;
}

void Exchange::Leave(const Place& place) {
  MutexLock lock(&mutex_);
  Party& party = parties_[place];
  party.listener = nullptr;
  for (const auto& channel : party.dialling)
    channel->Detach("the peer stopped");
  ForgetIfEmptyLocked(place);
}

void Exchange::Dial(const Place& place, std::shared_ptr<Channel> channel) {
  MutexLock lock(&mutex_);
  Party& party = parties_[place];
  if (party.listener != nullptr) {
    channel->Attach(party.listener);
  } else {
    channel->Refuse(absl::StrCat("nobody listens at memory address \"",
                                 place.address, "\" yet"));
  }
  party.dialling.push_back(std::move(channel));
}

void Exchange::HangUp(const Place& place,
                      const std::shared_ptr<Channel>& channel) {
  MutexLock lock(&mutex_);
  auto& dialling = parties_[place].dialling;
  dialling.erase(std::remove(dialling.begin(), dialling.end(), channel),
                 dialling.end());
  ForgetIfEmptyLocked(place);
}

void Exchange::ForgetIfEmptyLocked(const Place& place) {
  const auto found = parties_.find(place);
  if (found->second.listener == nullptr && found->second.dialling.empty()) {
    parties_.erase(found);
  }
}

}  // namespace memory
}  // namespace cluster::internal
