#include "cluster/admin/metrics.h"

#include <cstdint>
#include <limits>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "cluster/transport/refusal_reason.h"
#include "cluster/version.h"
#include "prometheus/metric_family.h"
#include "prometheus/text_serializer.h"

namespace cluster::internal {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

// The names of kPeerFigures for Prometheus, where they are not simply theirs. A
// test says when one is missing.
struct Name {
  const char* figure;
  const char* metric;  // without "cluster_peer_"
  const char* help;
};
constexpr Name kNames[] = {
    {"sessions", "sessions_total", "Sessions begun with the peer."},
    {"accepted", "envelopes_accepted_total",
     "Envelopes that Send took for the peer."},
    {"acknowledged", "envelopes_acknowledged_total",
     "Envelopes that the peer's application has taken."},
    {"queued", "envelopes_queued", "Envelopes that wait to be transmitted."},
    {"in_flight", "envelopes_in_flight",
     "Envelopes transmitted and not known to be consumed."},
    {"queued_bytes", "queued_bytes", "Bytes that wait to be transmitted."},
    {"unconsumed_bytes", "unconsumed_bytes",
     "Bytes in flight, as charged to the peer's window."},
    {"memory_refused", "memory_refused_total",
     "Tries to send that found no room in memory_bytes_max."},
    {"held_bytes", "held_bytes", "Bytes of memory_bytes_max that it holds."},
    {"frames_sent", "frames_sent_total", "Frames of all kinds to the peer."},
    {"frames_retransmitted", "frames_retransmitted_total",
     "Frames sent again."},
    {"bytes_sent", "sent_bytes_total", "Bytes of frames to the peer."},
    {"received", "envelopes_received_total",
     "Envelopes from the peer, as their frames arrived."},
    {"frames_received", "frames_received_total", "Frames from the peer."},
    {"bytes_received", "received_bytes_total",
     "Bytes of frames from the peer."},
    {"redials_by_watchdog", "redials_by_watchdog_total",
     "Connections that the transport lost sight of; more than 0 is a defect."},
    {"two_processes", "two_processes_total",
     "Reports that two processes have one id, the peer's or this server's."},
};

const Name& NameOf(const char* figure) {
  for (const Name& name : kNames)
    if (absl::string_view(figure) == name.figure) return name;
  static constexpr Name kMissing = {"", "unnamed_figure", "Not named yet."};
  return kMissing;
}

// Families in the order in which they are first named.
class Families {
 public:
  void Counter(const std::string& name, const char* help, Labels labels,
               std::uint64_t value) {
    Add(MetricType::Counter, name, help, std::move(labels)).counter.value =
        static_cast<double>(value);
  }
  void Gauge(const std::string& name, const char* help, Labels labels,
             double value) {
    Add(MetricType::Gauge, name, help, std::move(labels)).gauge.value = value;
  }
  void Histogram(const std::string& name, const char* help, Labels labels,
                 const DurationHistogram& durations) {
    ClientMetric::Histogram& histogram =
        Add(MetricType::Histogram, name, help, std::move(labels)).histogram;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < durations.counts.size(); ++i) {
      sum += durations.counts[i];
      histogram.bucket.push_back(
          {sum, i < DurationHistogram::kBounds.size()
                    ? static_cast<double>(DurationHistogram::kBounds[i]) / 1e6
                    : std::numeric_limits<double>::infinity()});
    }
    histogram.sample_count = sum;
    histogram.sample_sum = absl::ToDoubleSeconds(durations.sum);
  }
  // Seconds since 1970; nothing where there is no time.
  void Time(const std::string& name, const char* help, Labels labels,
            absl::Time time) {
    if (time == absl::InfinitePast() || time == absl::InfiniteFuture()) return;
    Gauge(name, help, std::move(labels), absl::ToUnixMillis(time) / 1e3);
  }

  std::string Take() {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families_);
    return out.str();
  }

 private:
  ClientMetric& Add(MetricType type, const std::string& name, const char* help,
                    Labels labels) {
    MetricFamily* family = nullptr;
    for (MetricFamily& known : families_)
      if (known.name == name) family = &known;
    if (family == nullptr) {
      families_.emplace_back();
      family = &families_.back();
      family->name = name;
      family->help = help;
      family->type = type;
    }
    family->metric.emplace_back();
    family->metric.back().label = std::move(labels);
    return family->metric.back();
  }

  std::vector<MetricFamily> families_;
};

std::string Word(const char* reason) {
  return absl::StrReplaceAll(reason, {{" ", "_"}});
}

