#include "cluster/transport/resolver/testing/dns_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cluster/transport/resolver/resolver.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

// RFC 1035.
constexpr std::size_t kHeaderBytes = 12;
constexpr std::uint16_t kTypeAlias = 5;
constexpr std::uint16_t kTypeAaaa = 28;
constexpr int kCodeServFail = 2;
constexpr int kCodeNoSuchName = 3;
constexpr int kCodeRefused = 5;

std::string Number(std::uint16_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)};
}

std::string Encoded(const std::string& name) {
  std::string bytes;
  for (absl::string_view label : absl::StrSplit(name, '.'))
    absl::StrAppend(&bytes, std::string(1, static_cast<char>(label.size())),
                    label);
  bytes.push_back('\0');
  return bytes;
}

std::string Record(const std::string& name, std::uint16_t type,
                   const std::string& data) {
  return absl::StrCat(Encoded(name), Number(type), Number(/*internet*/ 1),
                      Number(0), Number(/*seconds to keep*/ 0),
                      Number(static_cast<std::uint16_t>(data.size())), data);
}

// The record of an address, if it is of that type.
std::string AddressRecord(const std::string& name, std::uint16_t type,
                          const std::string& address) {
  char data[16];
  const bool v6 = type == kTypeAaaa;
  if (inet_pton(v6 ? AF_INET6 : AF_INET, address.c_str(), data) != 1) return "";
  return Record(name, type, std::string(data, v6 ? 16 : 4));
}

bool BindTo(int fd, std::uint16_t* port) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(*port);
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof(name);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&name), bytes) != 0)
    return false;
  getsockname(fd, reinterpret_cast<sockaddr*>(&name), &bytes);
  *port = ntohs(name.sin_port);
  return true;
}

}  // namespace

DnsServer::DnsServer() {
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  while (true) {  // until both protocols have the port
    udp_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    tcp_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    port_ = 0;
    if (BindTo(udp_, &port_) && BindTo(tcp_, &port_)) break;
    close(udp_);
    close(tcp_);
  }
  EXPECT_EQ(listen(tcp_, 10), 0);
  const char* const folder = std::getenv("TEST_TMPDIR");
  resolv_conf_ =
      absl::StrCat(folder == nullptr ? "/tmp" : folder, "/resolv.conf.", port_);
  std::ofstream(resolv_conf_) << "nameserver 127.0.0.1\n";
  Resolver::OfProcess().SetSource({resolv_conf_, port_});
  thread_ = std::thread([this] { Run(); });
}

DnsServer::~DnsServer() {
  Resolver::OfProcess().SetSource({});
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  Wake();
  thread_.join();
  unlink(resolv_conf_.c_str());
  for (int fd : {udp_, tcp_, wake_}) close(fd);
}

void DnsServer::Set(const std::string& name,
                    std::vector<std::string> addresses) {
  MutexLock lock(&mutex_);
  Name& entry = names_[name];
  entry.known = true;
  entry.alias.clear();
  entry.addresses = std::move(addresses);
}

void DnsServer::SetAlias(const std::string& name, const std::string& of) {
  MutexLock lock(&mutex_);
  names_[name].known = true;
  names_[name].alias = of;
}

void DnsServer::Set(const std::string& name, Trouble trouble) {
  {
    MutexLock lock(&mutex_);
    names_[name].trouble = trouble;
  }
  Wake();
}

void DnsServer::Remove(const std::string& name) {
  MutexLock lock(&mutex_);
  names_[name].known = false;
}

void DnsServer::SetDark(bool dark) {
  MutexLock lock(&mutex_);
  dark_ = dark;
}

int DnsServer::questions(const std::string& name) const {
  MutexLock lock(&mutex_);
  const auto found = names_.find(name);
  return found == names_.end() ? 0 : found->second.questions;
}

bool DnsServer::AwaitQuestions(const std::string& name, int count) const {
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(30);
  MutexLock lock(&mutex_);
  return asked_.WaitUntil(&mutex_, deadline, [&] {
    mutex_.AssertHeld();
    const auto found = names_.find(name);
    return found != names_.end() && found->second.questions >= count;
  });
}

void DnsServer::Wake() const {
  const std::uint64_t one = 1;
  (void)!write(wake_, &one, sizeof(one));
}

void DnsServer::Run() {
  while (true) {
    pollfd ready[] = {{udp_, POLLIN, 0}, {tcp_, POLLIN, 0}, {wake_, POLLIN, 0}};
    poll(ready, 3, -1);
    if (ready[2].revents != 0) {
      std::uint64_t wakes;
      (void)!read(wake_, &wakes, sizeof(wakes));
    }
    std::vector<Question> held;
    {
      MutexLock lock(&mutex_);
      if (stopping_) return;
      held.swap(held_);
    }
    for (Question& question : held) {
      const sockaddr_in from = question.from;
      const std::string answer = Answer(std::move(question), /*by_tcp=*/false);
      sendto(udp_, answer.data(), answer.size(), 0,
             reinterpret_cast<const sockaddr*>(&from), sizeof(from));
    }
    if (ready[0].revents != 0) ServeUdp();
    if (ready[1].revents != 0) ServeTcp();
  }
}

