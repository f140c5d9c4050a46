/* Greets the world, or whoever the environment variable `name` names. */

#include <stdio.h>
#include <stdlib.h>

int main(void) {
    const char *name = getenv("name");
    if (name == NULL || *name == '\0') name = "World";
    /* The flush is explicit because the one at exit would drop its error. */
    if (printf("Hello, %s!\n", name) < 0 || fflush(stdout) != 0) {
        fputs("error: cannot write the greeting\n", stderr);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