void AddPeer(const PeerStats& stats, Families* families) {
  const Labels peer = {{"peer", absl::StrCat(stats.peer)}};
  const auto with = [&](const char* name, std::string value) {
    Labels labels = peer;
    labels.push_back({name, std::move(value)});
    return labels;
  };
  families->Gauge("cluster_peer_up",
                  "1: there is a session and the peer is heard.", peer,
                  stats.up ? 1 : 0);
  families->Time("cluster_peer_state_since_seconds",
                 "When it came up or went down last, since 1970.", peer,
                 stats.since);
  families->Gauge("cluster_peer_wire_version",
                  "Version of the wire format in the session; 0: none.", peer,
                  stats.wire_version);
  families->Gauge("cluster_peer_rtt_seconds",
                  "Smoothed round trip; 0: not measured yet.", peer,
                  absl::ToDoubleSeconds(stats.rtt));
  families->Histogram("cluster_peer_round_trip_seconds",
                      "Round trips, of frames and of probes.", peer,
                      stats.round_trips);
  families->Histogram("cluster_peer_queue_time_seconds",
                      "Time in queue of the oldest envelope of each batch.",
                      peer, stats.queue_times);
  families->Gauge("cluster_peer_lag_seconds",
                  "How long the oldest envelope that waits has waited.", peer,
                  absl::ToDoubleSeconds(stats.lag));
  families->Time("cluster_peer_last_trouble_time_seconds",
                 "When the latest trouble was, since 1970.", peer,
                 stats.last_trouble_at);
  families->Time("cluster_peer_certificate_expires_seconds",
                 "When its first certificate expires, since 1970.", peer,
                 stats.certificate_expires);
  for (const PeerFigure& figure : kPeerFigures) {
    const Name& name = NameOf(figure.name);
    const std::string metric = absl::StrCat("cluster_peer_", name.metric);
    if (figure.kind == StatKind::kSum) {
      families->Counter(metric, name.help, peer, stats.*figure.value);
    } else {
      families->Gauge(metric, name.help, peer,
                      static_cast<double>(stats.*figure.value));
    }
  }
  for (int i = 0; i < kDropReasons; ++i) {
    const auto reason = static_cast<DropReason>(i);
    families->Counter("cluster_peer_envelopes_dropped_total",
                      "Accepted envelopes that were dropped.",
                      with("reason", Word(DropReasonName(reason))),
                      stats.Dropped(reason));
  }
  for (int i = 0; i < kRefusalReasons; ++i) {
    const auto reason = static_cast<RefusalReason>(i);
    families->Counter("cluster_peer_frames_refused_total",
                      "Frames of the peer that were refused.",
                      with("reason", Word(RefusalReasonName(reason))),
                      stats.Refused(reason));
  }
}

void AddServer(const Snapshot& snapshot, Families* families) {
  const ServerStats& stats = snapshot.stats;
  families->Gauge("cluster_info", "Always 1; the labels say what runs.",
                  {{"server", absl::StrCat(snapshot.id)},
                   {"cluster", snapshot.config.cluster},
                   {"version", kVersion},
                   {"transport", snapshot.config.transport},
                   {"codec", snapshot.config.codec}},
                  1);
  families->Gauge("cluster_running", "1: the server runs.", {},
                  snapshot.running() ? 1 : 0);
  families->Gauge("cluster_ready", "1: it reaches a majority of the members.",
                  {}, snapshot.ready() ? 1 : 0);
  families->Time("cluster_start_time_seconds", "When it started, since 1970.",
                 {}, stats.own.since);
  families->Gauge("cluster_members", "Members, with this server.", {},
                  static_cast<double>(snapshot.members()));
  families->Gauge("cluster_members_up", "Members that are up, with this one.",
                  {}, static_cast<double>(snapshot.members_up()));
  families->Time("cluster_certificate_expires_seconds",
                 "When its own first certificate expires, since 1970.", {},
                 stats.own.certificate_expires);
  families->Counter("cluster_envelopes_delivered_total",
                    "Envelopes that Receive returned or a handler took.", {},
                    stats.delivered);
  families->Counter("cluster_slow_handlers_total",
                    "Calls of a handler that took over slow_handler_ms.", {},
                    stats.slow_handlers);
  families->Gauge("cluster_inbox_bytes", "Bytes received and not delivered.",
                  {}, static_cast<double>(stats.inbox_bytes));
  families->Gauge("cluster_held_bytes", "Bytes used of memory_bytes_max.", {},
                  static_cast<double>(stats.held_bytes));
  families->Gauge("cluster_memory_bytes_max", "The bound of these.", {},
                  static_cast<double>(snapshot.config.memory_bytes_max));
  families->Gauge("cluster_queue_bytes_max",
                  "The bound of cluster_peer_queued_bytes.", {},
                  static_cast<double>(snapshot.config.queue_bytes_max));
  families->Gauge("cluster_reassembly_bytes",
                  "Of the held bytes: large payloads that come in.", {},
                  static_cast<double>(stats.reassembly_bytes));
  for (int i = 0; i < kRefusalReasons; ++i) {
    const auto reason = static_cast<RefusalReason>(i);
    families->Counter("cluster_refused_total",
                      "Frames and connections refused that belong to no peer.",
                      {{"reason", Word(RefusalReasonName(reason))}},
                      stats.Refused(reason));
  }
}

}  // namespace

std::string MetricsPage(const Snapshot& snapshot) {
  Families families;
  AddServer(snapshot, &families);
  for (const PeerStats& stats : snapshot.stats.peers) AddPeer(stats, &families);
  return families.Take();
}

}  // namespace cluster::internal
