#include "tools/common/command_line.h"

#include <CLI/CLI.hpp>
#include <utility>

namespace famfs {

Argument* Argument::required() {
  option_->required();
  return this;
}

Argument* Argument::type_name(const std::string& name) {
  option_->type_name(name);
  return this;
}

Argument* Argument::group(const std::string& name) {
  option_->group(name);
  return this;
}

Argument* Argument::capture_default_str() {
  option_->capture_default_str();
  return this;
}

Argument* Argument::expected(int least, int most) {
  option_->expected(least, most);
  return this;
}

Argument* Argument::within(std::uint64_t least, std::uint64_t most) {
  option_->check(CLI::Range(least, most));
  return this;
}

Argument* Argument::needs(const std::string& name) {
  option_->needs(name);
  return this;
}

Argument* Argument::one_of(const std::vector<std::string>& words) {
  option_->check(CLI::IsMember(words));
  return this;
}

Command* Command::add_subcommand(const std::string& name,
                                 const std::string& help) {
  return &subcommands_.emplace_back(app_->add_subcommand(name, help));
}

void Command::footer(const std::string& text) { app_->footer(text); }

void Command::callback(std::function<void()> run) {
  app_->callback(std::move(run));
}

template <typename T>
Argument* Command::add_option(const std::string& name, T& value,
                              const std::string& help) {
  return Keep(app_->add_option(name, value, help));
}

template Argument* Command::add_option(const std::string&, std::string&,
                                       const std::string&);
template Argument* Command::add_option(const std::string&,
                                       std::optional<std::string>&,
                                       const std::string&);
template Argument* Command::add_option(const std::string&,
                                       std::vector<std::string>&,
                                       const std::string&);
template Argument* Command::add_option(const std::string&, std::uint32_t&,
                                       const std::string&);
template Argument* Command::add_option(const std::string&,
                                       std::optional<std::uint32_t>&,
                                       const std::string&);
template Argument* Command::add_option(const std::string&, std::uint64_t&,
                                       const std::string&);
template Argument* Command::add_option(const std::string&,
                                       std::optional<std::uint64_t>&,
                                       const std::string&);

Argument* Command::add_option_function(
    const std::string& name,
    std::function<absl::Status(const std::string&)> parse,
    const std::string& help) {
  return Keep(app_->add_option_function<std::string>(
      name,
      [name, parse = std::move(parse)](const std::string& text) {
        const absl::Status status = parse(text);
        if (!status.ok()) {
          throw CLI::ValidationError(name, std::string(Message(status)));
        }
      },
      help));
}

Argument* Command::add_repeated(const std::string& name,
                                std::vector<std::string>& values,
                                const std::string& help) {
  CLI::Option* const option =
      app_->add_option(name, values, help)
          ->expected(1)
          ->allow_extra_args(false)  // what follows is a path
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  return Keep(option);
}

Argument* Command::add_flag(const std::string& name, bool& value,
                            const std::string& help) {
  return Keep(app_->add_flag(name, value, help));
}

}  // namespace famfs
