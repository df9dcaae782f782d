#include "programs/clusterctl/server_view.h"

#include "absl/strings/str_cat.h"
#include "rapidjson/document.h"

namespace cluster {
namespace {

constexpr int kSchema = 1;
constexpr unsigned kParse =
    rapidjson::kParseValidateEncodingFlag | rapidjson::kParseIterativeFlag;

// The members of an object. A missing one, or one of another type, is zero.
class Reader {
 public:
  explicit Reader(const rapidjson::Value& value) : value_(value) {}

  const rapidjson::Value* Find(const char* name) const {
    if (!value_.IsObject()) return nullptr;
    const auto found = value_.FindMember(name);
    return found == value_.MemberEnd() ? nullptr : &found->value;
  }
  std::string Text(const char* name) const {
    const rapidjson::Value* const value = Find(name);
    if (value == nullptr || !value->IsString()) return "";
    return {value->GetString(), value->GetStringLength()};
  }
  std::uint64_t Number(const char* name) const {
    const rapidjson::Value* const value = Find(name);
    return value != nullptr && value->IsUint64() ? value->GetUint64() : 0;
  }
  bool Flag(const char* name) const {
    const rapidjson::Value* const value = Find(name);
    return value != nullptr && value->IsBool() && value->GetBool();
  }
  absl::Duration Seconds(const char* name) const {
    const rapidjson::Value* const value = Find(name);
    return value != nullptr && value->IsNumber()
               ? absl::Seconds(value->GetDouble())
               : absl::ZeroDuration();
  }
  absl::Time Time(const char* name) const {
    const rapidjson::Value* const value = Find(name);
    return value != nullptr && value->IsNumber()
               ? absl::UnixEpoch() + absl::Seconds(value->GetDouble())
               : absl::InfinitePast();
  }
  cluster::Counts Counts(const char* name) const {
    cluster::Counts counts;
    const rapidjson::Value* const value = Find(name);
    if (value == nullptr || !value->IsObject()) return counts;
    for (const auto& member : value->GetObject()) {
      if (member.value.IsUint64())
        counts[member.name.GetString()] = member.value.GetUint64();
    }
    return counts;
  }

 private:
  const rapidjson::Value& value_;
};

PeerView PeerOf(const Reader& reader) {
  PeerView peer;
  peer.id = static_cast<int>(reader.Number("id"));
  peer.member = reader.Flag("member");
  peer.up = reader.Text("state") == "up";
  peer.since = reader.Time("since");
  peer.address = reader.Text("address");
  peer.incarnation = reader.Text("incarnation");
  peer.rtt = reader.Seconds("rtt_seconds");
  peer.round_trips = reader.Number("round_trips");
  peer.last_round_trip = reader.Seconds("last_round_trip_seconds");
  peer.last_trouble = reader.Text("last_trouble");
  peer.last_trouble_at = reader.Time("last_trouble_at");
  peer.counters = reader.Counts("counters");
  peer.gauges = reader.Counts("gauges");
  peer.dropped = reader.Counts("dropped");
  peer.refused = reader.Counts("refused");
  return peer;
}

}  // namespace

const PeerView* ServerView::Peer(int id) const {
  for (const PeerView& peer : peers) {
    if (peer.id == id && peer.member) return &peer;
  }
  return nullptr;
}

std::uint64_t CountOf(const Counts& counts, const std::string& name) {
  const auto found = counts.find(name);
  return found == counts.end() ? 0 : found->second;
}

absl::StatusOr<ServerView> ParseStatus(absl::string_view json) {
  rapidjson::Document document;
  document.Parse<kParse>(json.data(), json.size());
  if (document.HasParseError() || !document.IsObject())
    return absl::InvalidArgumentError("the answer is no status in JSON");
  const Reader root(document);
  if (root.Number("schema") != kSchema) {
    return absl::UnimplementedError(
        absl::StrCat("the status has schema ", root.Number("schema"), ", want ",
                     kSchema, ": use the clusterctl of that server's version"));
  }
  ServerView view;
  view.at = root.Time("at");
  if (const rapidjson::Value* const value = root.Find("server")) {
    const Reader server(*value);
    view.id = static_cast<int>(server.Number("id"));
    view.cluster = server.Text("cluster");
    view.library = server.Text("library");
    view.address = server.Text("address");
    view.transport = server.Text("transport");
    view.codec = server.Text("codec");
    view.delivery = server.Text("delivery");
    view.security = server.Text("security");
    view.wire_version_min = server.Number("wire_version_min");
    view.wire_version_max = server.Number("wire_version_max");
    view.heartbeat = server.Seconds("heartbeat_seconds");
    view.peer_timeout = server.Seconds("peer_timeout_seconds");
    view.incarnation = server.Text("incarnation");
    view.running = server.Flag("running");
    view.ready = server.Flag("ready");
    view.since = server.Time("since");
    view.members = server.Number("members");
    view.members_up = server.Number("members_up");
  }
  if (const rapidjson::Value* const totals = root.Find("totals"))
    view.refused = Reader(*totals).Counts("refused");
  const rapidjson::Value* const peers = root.Find("peers");
  if (peers != nullptr && peers->IsArray()) {
    for (const rapidjson::Value& peer : peers->GetArray())
      view.peers.push_back(PeerOf(Reader(peer)));
  }
  return view;
}

}  // namespace cluster
