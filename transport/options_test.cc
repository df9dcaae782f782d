#include "cluster/transport/options.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::HasSubstr;

TransportOptions Options(std::map<std::string, OptionValue> values) {
  return TransportOptions{"a.json:7: $.zmq", std::move(values)};
}

TEST(OptionReaderTest, TakesWhatIsThereAndFallsBackOtherwise) {
  const TransportOptions options = Options({{"threads", std::int64_t{4}},
                                            {"fast", true},
                                            {"name", std::string("x")}});
  OptionReader reader(options);
  EXPECT_EQ(reader.Int("threads", 1, 1, 16), 4);
  EXPECT_EQ(reader.Int("absent", 7, 1, 16), 7);
  EXPECT_TRUE(reader.Bool("fast", false));
  EXPECT_EQ(reader.String("name", ""), "x");
  EXPECT_TRUE(reader.Finish().ok());
}

TEST(OptionReaderTest, NamesPlaceKeyFoundAndAllowed) {
  const TransportOptions options = Options({{"threads", std::int64_t{40}}});
  OptionReader reader(options);
  EXPECT_EQ(reader.Int("threads", 1, 1, 16), 1);
  const absl::Status status = reader.Finish();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "a.json:7: $.zmq.threads: found 40, want an integer from 1 to 16");
}

TEST(OptionReaderTest, AValueOfTheWrongTypeIsShown) {
  const auto error_of = [](OptionValue value) {
    const TransportOptions options = Options({{"threads", std::move(value)}});
    OptionReader reader(options);
    EXPECT_EQ(reader.Int("threads", 1, 1, 16), 1);
    return std::string(reader.Finish().message());
  };
  EXPECT_EQ(error_of(std::string("2")),
            "a.json:7: $.zmq.threads: found \"2\", want an integer from 1 to "
            "16");
  EXPECT_THAT(error_of(true), HasSubstr("found true, want"));
  EXPECT_THAT(error_of(1.5), HasSubstr("found 1.5, want"));
  EXPECT_THAT(error_of(std::string("\x1b[2J")),
              HasSubstr("found \"\\033[2J\""));
  EXPECT_THAT(error_of(std::string(100, 'x')), HasSubstr("xx...\", want"));
  const TransportOptions options = Options({{"fast", std::string("yes")}});
  OptionReader reader(options);
  reader.Bool("fast", false);
  EXPECT_THAT(std::string(reader.Finish().message()),
              HasSubstr("found \"yes\", want a boolean"));
}

TEST(OptionReaderTest, UnknownKeyNamesTheNearestKnownOne) {
  const TransportOptions options = Options({{"thraeds", std::int64_t{4}}});
  OptionReader reader(options);
  reader.Int("threads", 1, 1, 16);
  EXPECT_THAT(std::string(reader.Finish().message()),
              HasSubstr("did you mean \"threads\"?"));
}

}  // namespace
}  // namespace cluster::internal
