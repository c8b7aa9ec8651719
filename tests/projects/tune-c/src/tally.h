#ifndef TALLY_H
#define TALLY_H

#include <stddef.h>
#include <stdint.h>

struct counts {
    size_t bytes, lines, words, longest;
    uint32_t checksum;
};

/* text.c */
struct counts text_count(const char *text, size_t size);
size_t text_trim(char *text);
int text_is_upper(int letter);
size_t text_reverse(char *text);
size_t text_replace(const char *text, const char *old, const char *new, char *out, size_t room);
double text_entropy(const char *text, size_t size);

/* digest.c */
uint32_t digest_crc32(const char *data, size_t size);
uint32_t digest_adler32(const char *data, size_t size);
void digest_sha1(const char *data, size_t size, uint8_t out[20]);

/* json.c */
size_t json_counts(const struct counts *counts, char *out, size_t room);
size_t json_string(const char *text, char *out, size_t room);
int json_number(const char *text, double *out);
int json_skip(const char **at);

/* tables.c */
extern const uint32_t table_crc32[256];
int table_is_upper(int letter);
char table_soundex(int letter);
const char *table_status(int status);
const char *table_type(const char *extension);

/* server.c */
int serve(int port);

#endif
