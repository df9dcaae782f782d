#include "cluster/codec/testing/random_envelope.h"

namespace cluster::internal {

std::uint64_t RandomEnvelopes::AnyNumber() { return random_() >> Below(64); }

std::string RandomEnvelopes::AnyPayload() {
  std::string payload(OneIn(8) ? Below(5000) : Below(200), '\0');
  const std::uint64_t kind = Below(4);
  for (char& c : payload) {
    if (kind == 0) {
      c = static_cast<char>(Below(256));  // seldom UTF-8
    } else if (kind == 1) {
      c = static_cast<char>(Below(0x80));  // with much to escape
    } else {
      c = static_cast<char>('a' + Below(26));
    }
  }
  // U+20AC, U+10FFFF
  if (kind == 2) payload += "\xe2\x82\xac\xf4\x8f\xbf\xbf";
  return payload;
}

Envelope RandomEnvelopes::Next() {
  if (OneIn(8)) last_.message_id.incarnation = random_();
  last_.message_id.sequence += OneIn(4) ? AnyNumber() : 1;
  if (OneIn(4)) last_.pid = OneIn(2) ? kBroadcast : AnyId();
  if (OneIn(4)) last_.msg_type = static_cast<MsgType>(AnyNumber() & 0xffff);
  if (OneIn(8)) last_.sender_id = AnyId();
  if (OneIn(4)) last_.term = AnyNumber();
  if (OneIn(4)) last_.voted = !last_.voted;
  if (OneIn(4)) last_.lane = static_cast<Lane>(Below(kLanes));
  if (OneIn(8)) last_.group = OneIn(2) ? 0 : AnyNumber();
  if (OneIn(8)) last_.correlation = OneIn(2) ? 0 : AnyNumber();
  last_.payload = AnyPayload();
  return last_;
}

}  // namespace cluster::internal
