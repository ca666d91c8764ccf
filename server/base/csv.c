#include "base/csv.h"

#include <string.h>

static bool is_number(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!memchr("+-.0123456789eE", s.ptr[i], 15))
            return false;
    return s.len > 1;
}

void csv_cell(struct str *out, struct slice s)
{
    bool formula = s.len && memchr("=+-@\t\r", s.ptr[0], 6) && !is_number(s), quote = formula;
    for (size_t i = 0; i < s.len && !quote; i++)
        quote = memchr("\",\r\n", s.ptr[i], 4) != NULL;
    if (!quote) {
        str_add_slice(out, s);
        return;
    }
    str_addc(out, '"');
    if (formula)
        str_addc(out, '\'');
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '"')
            str_addc(out, '"');
        str_addc(out, s.ptr[i]);
    }
    str_addc(out, '"');
}
