#include "programs/clusterctl/admin_client.h"

#include <curl/curl.h>

#include <cstddef>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cluster/admin/access.h"
#include "cluster/config/check.h"
#include "cluster/transport/address.h"

namespace cluster {
namespace {

// Of one answer. A status of 10,000 peers has a tenth of it.
constexpr std::size_t kAnswerBytesMax = 256u << 20;

// One request on its way.
struct Request {
  AdminAnswer* answer = nullptr;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  char error[CURL_ERROR_SIZE] = "";

  Request() = default;
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  ~Request() {
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
  }
};

std::size_t Take(char* data, std::size_t size, std::size_t count, void* self) {
  auto* const answer = static_cast<AdminAnswer*>(self);
  if (answer->body.size() + size * count > kAnswerBytesMax) return 0;
  answer->body.append(data, size * count);
  return size * count;
}

absl::StatusOr<Address> AdminAddress(const Config& config, int id) {
  std::string text;
  for (const ServerAddress& server : config.servers) {
    if (server.id == id) text = server.admin;
  }
  if (text.empty()) {
    return absl::NotFoundError(absl::StrCat(
        "the config lists no admin server of server ", id,
        "; want \"admin\": \"127.0.0.1:9101\" beside its address"));
  }
  absl::StatusOr<Address> address = ParseAddress(text);
  if (address.ok() && address->kind == Address::Kind::kTcp &&
      address->port == 0) {
    return absl::NotFoundError(absl::StrCat(
        "the config does not say the port of server ", id, "'s admin server"));
  }
  return address;
}

absl::Status Prepare(const Config& config, int id, absl::string_view path,
                     const AdminClient::Options& options, Request* request) {
  absl::StatusOr<Address> address = AdminAddress(config, id);
  if (!address.ok()) return address.status();
  AdminConfig files = internal::ResolveAdmin(config, id);
  if (!options.token_file.empty()) files.token_file = options.token_file;
  if (!options.certificate.empty()) files.certificate = options.certificate;
  const bool tls = !files.certificate.empty();
  CURL* const easy = request->easy = curl_easy_init();
  if (easy == nullptr) return absl::ResourceExhaustedError("out of memory");
  if (!files.token_file.empty()) {
    if (!tls && !internal::IsLocal(ToString(*address))) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the token would travel in plaintext to ", ToString(*address),
          "; want \"admin\": {\"certificate\": ..., \"key\": ...} in the "
          "config, "
          "or clusterctl on that machine"));
    }
    const absl::StatusOr<Secret> token = internal::ReadToken(files.token_file);
    if (!token.ok()) return token.status();
    request->headers = curl_slist_append(
        nullptr, absl::StrCat("Authorization: Bearer ", token->text()).c_str());
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);
  }
  std::string host = ToString(*address);
  if (address->kind == Address::Kind::kIpc) {
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, address->path.c_str());
    host = "localhost";
  }
  const std::string url =
      absl::StrCat(tls ? "https://" : "http://", host, path);
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, tls ? "https" : "http");
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(
      easy, CURLOPT_TIMEOUT_MS,
      static_cast<long>(absl::ToInt64Milliseconds(options.timeout)));
  if (tls) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, files.certificate.c_str());
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
    // The certificate is the server's own, whatever its host is called.
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Take);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, request->answer);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->error);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
  return absl::OkStatus();
}

absl::Status StatusOf(CURLcode result, const Request& request) {
  const AdminAnswer& answer = *request.answer;
  if (result != CURLE_OK) {
    return absl::UnavailableError(absl::StrCat(
        "admin server of server ", answer.id, ": ",
        request.error[0] != '\0' ? request.error : curl_easy_strerror(result)));
  }
  if (answer.code < 400 || answer.code == 503) return absl::OkStatus();
  const std::string text = absl::StrCat(
      "admin server of server ", answer.id, ": HTTP ", answer.code, ": ",
      absl::StripTrailingAsciiWhitespace(answer.body.substr(0, 200)));
  return answer.code == 401 ? absl::UnauthenticatedError(text)
                            : absl::UnknownError(text);
}

// Runs all that were added to `multi`.
void Perform(CURLM* multi) {
  int running = 1;
  while (running > 0) {
    if (curl_multi_perform(multi, &running) != CURLM_OK) return;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      Request* request = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
      long code = 0;
      curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &code);
      request->answer->code = static_cast<int>(code);
      request->answer->status = StatusOf(message->data.result, *request);
    }
    if (running > 0) curl_multi_poll(multi, nullptr, 0, 1000, nullptr);
  }
}

}  // namespace

AdminClient::AdminClient(Config config, Options options)
    : config_(std::move(config)), options_(std::move(options)) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
}

AdminClient::~AdminClient() { curl_global_cleanup(); }

std::vector<AdminAnswer> AdminClient::Get(const std::vector<int>& ids,
                                          absl::string_view path) {
  std::vector<AdminAnswer> answers(ids.size());
  std::vector<std::unique_ptr<Request>> requests;
  CURLM* const multi = curl_multi_init();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    auto request = std::make_unique<Request>();
    request->answer = &answers[i];
    answers[i].id = ids[i];
    answers[i].status = Prepare(config_, ids[i], path, options_, request.get());
    if (!answers[i].status.ok()) continue;
    answers[i].status = absl::UnavailableError("not asked");
    curl_multi_add_handle(multi, request->easy);
    requests.push_back(std::move(request));
  }
  Perform(multi);
  for (const auto& request : requests)
    curl_multi_remove_handle(multi, request->easy);
  curl_multi_cleanup(multi);
  return answers;
}

}  // namespace cluster
