#include "tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char sample[] =
    "It was the proa that came first: one hull, one outrigger, one sail that is carried from end to end.\n"
    "She points higher than anything else afloat, and when the wind turns she does not: she goes the other way.\n";

static int bench(long rounds) {
    struct counts all = {0};
    for (long i = 0; i < rounds; i++) {
        struct counts one = text_count(sample, sizeof sample - 1);
        all.words += one.words;
        all.checksum ^= one.checksum + (uint32_t)i;
    }
    printf("%zu words, %08x\n", all.words, all.checksum);
    return 0;
}

static int count_file(const char *name) {
    FILE *file = fopen(name, "rb");
    if (!file) {
        perror(name);
        return 1;
    }
    static char text[1 << 20];
    size_t size = fread(text, 1, sizeof text, file);
    fclose(file);
    struct counts counts = text_count(text, size);
    char out[256];
    json_counts(&counts, out, sizeof out);
    puts(out);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "--bench"))
        return bench(atol(argv[2]));
    if (argc == 3 && !strcmp(argv[1], "--count"))
        return count_file(argv[2]);
    if (argc == 2 && !strcmp(argv[1], "--version")) {
        puts("tally 1.0");
        return 0;
    }
    const char *port = getenv("PORT");
    return serve(port ? atoi(port) : 8080);
}
