#ifdef __cplusplus
extern "C" {
#endif
int count_words(const char *text);
const char *caught(void);
#ifdef __cplusplus
}
#endif
