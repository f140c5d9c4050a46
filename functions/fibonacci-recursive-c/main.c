/* Computes the n-th Fibonacci number the slow way, as `fibonacci-recursive` does in Rust: the same
   calls, so that the joules of two languages can be compared. */

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The largest n: 866,988,873 calls, some seconds of work. */
enum { N_MAX = 42 };

/* An optimiser that may remove tail calls turns one of the two recursions into a loop. */
__attribute__((noinline, disable_tail_calls)) static uint32_t fibonacci(uint32_t n) {
    if (n < 2) return n;
    return fibonacci(n - 1) + fibonacci(n - 2);
}

static bool is_space(int c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(int c) {
    return c >= '0' && c <= '9';
}

/* Reads the whole input as a number from 0 to N_MAX, with nothing but white space around it. */
static bool read_n(uint32_t *n) {
    int c = getchar();
    while (is_space(c)) c = getchar();
    if (c == '+') c = getchar();
    if (!is_digit(c)) return false;
    for (*n = 0; is_digit(c); c = getchar()) {
        *n = *n * 10 + (uint32_t)(c - '0');
        if (*n > N_MAX) return false;
    }
    while (is_space(c)) c = getchar();
    return c == EOF && !ferror(stdin);
}

int main(void) {
    uint32_t n;
    if (!read_n(&n)) {
        fprintf(stderr, "error: expected a whole number from 0 to %d\n", N_MAX);
        return EXIT_FAILURE;
    }
    /* The flush is explicit because the one at exit would drop its error. */
    if (printf("%" PRIu32 "\n", fibonacci(n)) < 0 || fflush(stdout) != 0) {
        fputs("error: cannot write the reply\n", stderr);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