void DnsServer::ServeUdp() {
  Question question;
  char bytes[512];
  socklen_t name_bytes = sizeof(question.from);
  const ssize_t got =
      recvfrom(udp_, bytes, sizeof(bytes), 0,
               reinterpret_cast<sockaddr*>(&question.from), &name_bytes);
  if (got <= static_cast<ssize_t>(kHeaderBytes)) return;
  question.bytes.assign(bytes, static_cast<std::size_t>(got));
  const sockaddr_in from = question.from;
  const std::string answer = Answer(std::move(question), /*by_tcp=*/false);
  if (answer.empty()) return;
  sendto(udp_, answer.data(), answer.size(), 0,
         reinterpret_cast<const sockaddr*>(&from), sizeof(from));
}

// One question, whose length precedes it.
void DnsServer::ServeTcp() {
  const int client = accept4(tcp_, nullptr, nullptr, SOCK_CLOEXEC);
  unsigned char length[2];
  if (recv(client, length, sizeof(length), MSG_WAITALL) == 2) {
    Question question;
    question.bytes.resize(length[0] * 256u + length[1]);
    if (recv(client, &question.bytes[0], question.bytes.size(), MSG_WAITALL) ==
        static_cast<ssize_t>(question.bytes.size())) {
      std::string answer = Answer(std::move(question), /*by_tcp=*/true);
      answer.insert(0, Number(static_cast<std::uint16_t>(answer.size())));
      (void)!send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
    }
  }
  close(client);
}

std::string DnsServer::Answer(Question question, bool by_tcp) {
  std::string& name = question.name;
  std::size_t at = kHeaderBytes;
  const auto byte = [&](std::size_t i) {
    return static_cast<unsigned char>(question.bytes[i]);
  };
  if (name.empty()) {
    while (at < question.bytes.size() && byte(at) != 0) {
      absl::StrAppend(&name, name.empty() ? "" : ".",
                      question.bytes.substr(at + 1, byte(at)));
      at += 1u + byte(at);
    }
    absl::AsciiStrToLower(&name);
    if (at + 5 > question.bytes.size()) return "";
    question.type =
        static_cast<std::uint16_t>(byte(at + 1) * 256 + byte(at + 2));
    question.end = at + 5;
    MutexLock lock(&mutex_);
    ++names_[name].questions;
    asked_.NotifyAll();
  }
  MutexLock lock(&mutex_);
  const Trouble trouble = dark_ ? kSilence : names_[name].trouble;
  if (trouble == kSilence ||
      (trouble == kSilenceForV6 && question.type == kTypeAaaa)) {
    return "";
  }
  if (trouble == kHeld) {
    held_.push_back(std::move(question));
    return "";
  }
  int count = 0;
  bool denied = false;
  std::string records = Records(question, &count, &denied);
  int code = denied ? kCodeNoSuchName : 0;
  if (trouble == kServFail) code = kCodeServFail;
  if (trouble == kRefused) code = kCodeRefused;
  const bool cut = trouble == kTruncated && !by_tcp;
  if (code != 0 || cut) {
    records.clear();
    count = 0;
  }
  std::string answer = question.bytes.substr(0, 2);  // its id
  answer.push_back(static_cast<char>(0x81 | (cut ? 0x02 : 0)));
  answer.push_back(static_cast<char>(0x80 | code));
  absl::StrAppend(
      &answer, Number(1), Number(static_cast<std::uint16_t>(count)), Number(0),
      Number(0),
      question.bytes.substr(kHeaderBytes, question.end - kHeaderBytes),
      records);
  if (trouble == kMalformed && !records.empty())
    answer.resize(answer.size() - 3);
  return answer;
}

std::string DnsServer::Records(const Question& question, int* count,
                               bool* denied) const {
  constexpr int kAliasesMax = 10;
  std::string records;
  std::string name = question.name;
  for (int aliases = 0; aliases < kAliasesMax; ++aliases) {
    const auto found = names_.find(name);
    *denied = found == names_.end() || !found->second.known;
    if (*denied) return "";
    const Name& entry = found->second;
    if (entry.alias.empty()) {
      for (const std::string& address : entry.addresses) {
        const std::string record = AddressRecord(name, question.type, address);
        records += record;
        if (!record.empty()) ++*count;
      }
      return records;
    }
    records += Record(name, kTypeAlias, Encoded(entry.alias));
    ++*count;
    name = entry.alias;
  }
  return records;  // a ring
}

}  // namespace cluster::internal
