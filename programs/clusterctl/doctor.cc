#include "programs/clusterctl/doctor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cluster/transport/address.h"
#include "cluster/transport/refusal_reason.h"

namespace cluster {
namespace {

std::string Quoted(const std::string& text) {
  return absl::StrCat("\"", text, "\"");
}

std::string Name(int id) { return absl::StrCat("server ", id); }

std::string Range(const ServerView& view) {
  return view.wire_version_min == view.wire_version_max
             ? absl::StrCat(view.wire_version_min)
             : absl::StrCat(view.wire_version_min, " to ",
                            view.wire_version_max);
}

// nng and tcp send the same bytes.
std::string WireOf(const std::string& transport) {
  return transport == "nng" ? "tcp" : transport;
}

// One unordered pair. Either view may be null.
class Pair {
 public:
  Pair(const Evidence& one, const Evidence& two) : ends_{&one, &two} {}

  std::vector<Finding> Look() {
    if (View(0) == nullptr && View(1) == nullptr) return {};
    const bool up = Up(0) && Up(1);
    if (View(0) != nullptr && View(1) != nullptr) {
      CompareTimes(up);
      CompareLives();
      if (!up) CompareWhatTheySay();
    }
    if (!up) {
      CompareMembers();
      LookAtRefusals();
      for (int end : {0, 1}) LookAtProcess(end);
      if (findings_.empty() || !findings_.front().trouble) NoCause();
    }
    std::stable_sort(findings_.begin(), findings_.end(),
                     [](const Finding& one, const Finding& two) {
                       return one.trouble > two.trouble;
                     });
    return std::move(findings_);
  }

 private:
  int Id(int end) const { return ends_[end]->id; }
  const ServerView* View(int end) const {
    return ends_[end]->view.ok() ? &*ends_[end]->view : nullptr;
  }
  // This end's view of the other; null: it knows none.
  const PeerView* Peer(int end) const {
    return View(end) == nullptr ? nullptr : View(end)->Peer(Id(1 - end));
  }
  // Not known counts as up: the other end says whether it is.
  bool Up(int end) const {
    if (View(end) == nullptr) return true;
    return Peer(end) != nullptr && Peer(end)->up;
  }
  std::string Trouble(int end) const {
    return Peer(end) == nullptr ? "" : Peer(end)->last_trouble;
  }
  // This end's refusals of the other. `of_nobody`: where they name no peer too.
  std::uint64_t Refused(int end, RefusalReason reason, bool of_nobody) const {
    const std::string name = RefusalReasonName(reason);
    if (Peer(end) == nullptr) return 0;
    return CountOf(Peer(end)->refused, name) +
           (of_nobody ? CountOf(View(end)->refused, name) : 0);
  }
  bool Found(const std::string& code) const {
    return std::any_of(
        findings_.begin(), findings_.end(),
        [&](const Finding& finding) { return finding.code == code; });
  }
  void Add(const std::string& code, std::string what, std::string remedy,
           bool trouble = true) {
    if (Found(code)) return;
    findings_.push_back(
        {code, {Id(0), Id(1)}, std::move(what), std::move(remedy), trouble});
  }
  // "server 1 is X, server 2 is Y".
  std::string Differ(const std::string& verb, const std::string& one,
                     const std::string& two) const {
    return absl::StrCat(Name(Id(0)), " ", verb, " ", one, ", ", Name(Id(1)),
                        " ", verb, " ", two);
  }

  void CompareWhatTheySay() {
    const ServerView& one = *View(0);
    const ServerView& two = *View(1);
    if (one.cluster != two.cluster) {
      Add("wrong_cluster",
          Differ("is of the cluster", Quoted(one.cluster), Quoted(two.cluster)),
          "give both the same \"cluster\" and restart the one that is wrong");
    }
    CompareMembers();
    if (one.delivery != two.delivery) {
      Add("delivery_differs",
          Differ("has the delivery", one.delivery, two.delivery),
          "give both the same \"delivery\"");
    }
    if (WireOf(one.transport) != WireOf(two.transport)) {
      Add("transport_differs",
          Differ("has the transport", one.transport, two.transport),
          "give both the same \"transport\"");
    }
    if (one.wire_version_max < two.wire_version_min ||
        two.wire_version_max < one.wire_version_min) {
      Add("no_common_version",
          Differ("speaks the wire version", Range(one), Range(two)),
          "upgrade the older one; docs/compatibility.md says which versions "
          "understand each other");
    }
    if (one.security != two.security) {
      Add("plaintext_against_secured",
          Differ("has the security", one.security, two.security),
          "give both \"security\": {\"mode\": \"mutual\", ...}");
    }
    for (const int end : {0, 1}) CompareAddress(end);
  }

