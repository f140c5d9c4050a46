// Computes the n-th Fibonacci number the slow way, as `fibonacci-recursive` does in Rust: the same
// calls, so that the joules of two languages can be compared.

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace {

// The largest n: 866,988,873 calls, some seconds of work.
constexpr std::uint32_t n_max = 42;

// The longest input in bytes, as in the other functions.
constexpr std::size_t input_bytes_max = 1 << 20;

// An optimiser that may remove tail calls turns one of the two recursions into a loop.
[[gnu::noinline, clang::disable_tail_calls]] std::uint32_t fibonacci(std::uint32_t n) {
    if (n < 2) return n;
    return fibonacci(n - 1) + fibonacci(n - 2);
}

// The whole input, or nothing where it cannot be read or is too long.
std::optional<std::string> read_input() {
    std::string input;
    char buffer[1024];
    while (std::size_t count = std::fread(buffer, 1, sizeof buffer, stdin)) {
        input.append(buffer, count);
        if (input.size() > input_bytes_max) return std::nullopt;
    }
    if (std::ferror(stdin)) return std::nullopt;
    return input;
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view space = " \t\n\v\f\r";
    text.remove_prefix(std::min(text.find_first_not_of(space), text.size()));
    return text.substr(0, text.find_last_not_of(space) + 1);
}

std::optional<std::uint32_t> parse_n(std::string_view text) {
    text = trimmed(text);
    if (text.starts_with('+')) text.remove_prefix(1);
    std::uint32_t n = 0;
    const auto [end, error] = std::from_chars(text.begin(), text.end(), n);
    if (error != std::errc{} || end != text.end() || n > n_max) return std::nullopt;
    return n;
}

}  // namespace

int main() {
    const auto input = read_input();
    const auto n = input ? parse_n(*input) : std::nullopt;
    if (!n) {
        std::fprintf(stderr, "error: expected a whole number from 0 to %u\n", n_max);
        return EXIT_FAILURE;
    }
    // The flush is explicit because the one at exit would drop its error.
    const std::string reply = std::to_string(fibonacci(*n)) + '\n';
    if (std::fputs(reply.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
        std::fputs("error: cannot write the reply\n", stderr);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
