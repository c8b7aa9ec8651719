#include "tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t json_counts(const struct counts *counts, char *out, size_t room) {
    return (size_t)snprintf(out, room, "{\"bytes\": %zu, \"lines\": %zu, \"words\": %zu, \"longest\": %zu, \"crc32\": \"%08x\"}",
                            counts->bytes, counts->lines, counts->words, counts->longest, counts->checksum);
}

/* From here on nothing is called. */

size_t json_string(const char *text, char *out, size_t room) {
    size_t used = 0;
    if (room < 3)
        return 0;
    out[used++] = '"';
    for (; *text && used + 8 < room; text++) {
        unsigned char letter = (unsigned char)*text;
        if (letter == '"' || letter == '\\') {
            out[used++] = '\\';
            out[used++] = (char)letter;
        } else if (letter < 0x20) {
            used += (size_t)sprintf(out + used, "\\u%04x", letter);
        } else {
            out[used++] = (char)letter;
        }
    }
    out[used++] = '"';
    out[used] = 0;
    return used;
}

int json_number(const char *text, double *out) {
    char *end;
    *out = strtod(text, &end);
    return end != text && (*end == 0 || strchr(",]} \n\t", *end) != NULL);
}

int json_skip(const char **at) {
    int depth = 0, quoted = 0;
    for (; **at; (*at)++) {
        if (quoted) {
            if (**at == '\\' && (*at)[1])
                (*at)++;
            else if (**at == '"')
                quoted = 0;
        } else if (**at == '"') {
            quoted = 1;
        } else if (strchr("{[", **at)) {
            depth++;
        } else if (strchr("}]", **at) && --depth == 0) {
            (*at)++;
            return 1;
        }
    }
    return 0;
}