  void CompareMembers() {
    for (const int end : {0, 1}) {
      if (View(end) == nullptr || Peer(end) != nullptr) continue;
      Add("not_listed",
          absl::StrCat(Name(Id(end)), " does not list ", Name(Id(1 - end)),
                       " as a member"),
          absl::StrCat("add it to the config of ", Name(Id(end)),
                       ", or call AddPeer there"));
    }
  }

  // Where this end dials, against where the other listens.
  void CompareAddress(int end) {
    if (Peer(end) == nullptr) return;
    const std::string& dialled = Peer(end)->address;
    const std::string& bound = View(1 - end)->address;
    if (dialled.empty()) {
      Add("wrong_address",
          absl::StrCat(Name(Id(end)), " does not know the address of ",
                       Name(Id(1 - end)), ", which listens at ", bound),
          "give it in the config, or by AddPeer");
      return;
    }
    const absl::StatusOr<Address> there = ParseAddress(dialled);
    const absl::StatusOr<Address> here = ParseAddress(bound);
    if (!there.ok() || !here.ok()) return;
    const bool same = there->kind == here->kind && there->port == here->port &&
                      there->path == here->path;
    if (same) return;
    Add("wrong_address",
        absl::StrCat(Name(Id(end)), " dials ", Name(Id(1 - end)), " at ",
                     dialled, ", but it listens at ", bound),
        absl::StrCat("correct the address of ", Name(Id(1 - end)),
                     " in the config of ", Name(Id(end)),
                     "; it is right only if something forwards it"));
  }

  void CompareTimes(bool up) {
    for (const int end : {0, 1}) {
      const ServerView& patient = *View(end);
      const ServerView& beating = *View(1 - end);
      if (patient.peer_timeout >= 2 * beating.heartbeat) continue;
      Add("times_do_not_fit",
          absl::StrCat(Name(Id(end)), " takes a peer for down after ",
                       absl::FormatDuration(patient.peer_timeout), ", but ",
                       Name(Id(1 - end)), " has a heartbeat of ",
                       absl::FormatDuration(beating.heartbeat)),
          "give all servers the same heartbeat_ms, and a peer_timeout_ms of at "
          "least twice as much",
          !up);
    }
  }

  // Whether the process that answers is the one that the other has its session
  // with.
  void CompareLives() {
    for (const int end : {0, 1}) {
      const PeerView* const peer = Peer(end);
      if (peer == nullptr) continue;
      const bool other_life = peer->up && peer->incarnation != "0" &&
                              View(1 - end)->incarnation != "0" &&
                              peer->incarnation != View(1 - end)->incarnation &&
                              peer->since > View(1 - end)->since;
      if (!other_life && !ReportsTwoProcesses(end)) continue;
      AddTwoProcesses(end);
    }
  }
  bool ReportsTwoProcesses(int end) const {
    const PeerView* const peer = Peer(end);
    return peer != nullptr && CountOf(peer->counters, "two_processes") > 0 &&
           absl::StrContains(peer->last_trouble, "two processes have the id");
  }
  void AddTwoProcesses(int end) {
    Add("two_processes",
        absl::StrCat("two processes run as ", Name(Id(1 - end)),
                     Trouble(end).empty() ? ""
                                          : absl::StrCat("; ", Name(Id(end)),
                                                         ": ", Trouble(end))),
        "stop one of them, or give it another id");
  }

