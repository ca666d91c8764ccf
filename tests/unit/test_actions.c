/* Calls as a row of names: what a shell's command runs, which tools say what they do, which lines speak of errors; and what is kept of it. */
#include "store_fixture.h"

#include "text/shell.h"
#include "transcript/actions.h"

static void programs_of_commands(void **state)
{
    static const struct {
        const char *command, *programs;
    } cases[] = {
        {"ls -la", "ls"},
        {"cd src && grep -rn foo . | sort -u | head -3", "cd grep sort head"},
        {"sudo -u bob env A=1 timeout -k 5 30 /usr/bin/python3 x.py; echo done", "python3 echo"},
        {"A=1 B=\"x y\" make -j2 2>&1 >log", "make"},
        {"./solve.sh; /home/u/run && /usr/local/sbin/nginx", "./ nginx"},
        {"cat <<'EOF' > a.py\nimport os; rm -rf x\nEOF\npython3 a.py", "cat python3"},
        {"cat <<-END | wc\n\tgrep\n\tEND\nls", "cat wc ls"},
        {"bash -lc 'grep a b | wc'", "grep wc"},
        {"sh script.sh", "sh"},
        {"echo \"rm x | sudo y\" # then ls\npwd", "echo pwd"},
        {"for f in a b; do gzip $f; done", "gzip"},
        {"if [ -f x ]; then rm x; else touch x; fi", "[ rm touch"},
        {"[[ -f x && -d y ]] && ls", "ls"},
        {"x=$(curl http://h | jq .a); echo `date`", "echo"},
        {"echo a; echo b; echo c; ls", "echo ls"},
        {"nohup time nice -n 5 stdbuf -oL tcpdump &> log &", "tcpdump"},
        {"diff <(sort a) <(sort b)", "diff"},
        {"\"/bin/my prog\" x; $CMD y; (ls; pwd)", "ls pwd"},
        {"while true; do nc -l 1; done < in", "true nc"},
        {"", ""},
        {"'unclosed", "unclosed"},
        {"cat <<EOF\nnever ends", "cat"},
        {"sudo", "sudo"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a = {0};
        struct slice out[16];
        struct str all = STR_INIT(1000);
        size_t n = shell_programs(&a, slice_str(cases[i].command), out, 16);
        for (size_t k = 0; k < n; k++)
            str_printf(&all, "%s%.*s", k ? " " : "", SLICE_ARG(out[k]));
        assert_string_equal(all.ptr ? all.ptr : "", cases[i].programs);
        str_free(&all);
        arena_free(&a);
    }
}

static void programs_are_bounded(void **state)
{
    (void)state;
    struct arena a = {0};
    struct slice out[3];
    assert_int_equal(shell_programs(&a, S("a;b;c;d;e"), out, 3), 3);
    struct str deep = STR_INIT(1 << 20); /* each level quotes the next: it ends */
    for (int i = 0; i < 50000; i++)
        str_addz(&deep, "$( ( `");
    shell_programs(&a, str_slice(&deep), out, 3);
    str_free(&deep);
    assert_int_equal(shell_programs(&a, slice_of("a\0b;ls", 6), out, 3), 1);
    arena_free(&a);
}

static void actions_of_tools(void **state)
{
    static const struct {
        const char *tool, *arguments, *actions;
    } cases[] = {
        {"bash", "{\"cmd\": \"ls | wc\"}", "bash: ls,bash: wc"},
        {"executeBash", "{\"command\": \"grep x\"}", "executeBash: grep"},
        {"shell", "{\"command\": [\"bash\", \"-lc\", \"make test\"]}", "shell: make"},
        {"shell", "{\"command\": [\"git\", \"status\"]}", "shell: git"},
        {"str_replace_editor", "{\"command\": \"view\", \"path\": \"/a\"}", "str_replace_editor: view"},
        {"computer", "{\"action\": \"left_click\", \"x\": 1}", "computer: left_click"},
        {"browser", "{\"action\": \"go to the page\"}", "browser"},
        {"python", "{\"code\": \"import os\"}", "python"},
        {"search", "{\"query\": \"a b\"}", "search"},
        {"flashlight", "{\"command\": \"on\"}", "flashlight: on"},
        {"bash", "{}", "bash"},
        {"", "{}", "?"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a = {0}, scratch = {0};
        struct actions out = {0};
        struct str all = STR_INIT(1000);
        const struct tool_call call = {.name = slice_str(cases[i].tool), .arguments = slice_str(cases[i].arguments)};
        actions_of_call(&a, &scratch, &call, 7, &out);
        for (size_t k = 0; k < out.n; k++) {
            assert_int_equal(out.items[k].call, 7);
            str_printf(&all, "%s%.*s", k ? "," : "", SLICE_ARG(out.items[k].name));
        }
        assert_string_equal(all.ptr, cases[i].actions);
        str_free(&all);
        arena_free(&scratch);
        arena_free(&a);
    }
    struct arena a = {0}, scratch = {0};
    struct actions out = {0};
    actions_of_call(&a, &scratch, &(struct tool_call){.name = S("bash"), .arguments = S("ls -l"), .parse_error = S("no JSON")}, 0, &out);
    assert_true(slice_is(out.items[0].name, "bash: ls"));
    arena_free(&scratch);
    arena_free(&a);
}

static void error_lines_are_alike(void **state)
{
    (void)state;
    assert_true(error_line_hash(S("E: /tmp/x12/a.c:33 cannot open, 0xdeadbeef at 12:30:01")) ==
                error_line_hash(S("  E: /var/y/b.c:4 Cannot  open, 0x00c0ffee at 09:01:59 ")));
    assert_true(error_line_hash(S("Could not find [a] here")) == error_line_hash(S("Could not find [b c] here")));
    assert_true(error_line_hash(S("it's a disk")) != error_line_hash(S("it's a lock")));
    assert_true(error_line_hash(S("disk is gone")) != error_line_hash(S("lock is gone")));
    assert_true(error_line_hash(S("")) != 0);
}

static struct message said(enum role role, const char *text)
{
    struct message m;
    message_init(&m);
    m.role = role;
    m.text = slice_str(text);
    return m;
}

static void digest_of_a_run(void **state)
{
    (void)state;
    struct arena a = {0};
    struct tool_call call = {.name = S("bash"), .arguments = S("{\"cmd\": \"cat a | wc\"}")};
    struct message list[] = {
        said(ROLE_USER, "error: not a result"),          said(ROLE_ASSISTANT, ""),
        said(ROLE_TOOL, "fine\nerror: disk 1 is gone\n"), said(ROLE_TOOL, "ValueError: of its own"),
        said(ROLE_TOOL, "error: disk 2 is gone"),         said(ROLE_TOOL, "ok"),
        said(ROLE_TOOL, "ok"),                            said(ROLE_TOOL, "a\nConnection refused\nb"),
    };
    list[1].calls = &call;
    list[1].ncalls = 1;
    struct transcript t = {.messages = list, .nmessages = sizeof list / sizeof *list};
    struct score score = {.name = S("s"), .answer = S(" 42 ")};
    struct run run;
    struct run_digest d, other;
    run_init(&run);
    run.transcripts = &t;
    run.ntranscripts = 1;
    run.scores = &score;
    run.nscores = 1;
    run.error = S("the sandbox was killed");
    run_digest_make(&a, &run, &d);
    assert_int_equal(d.actions.n, 2);
    assert_int_equal(d.results, 6);
    assert_int_equal(d.failed, 3);
    assert_int_equal(d.nerrors, 3);
    assert_int_equal(d.errors[0].message, 4); /* the later one of two alike */
    assert_false(d.errors[0].late);
    assert_int_equal(d.errors[1].message, 7);
    assert_true(d.errors[1].late);
    assert_int_equal(d.errors[1].start, 2);
    assert_int_equal(d.errors[1].len, strlen("Connection refused"));
    assert_true(d.errors[2].message == UINT32_MAX && d.errors[2].late);
    score.answer = S("42");
    run_digest_make(&a, &run, &other);
    assert_true(d.answer && d.answer == other.answer);
    arena_free(&a);
}

static struct slice put_calls(struct fixture *f, const char *command)
{
    struct tool_call calls[] = {{.name = S("bash"), .arguments = arena_printf(&f->a, "{\"cmd\": \"%s\"}", command)}, {.name = S("submit"), .arguments = S("{}")}};
    struct message list[] = {said(ROLE_USER, "go"), said(ROLE_ASSISTANT, "")};
    list[1].calls = calls;
    list[1].ncalls = 2;
    struct transcript t[] = {{.messages = list, .nmessages = 1}, {.messages = list, .nmessages = 2}};
    struct run run;
    uint64_t counts[PUT_OUTCOMES] = {0};
    run_init(&run);
    run.transcripts = t;
    run.ntranscripts = 2;
    run.external_id = slice_str(command);
    struct put *put = store_put_new(f->store, &(struct put_target){.collection = f->collection});
    struct put_name name = {.path = S("p")};
    run_content_hash(&run, name.content_hash);
    OK(store_put_add(put, &name, &run, NULL, NULL, 0, &e));
    OK(store_put_commit(put, counts, &f->a, NULL, &e));
    store_put_free(put);
    struct run_names names;
    OK(store_run_names(f->store, f->collection, slice_str(command), &f->a, &names, &e));
    assert_int_equal(names.n, 1);
    return names.items[0].id;
}

static void actions_are_kept(void **state)
{
    struct fixture *f = *state;
    struct run_action *actions;
    size_t n;
    put_calls(f, "ls | wc");
    struct slice id = put_calls(f, "wc x; ls");
    OK(store_run_actions(f->store, id, &f->a, &actions, &n, &e));
    static const char *const wanted[] = {"bash: wc", "bash: ls", "submit"};
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        assert_true(slice_is(actions[i].name, wanted[i]));
        assert_int_equal(actions[i].transcript, 1);
        assert_int_equal(actions[i].message, 1);
        assert_int_equal(actions[i].call, i / 2);
    }
    FAILS(ERR_NOT_FOUND, store_run_actions(f->store, S("nobody"), &f->a, &actions, &n, &e));
    OK(store_collection_delete(f->store, f->collection, &e)); /* and nothing of it is left to stop that */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_of_commands),
        cmocka_unit_test(programs_are_bounded),
        cmocka_unit_test(actions_of_tools),
        cmocka_unit_test(error_lines_are_alike),
        cmocka_unit_test(digest_of_a_run),
        cmocka_unit_test_setup_teardown(actions_are_kept, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
