#include "tally.h"

#include <string.h>

static int is_space(int letter) { return letter == ' ' || (letter >= '\t' && letter <= '\r'); }

struct counts text_count(const char *text, size_t size) {
    struct counts counts = {.bytes = size};
    size_t length = 0;
    for (size_t i = 0; i < size; i++) {
        counts.lines += text[i] == '\n';
        if (!is_space((unsigned char)text[i])) {
            length++;
            continue;
        }
        counts.words += length > 0;
        if (length > counts.longest)
            counts.longest = length;
        length = 0;
    }
    counts.words += length > 0;
    if (length > counts.longest)
        counts.longest = length;
    counts.checksum = digest_crc32(text, size);
    return counts;
}

size_t text_trim(char *text) {
    size_t size = strlen(text);
    while (size && is_space((unsigned char)text[size - 1]))
        text[--size] = 0;
    return size;
}

/* The same code as table_is_upper: what identical code folding finds. */
int text_is_upper(int letter) { return letter >= 'A' && letter <= 'Z'; }

/* From here on nothing is called. */

size_t text_reverse(char *text) {
    size_t size = strlen(text);
    for (size_t i = 0; i < size / 2; i++) {
        char held = text[i];
        text[i] = text[size - 1 - i];
        text[size - 1 - i] = held;
    }
    return size;
}

size_t text_replace(const char *text, const char *old, const char *new, char *out, size_t room) {
    size_t used = 0, length = strlen(old), more = strlen(new);
    while (*text && used + more + 1 < room) {
        if (length && !strncmp(text, old, length)) {
            memcpy(out + used, new, more);
            used += more;
            text += length;
        } else {
            out[used++] = *text++;
        }
    }
    out[used] = 0;
    return used;
}

double text_entropy(const char *text, size_t size) {
    size_t seen[256] = {0};
    double sum = 0;
    for (size_t i = 0; i < size; i++)
        seen[(unsigned char)text[i]]++;
    for (int i = 0; i < 256; i++)
        if (seen[i]) {
            /* Two steps of a series in place of log2, so that nothing needs libm. */
            double share = (double)seen[i] / (double)size, x = 1 - share;
            sum += share * (x + x * x / 2 + x * x * x / 3);
        }
    return sum;
}