  void LookAtRefusals() {
    struct Cause {
      RefusalReason reason;
      const char* code;
      const char* what;
      const char* remedy;
      bool of_nobody = false;
    };
    static constexpr Cause kCauses[] = {
        {RefusalReason::kWrongCluster, "wrong_cluster",
         "another cluster's name", "give both the same \"cluster\""},
        {RefusalReason::kWrongDelivery, "delivery_differs",
         "the other delivery", "give both the same \"delivery\""},
        {RefusalReason::kVersion, "no_common_version",
         "no wire version in common",
         "upgrade the older one; docs/compatibility.md says which versions "
         "understand each other"},
        {RefusalReason::kWrongDestination, "wrong_address",
         "frames for another server: an address leads to the wrong one",
         "correct that address in the sender's config"},
        {RefusalReason::kWrongIdentity, "wrong_key",
         "a key that is another server's",
         "give each server its own key files, and the others its public ones",
         true},
        {RefusalReason::kUnauthenticated, "wrong_key", "no key that it knows",
         "make sure that each has the other's present public files; see "
         "docs/security.md",
         true},
    };
    for (const int end : {0, 1}) {
      if (ReportsTwoProcesses(end)) AddTwoProcesses(end);
      for (const Cause& cause : kCauses) {
        if (Refused(end, cause.reason, cause.of_nobody) == 0 ||
            Explained(cause.reason))
          continue;
        Add(cause.code,
            absl::StrCat(
                Name(Id(end)), " refuses ", cause.what,
                Trouble(end).empty() ? "" : absl::StrCat(": ", Trouble(end))),
            cause.remedy);
      }
    }
  }
  // Of what is found already, a refusal for this reason is a consequence.
  bool Explained(RefusalReason reason) const {
    if (reason == RefusalReason::kUnauthenticated)
      return Found("plaintext_against_secured");
    return false;
  }

  // Nobody answers at its admin server, and the other end does not reach it.
  void LookAtProcess(int end) {
    if (View(end) != nullptr) {
      if (!View(end)->running) {
        Add("not_running", absl::StrCat(Name(Id(end)), " was stopped"),
            "start it");
      }
      return;
    }
    if (!absl::IsUnavailable(ends_[end]->view.status()) || !findings_.empty())
      return;
    Add("not_running",
        absl::StrCat(Name(Id(end)), " does not run, or is cut off: neither ",
                     Name(Id(1 - end)), " nor clusterctl reaches it",
                     Trouble(1 - end).empty()
                         ? ""
                         : absl::StrCat("; ", Name(Id(1 - end)), ": ",
                                        Trouble(1 - end))),
        "start it; if it runs, look at its host and the network");
  }

  void NoCause() {
    std::string what;
    for (const int end : {0, 1}) {
      if (View(end) == nullptr) continue;
      absl::StrAppend(
          &what, what.empty() ? "" : "; ", Name(Id(end)),
          Up(end) ? " hears " : " does not hear ", Name(Id(1 - end)),
          Trouble(end).empty() ? "" : absl::StrCat(" (", Trouble(end), ")"));
    }
    const bool one_way =
        View(0) != nullptr && View(1) != nullptr && Up(0) != Up(1);
    Add(one_way ? "one_way" : "unknown", what,
        "look at firewalls and routes between them, in both directions");
  }

  const Evidence* const ends_[2];
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> Diagnose(const std::vector<Evidence>& evidence) {
  std::vector<Finding> findings;
  for (std::size_t i = 0; i < evidence.size(); ++i) {
    for (std::size_t j = i + 1; j < evidence.size(); ++j) {
      for (Finding& finding : Pair(evidence[i], evidence[j]).Look())
        findings.push_back(std::move(finding));
    }
  }
  for (const Evidence& server : evidence) {
    if (server.view.ok()) continue;
    const bool explained = std::any_of(
        findings.begin(), findings.end(), [&](const Finding& finding) {
          return finding.code == "not_running" &&
                 std::count(finding.servers.begin(), finding.servers.end(),
                            server.id) > 0;
        });
    if (explained) continue;
    findings.push_back({"no_answer",
                        {server.id},
                        std::string(server.view.status().message()),
                        "without its own evidence only the others' counts",
                        !absl::IsNotFound(server.view.status())});
  }
  return findings;
}

}  // namespace cluster
