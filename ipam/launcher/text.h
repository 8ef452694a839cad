/* Texts: variables, numbers, and what stands in a JSON string. */
#include <stddef.h>
#include <stdint.h>

/* Copy `text` to `to`. Returns where it ends there. */
static char *append(char *to, const char *text)
{
    while ((*to = *text++))
        to++;
    return to;
}

/* What follows `beginning` in `text`, or NULL. */
static const char *after(const char *beginning, const char *text)
{
    while (*beginning)
        if (*beginning++ != *text++)
            return NULL;
    return text;
}

/* Whether `text`, which may be NULL, is `word`. */
static int is(const char *word, const char *text)
{
    const char *rest = text ? after(word, text) : NULL;
    return rest && !*rest;
}

/* Append to `to` as part of a JSON string, as Go's encoder does. What is not ASCII may be no UTF-8: each byte of it
 * is escaped. Returns where it ends. */
static char *append_escaped(char *to, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < ' ' || c > '~' || c == '<' || c == '>' || c == '&') {
            to = append(to, "\\u00");
            *to++ = "0123456789abcdef"[c >> 4];
            *to++ = "0123456789abcdef"[c & 15];
        } else {
            if (c == '"' || c == '\\')
                *to++ = '\\';
            *to++ = (char)c;
        }
    }
    return to;
}

static size_t number_at(const uint8_t *at)
{
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}
