#include "base/markup.h"

static const char *meaning(unsigned char c, bool attribute)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;"; /* also so that no "]]>" stands in XML */
    case '"': return "&quot;";
    case '\'': return "&#39;";
    case '\n': return attribute ? "&#10;" : NULL;
    case '\t': return attribute ? "&#9;" : NULL;
    case '\r': return "&#13;";
    default: return NULL;
    }
}

static void escape(struct str *out, struct slice s, bool attribute)
{
    size_t plain = 0, i = 0; /* [plain, i) needs no escape and is not written yet */
    while (i < s.len) {
        unsigned char c = (unsigned char)s.ptr[i];
        const char *name = meaning(c, attribute);
        size_t n = name ? 0 : slice_utf8(slice_sub(s, i, s.len));
        bool forbidden = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f || (n == 3 && c == 0xef && (memcmp(s.ptr + i, "\xef\xbf\xbe", 3) == 0 || memcmp(s.ptr + i, "\xef\xbf\xbf", 3) == 0));
        if (n && !forbidden) {
            i += n;
            continue;
        }
        str_add(out, s.ptr + plain, i - plain);
        str_addz(out, name ? name : "\xef\xbf\xbd");
        plain = i += n ? n : 1;
    }
    str_add(out, s.ptr + plain, s.len - plain);
}

void markup_text(struct str *out, struct slice s) { escape(out, s, false); }
void markup_attribute(struct str *out, struct slice s) { escape(out, s, true); }
