/* The Model Context Protocol on stdin and stdout: a message a line. */
#include "cli/cli.h"
#include "http/mcp.h"
#include "llm/address.h"

#include <stdio.h>
#include <unistd.h>

struct session {
    struct server server;
    struct store *store;
    struct slice page;
    struct who who; /* whoever started it may do everything, as on any command line */
    bool writes;
};

static bool say(const struct str *answer)
{
    return fwrite(answer->ptr, 1, answer->len, stdout) == answer->len && putchar('\n') != EOF && fflush(stdout) == 0;
}

/* One line; false: nobody reads the answers any more. */
static bool take(struct session *session, struct slice line)
{
    struct request r = {.server = &session->server, .store = session->store, .who = session->who, .upload = {.fd = -1}};
    struct str answer = STR_INIT(ANSWER_MAX);
    bool refused, ok = true;
    if (slice_trim(line).len && mcp_answer(&r, line, session->page, session->writes, &answer, &refused))
        ok = say(&answer);
    str_free(&answer);
    arena_free(&r.arena);
    return ok;
}

/* Takes the lines that are whole off the front. A line that is too long is answered once, and the rest of it is left out. */
static bool take_lines(struct session *session, struct str *input, bool *too_long)
{
    size_t done = 0;
    const char *end;
    while (input->len > done && (end = memchr(input->ptr + done, '\n', input->len - done))) {
        struct slice line = slice_of(input->ptr + done, (size_t)(end - input->ptr) - done);
        done += line.len + 1;
        if (!*too_long && !take(session, line))
            return false;
        *too_long = false;
    }
    memmove(input->ptr, input->ptr + done, input->len - done);
    input->len -= done;
    if (input->len <= MCP_MESSAGE_MAX)
        return true;
    bool first = !*too_long;
    *too_long = true;
    struct slice head = str_slice(input);
    bool ok = !first || take(session, head);
    input->len = 0;
    return ok;
}

static bool serve(struct session *session, struct err *e)
{
    enum { PIECE = 64 << 10 };
    struct str input = STR_INIT(2 * MCP_MESSAGE_MAX);
    bool too_long = false, ok = true;
    while (ok) {
        ssize_t n = read(STDIN_FILENO, str_reserve(&input, PIECE), PIECE);
        if (n <= 0) {
            if (n < 0 && !atomic_load(&cli_stop))
                ok = err_errno(e, "cannot read stdin");
            break;
        }
        input.len += (size_t)n;
        if (!take_lines(session, &input, &too_long))
            break;
    }
    if (ok && input.len && !too_long)
        take(session, str_slice(&input));
    str_free(&input);
    return ok;
}

int cmd_mcp(struct cli *cli)
{
    struct err e = {0};
    const struct rulebook_options rules = cli_rulebook_options(cli);
    const char *page = cli_option(cli, "page");
    struct problems problems = {0};
    struct session session = {.server = {.db = cli->db}, .page = slice_str(page ? page : "http://127.0.0.1:8787"),
                              .who = {.name = cli->actor.name, .scopes = MAY_ALL}, .writes = !cli_flag(cli, "read-only")};
    struct address where;
    if (!address_parse(session.page, &cli->arena, &where, &e)) {
        err_prefix(&e, "--page");
        return cli_fail(&e);
    }
    session.page = where.base;
    bool ok = cli_open(cli, session.writes ? STORE_WRITE : STORE_READ, &session.store, &e) &&
              rulebook_load(&rules, &cli->arena, &problems, &session.server.rules, &e);
    ok = ok && serve(&session, &e);
    rulebook_free(session.server.rules);
    store_close(session.store);
    return ok ? 0 : cli_fail(&e);
}
