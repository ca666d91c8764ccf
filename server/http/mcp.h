/* The Model Context Protocol: what an agent may ask, as tools. Each tool is a call of the REST API under another name: its arguments are
 * those of the route, its answer is the route's, cut to a size and with links to the page. Read of the SDK (1.32.2): revisions 2025-03-26 to
 * 2025-11-25, without a session, each message answered by itself. */
#ifndef HTTP_MCP_H
#define HTTP_MCP_H

#include "base/jsonw.h"
#include "http/route.h"
#include "text/jread.h"

enum { MCP_MESSAGE_MAX = 1 << 20 }; /* bytes of a message */

/* The answer to one message, or to a batch of them. `r` is on whose behalf: its server, store, arena and header. `page` is where people
 * open the page ("http://127.0.0.1:8787"). `writes`: tools that change something are there. False: there is nothing to answer (a
 * notification); *refused says that the bytes are no message at all, and the answer why. */
bool mcp_answer(struct request *r, struct slice message, struct slice page, bool writes, struct str *out, bool *refused);

/* ---- tools (mcp_tools.c) ---------------------------------------------------------------------------------------------- */

/* What the items of an answer are, which says where the page shows them. */
enum mcp_link { LINK_NONE, LINK_COLLECTION, LINK_RUN, LINK_FINDING, LINK_TASK, LINK_MESSAGE, LINK_HIT, LINK_LABEL };

struct mcp_tool {
    const char *name, *title, *about;
    const char *method, *path;       /* of its route */
    const char *places[2];           /* what the {…} of the path are called here */
    const char *arguments;           /* those of the route's parameters that an agent is told of, between blanks */
    const struct param *fields;      /* instead: of a body that the route reads by itself */
    int64_t rows, most;              /* the default and the largest `limit`; 0: it has none */
    enum mcp_link link;
    const char *without;             /* members of the answer that tell an agent nothing, between blanks */
};
/* NULL: there is none of that name. */
const struct mcp_tool *mcp_tool_find(struct slice name);
/* Does it change anything? */
bool mcp_tool_writes(const struct mcp_tool *tool);
enum lane mcp_tool_lane(const struct mcp_tool *tool);
/* The list that tools/list answers with: an array. */
void mcp_tools_write(struct jsonw *j, const struct request *r, bool writes);
/* Calls it: the members of a CallToolResult. What goes wrong is told in them (isError). */
void mcp_tool_call(const struct mcp_tool *tool, struct request *r, const struct jvalue *arguments, struct slice page, struct jsonw *j);

/* ---- answers for agents (mcp_view.c) ---------------------------------------------------------------------------------- */

enum { MCP_LINKS = 10 };
struct mcp_view {
    const struct mcp_tool *tool;
    struct slice page;
    struct slice places[2];          /* what the call was of */
    int64_t transcript;
    size_t max;                      /* bytes that the answer should keep to */
    struct arena *arena;
    struct { struct slice url, name; } links[MCP_LINKS]; /* out: the first things of the answer */
    size_t nlinks;
};
/* Writes an answer with an "url" for what the page can show; texts, lists and objects that are too long for `max` are cut, and say so. */
void mcp_view_write(struct mcp_view *view, const struct jvalue *answer, struct str *out);

#endif
