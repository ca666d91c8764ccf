/* The documentation, as it is inside the program: pages of Markdown (web/docs/NAME.md), with what is made from the tables in the code in
 * the places that ask for it. A place is a line of its own, <!-- generated: NAME -->. */
#ifndef DOCS_DOCS_H
#define DOCS_DOCS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct docs_page {
    const char *name;   /* of the file, without .md */
    const char *group;  /* under which heading it is listed */
};
extern const struct docs_page docs_pages[]; /* in the order in which they are read; ends with a NULL name */

/* Writes Markdown: whole lines, the last of them ended. */
struct docs_part {
    const char *name;
    void (*write)(struct str *out);
};
/* Ends with a NULL name. Its rows are in cli/docs_parts.c: only the top of the program knows every table. */
extern const struct docs_part docs_parts[];

/* A page with its places filled; made when first asked for, and the same as long as the program runs. Any thread. ERR_NOT_FOUND. */
bool docs_text(struct slice name, struct slice *text, struct err *e);
/* The words of a page's first line, and its first paragraph, lines joined. */
struct slice docs_title(struct slice text);
struct slice docs_summary(struct slice text, struct arena *a);

/* A line that has all the words. */
struct docs_hit {
    struct slice heading; /* the nearest one above it, or itself */
    struct slice line;
};
enum { DOCS_HITS = 5 };
/* The lines of a page in which all words (separated by white space) stand, whatever their case, those of headings first; DOCS_HITS at
 * most. `*n` is how many lines there are of them in all. */
void docs_find(struct slice text, struct slice words, struct docs_hit hits[DOCS_HITS], size_t *n);

/* Plain text as Markdown shows it: on one line, nothing in it a mark. */
void docs_plain(struct str *out, struct slice text);

#endif
