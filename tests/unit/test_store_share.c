/* The store shared: by threads that claim jobs, by processes that write, by one that is killed; and files that are not ours. */
#include "store_fixture.h"

#include "storage/care.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- jobs ------------------------------------------------------------------------------------------------------------ */

static struct job_row add_job(struct fixture *f, const char *kind, struct slice key, bool *existing)
{
    struct job_row out;
    OK(store_job_add(f->store, &(struct job_row){.kind = slice_str(kind), .collection = f->collection, .payload = S("{\"x\": 1}")}, key, &f->a, &out, existing, &e));
    return out;
}

static void a_job_lives_and_ends(void **state)
{
    struct fixture *f = *state;
    struct job_row job, out;
    bool existing, got, cancelled;
    job = add_job(f, "import", S("key"), &existing);
    assert_false(existing);
    assert_int_equal(job.state, JOB_QUEUED);
    assert_true(slice_is(job.payload, "{\"x\": 1}"));
    out = add_job(f, "import", S("key"), &existing);
    assert_true(existing);
    assert_true(slice_eq(out.id, job.id));
    add_job(f, "scan", S("key"), &existing);
    assert_false(existing);

    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &out, &got, &e));
    assert_true(got);
    assert_true(slice_eq(out.id, job.id)); /* the oldest */
    assert_int_equal(out.attempts, 1);
    assert_int_equal(out.state, JOB_RUNNING);
    assert_non_null(out.started_at.ptr);
    const struct job_row claimed = out;
    OK(store_job_progress(f->store, &claimed, S("{\"done\": 1}"), 60, &cancelled, &e));
    assert_false(cancelled);
    OK(store_job_cancel(f->store, job.id, &e));
    OK(store_job_progress(f->store, &claimed, SLICE_NONE, 60, &cancelled, &e));
    assert_true(cancelled);
    OK(store_job_finish(f->store, &claimed, JOB_DONE, S("{}"), SLICE_NONE, &e));
    FAILS(ERR_CONFLICT, store_job_finish(f->store, &claimed, JOB_DONE, S("{}"), SLICE_NONE, &e));
    FAILS(ERR_CONFLICT, store_job_cancel(f->store, job.id, &e));
    OK(store_job(f->store, job.id, &f->a, &out, &e));
    assert_int_equal(out.state, JOB_DONE);
    assert_true(slice_is(out.progress, "{\"done\": 1}"));
    assert_true(slice_is(out.result, "{}"));
    assert_non_null(out.ended_at.ptr);

    struct job_rows rows;
    OK(store_jobs(f->store, SLICE_NONE, &(struct page){.limit = 1}, &f->a, &rows, &e));
    assert_int_equal(rows.end.total, 2);
    assert_true(slice_is(rows.items[0].kind, "scan")); /* newest first */
    OK(store_job_cancel(f->store, rows.items[0].id, &e)); /* before anybody began it */
    OK(store_job(f->store, rows.items[0].id, &f->a, &out, &e));
    assert_int_equal(out.state, JOB_CANCELLED);
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &out, &got, &e));
    assert_false(got);
    FAILS(ERR_NOT_FOUND, store_job(f->store, S("none"), &f->a, &out, &e));
}

static void a_job_is_tried_three_times(void **state)
{
    struct fixture *f = *state;
    struct job_row out, job;
    bool got, existing;
    job = add_job(f, "import", SLICE_NONE, &existing);
    for (int attempt = 1; attempt <= 3; attempt++) {
        OK(store_job_claim(f->store, LANE_GENERAL, 0, &f->a, &out, &got, &e)); /* a lease that is over at once */
        assert_true(got);
        assert_int_equal(out.attempts, attempt);
        usleep(2000);
    }
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &out, &got, &e));
    assert_false(got);
    OK(store_job(f->store, job.id, &f->a, &out, &e));
    assert_int_equal(out.state, JOB_FAILED);
    assert_non_null(out.error.ptr);

    /* A lease that holds keeps others away. */
    job = add_job(f, "import", SLICE_NONE, &existing);
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &out, &got, &e));
    assert_true(got);
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &out, &got, &e));
    assert_false(got);
    /* Given back, the attempt does not count; left by a server that died, it does. */
    bool cancelled;
    OK(store_job_put_back(f->store, &out, 0, SLICE_NONE, &cancelled, &e));
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &out, &got, &e));
    assert_true(got);
    assert_int_equal(out.attempts, 1);
    uint64_t released;
    OK(store_jobs_release(f->store, &released, &e));
    assert_int_equal(released, 1);
    OK(store_jobs_release(f->store, &released, &e)); /* a server that is killed again before it began it */
    assert_int_equal(released, 1);
    OK(store_job(f->store, job.id, &f->a, &out, &e));
    assert_int_equal(out.state, JOB_QUEUED);
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &out, &got, &e));
    assert_true(got);
    assert_int_equal(out.attempts, 2);
}

/* What waits for room gives its place to others, says why, counts no attempt, and is not begun before its time. */
static void a_job_that_waits(void **state)
{
    struct fixture *f = *state;
    struct job_row job, other, out;
    bool got, existing, cancelled;
    add_job(f, "import", SLICE_NONE, &existing);
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &job, &got, &e));
    OK(store_job_put_back(f->store, &job, clock_now_us() + 60000000, S("the disk is full"), &cancelled, &e));
    assert_false(cancelled);
    OK(store_job(f->store, job.id, &f->a, &out, &e));
    assert_true(out.state == JOB_QUEUED && out.attempts == 0 && slice_is(out.error, "the disk is full"));
    other = add_job(f, "import", SLICE_NONE, &existing);
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &out, &got, &e));
    assert_true(got && slice_eq(out.id, other.id));
    OK(store_job_finish(f->store, &out, JOB_DONE, S("{}"), SLICE_NONE, &e));
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &out, &got, &e));
    assert_false(got);
    OK(db_script(f->store->db, "UPDATE job SET begin_at = 1", &e));
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &job, &got, &e));
    assert_true(got && job.attempts == 1 && !job.error.ptr);
    /* One that somebody wants to end does not wait: whoever has it ends it. */
    OK(store_job_cancel(f->store, job.id, &e));
    OK(store_job_put_back(f->store, &job, clock_now_us() + 60000000, S("the disk is full"), &cancelled, &e));
    assert_true(cancelled);
    OK(store_job_finish(f->store, &job, JOB_CANCELLED, SLICE_NONE, SLICE_NONE, &e));
    OK(store_job(f->store, job.id, &f->a, &out, &e));
    assert_int_equal(out.state, JOB_CANCELLED);
}

/* Whoever comes back when its lease is over finds the job in other hands, and changes nothing. */
static void a_job_that_was_taken_over(void **state)
{
    struct fixture *f = *state;
    struct job_row first, second, out;
    struct job_rows rows;
    bool got, existing, cancelled;
    add_job(f, "import", SLICE_NONE, &existing);
    OK(store_job_claim(f->store, LANE_GENERAL, 0, &f->a, &first, &got, &e));
    usleep(2000);
    OK(store_job(f->store, first.id, &f->a, &out, &e));
    assert_int_equal(out.state, JOB_QUEUED); /* nobody runs it, and it shows */
    OK(store_jobs(f->store, S("running"), &(struct page){0}, &f->a, &rows, &e));
    assert_int_equal(rows.n, 0);
    OK(store_jobs(f->store, S("queued"), &(struct page){0}, &f->a, &rows, &e));
    assert_int_equal(rows.n, 1);
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &second, &got, &e));
    assert_true(got && slice_eq(first.id, second.id) && first.claim != second.claim);
    OK(store_job_progress(f->store, &first, S("1"), 60, &cancelled, &e));
    assert_true(cancelled);
    FAILS(ERR_CONFLICT, store_job_finish(f->store, &first, JOB_DONE, S("{}"), SLICE_NONE, &e));
    FAILS(ERR_CONFLICT, store_job_put_back(f->store, &first, 0, SLICE_NONE, &cancelled, &e));
    OK(store_job_progress(f->store, &second, S("2"), 60, &cancelled, &e));
    assert_false(cancelled);
    OK(store_job_finish(f->store, &second, JOB_DONE, S("{}"), SLICE_NONE, &e));
    OK(store_job(f->store, first.id, &f->a, &out, &e));
    assert_true(out.state == JOB_DONE && slice_is(out.progress, "2"));
}

/* The clock of the day says nothing about a lease; one of before the machine was started again is nobody's; what waits is not put off by a clock
 * that was set back. */
static void clocks_jump(void **state)
{
    struct fixture *f = *state;
    struct job_row row;
    bool got, existing, cancelled;
    add_job(f, "import", SLICE_NONE, &existing);
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &row, &got, &e));
    OK(db_script(f->store->db, "UPDATE job SET lease_until = lease_until + 86400000000", &e)); /* the monotonic clock begins anew */
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &row, &got, &e));
    assert_true(got);
    OK(store_job_put_back(f->store, &row, 0, SLICE_NONE, &cancelled, &e));
    OK(db_script(f->store->db, "UPDATE job SET begin_at = 4000000000000000", &e)); /* the year 2096 */
    OK(store_job_claim(f->store, LANE_GENERAL, 60, &f->a, &row, &got, &e));
    assert_false(got);
    int64_t before = clock_now_us();
    OK(store_jobs_rewind(f->store, &e));
    struct err e = {0};
    struct stmt *q = db_prepare(f->store->db, "SELECT begin_at FROM job", &e);
    assert_int_equal(stmt_step(q, &e), STEP_ROW);
    assert_true(take_int(q) <= before + 61000000);
    stmt_reset(q);
}

enum { THREADS = 4, JOBS = 200 };

struct claimer {
    const struct fixture *fixture;
    atomic_int *taken;  /* by number of the job */
    atomic_int *finished;
};

static void *claim_jobs(void *ctx)
{
    struct claimer *c = ctx;
    struct store *store;
    struct arena a = {0};
    struct err e = {0};
    bool ok = store_open(c->fixture->path, STORE_WRITE, &store, &e);
    while (ok && atomic_load(c->finished) < JOBS) {
        struct job_row job;
        bool got;
        ok = store_job_claim(store, LANE_GENERAL, 60, &a, &job, &got, &e);
        if (!ok || !got)
            continue;
        atomic_fetch_add(&c->taken[atoi(job.payload.ptr)], 1);
        ok = store_job_finish(store, &job, JOB_DONE, SLICE_NONE, SLICE_NONE, &e);
        atomic_fetch_add(c->finished, 1);
    }
    if (!ok)
        fprintf(stderr, "%s\n", e.text);
    store_close(store);
    arena_free(&a);
    return ok ? c : NULL;
}

static void no_job_is_taken_twice(void **state)
{
    struct fixture *f = *state;
    atomic_int taken[JOBS] = {0}, finished = 0;
    pthread_t threads[THREADS];
    struct claimer claimer = {f, taken, &finished};
    bool existing;
    for (int i = 0; i < JOBS; i++) {
        struct job_row out;
        OK(store_job_add(f->store, &(struct job_row){.kind = S("k"), .payload = arena_printf(&f->a, "%d", i)}, SLICE_NONE, &f->a, &out, &existing, &e));
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, claim_jobs, &claimer), 0);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_non_null(result);
    }
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(taken[i], 1);
    assert_int_equal(number(f, "SELECT count(*) FROM job WHERE state = 2 AND attempts = 1"), JOBS);
}

/* ---- many writers ---------------------------------------------------------------------------------------------------- */

/* In a process or thread of its own: so many runs, a commit for each few. Exits or returns with what failed. */
static bool write_runs(const char *path, struct slice collection, const char *file, int n, struct err *e)
{
    struct fixture mine = {.collection = collection};
    struct put *put = NULL;
    uint64_t counts[PUT_OUTCOMES] = {0};
    bool ok = store_open(path, STORE_WRITE, &mine.store, e);
    if (ok)
        put = store_put_new(mine.store, &(struct put_target){.collection = collection, .replace = true});
    for (int i = 0; i < n && ok; i++) {
        struct findings found = {0};
        struct run *run = simple_run(&mine, arena_printf(&mine.a, "%d", i), arena_printf(&mine.a, "%s says %d, which is a text of more than sixty-four bytes.", file, i / 2));
        struct put_name name = name_of(run, file, 0);
        add_finding(&mine, &found, "a", KIND_DATA, SEVERITY_LOW, 1, 3, "What");
        ok = store_put_add(put, &name, run, &found, NULL, 0, e) && (i % 3 || store_put_commit(put, counts, &mine.a, NULL, e));
    }
    ok = ok && store_put_commit(put, counts, &mine.a, NULL, e);
    store_put_free(put);
    store_close(mine.store);
    arena_free(&mine.a);
    return ok;
}

static pid_t start_writer(struct fixture *f, const char *file, int n)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct err e = {0};
        bool ok = write_runs(f->path, f->collection, file, n, &e);
        if (!ok)
            fprintf(stderr, "%s\n", e.text);
        _exit(!ok);
    }
    assert_true(pid > 0);
    return pid;
}

static void check_whole(struct fixture *f)
{
    assert_int_equal(number(f, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
    struct run_rows rows = all_runs(f);
    for (size_t i = 0; i < rows.n; i++) {
        struct run run;
        OK(store_run_load(f->store, rows.items[i].run.id, &f->a, &run, &e));
        assert_int_equal(run.transcripts[0].nmessages, 3);
    }
    struct collection_row c;
    OK(store_collection(f->store, f->collection, &f->a, &c, &e));
    assert_int_equal(c.runs, rows.n);
    assert_int_equal(c.findings, number(f, "SELECT count(*) FROM finding"));
    assert_int_equal(c.runs, number(f, "SELECT sum(runs) FROM task"));
    assert_int_equal(number(f, "SELECT count(*) FROM block_run b WHERE NOT EXISTS (SELECT 1 FROM block WHERE id = b.block)"), 0);
}

static void two_processes_write_at_once(void **state)
{
    struct fixture *f = *state;
    pid_t first = start_writer(f, "/x/first", 120), second = start_writer(f, "/x/second", 120);
    int status;
    for (int left = 2; left;) { /* and readers read all the while */
        struct arena a = {0};
        struct collection_row c;
        OK(store_collection(f->store, f->collection, &a, &c, &e));
        arena_free(&a);
        pid_t done = waitpid(-1, &status, WNOHANG);
        assert_true(done >= 0);
        if (done) {
            assert_true(done == first || done == second);
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            left--;
        }
    }
    assert_int_equal(all_runs(f).n, 240);
    check_whole(f);
}

struct thread_writer {
    struct fixture *fixture;
    const char *file;
    bool ok;
};

static void *write_in_thread(void *ctx)
{
    struct thread_writer *w = ctx;
    struct err e = {0};
    w->ok = write_runs(w->fixture->path, w->fixture->collection, w->file, 60, &e);
    if (!w->ok)
        fprintf(stderr, "%s\n", e.text);
    return NULL;
}

static void threads_write_at_once(void **state)
{
    struct fixture *f = *state;
    static const char *const files[THREADS] = {"/x/a", "/x/b", "/x/c", "/x/d"};
    struct thread_writer writers[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        writers[i] = (struct thread_writer){.fixture = f, .file = files[i]};
        assert_int_equal(pthread_create(&threads[i], NULL, write_in_thread, &writers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(writers[i].ok);
    }
    assert_int_equal(all_runs(f).n, 240);
    check_whole(f);
}

static void what_a_killed_writer_left_is_whole(void **state)
{
    struct fixture *f = *state;
    unsigned seed = 7;
    for (int round = 0; round < 8; round++) {
        int64_t before = number(f, "SELECT count(*) FROM run");
        char name[16];
        snprintf(name, sizeof name, "/x/%d", round);
        pid_t writer = start_writer(f, name, 100000);
        while (number(f, "SELECT count(*) FROM run") == before) /* it is in the middle of its work */
            usleep(500);
        usleep((useconds_t)(rand_r(&seed) % 20000));
        kill(writer, SIGKILL);
        int status;
        assert_int_equal(waitpid(writer, &status, 0), writer);
        assert_true(WIFSIGNALED(status));
        struct collection_row c;
        OK(store_collection(f->store, f->collection, &f->a, &c, &e));
        assert_int_equal(c.runs, number(f, "SELECT count(*) FROM run"));
        assert_int_equal(number(f, "SELECT count(*) FROM message"), 3 * c.runs);
    }
    struct filter filter = {.collection = f->collection, .has_findings = -1};
    struct run_rows rows;
    OK(store_runs(f->store, &filter, &(struct page){.limit = 1000, .sort = S("-imported")}, &f->a, &rows, &e));
    assert_true(rows.n > 0);
    /* The next writer goes on where that one was cut off. */
    OK(write_runs(f->path, f->collection, "/x/after", 30, &e));
    for (size_t i = 0; i < rows.n; i++) {
        struct run run;
        OK(store_run_load(f->store, rows.items[i].run.id, &f->a, &run, &e));
    }
    assert_int_equal(number(f, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
}

static void readers_do_not_wait_for_the_lock(void **state)
{
    struct fixture *f = *state;
    char lock[128];
    struct store *reader;
    struct collection_row c;
    snprintf(lock, sizeof lock, "%s.lock", f->path);
    int fd = open(lock, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    OK(store_open(f->path, STORE_READ, &reader, &e));
    OK(store_collection(reader, f->collection, &f->a, &c, &e));
    OK(store_collection(f->store, f->collection, &f->a, &c, &e));
    FAILS(ERR_INTERNAL, store_collection_add(reader, &(struct collection_row){.name = S("x")}, &f->a, &c, &e));
    store_close(reader);
    close(fd);
}

static void a_full_disk_loses_nothing(void **state)
{
    struct fixture *f = *state;
    struct put *put = store_put_new(f->store, &(struct put_target){.collection = f->collection});
    uint64_t counts[PUT_OUTCOMES] = {0};
    struct rlimit limit, tight;
    put_run(f, simple_run(f, S("before"), S("x")), "/x/a", 0, true, NULL);
    for (int i = 0; i < 200; i++) {
        struct run *run = simple_run(f, arena_printf(&f->a, "%d", i), arena_printf(&f->a, "answer %d", i * i));
        struct put_name name = name_of(run, "/x/b", 0);
        OK(store_put_add(put, &name, run, NULL, NULL, 0, &e));
    }
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    tight = (struct rlimit){300000, limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    struct err e = {0};
    bool ok = store_put_commit(put, counts, &f->a, NULL, &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_false(ok);
    assert_true(e.code == ERR_IO || e.code == ERR_FULL);
    assert_int_equal(counts[PUT_NEW], 0);
    assert_int_equal(all_runs(f).n, 1);
    /* With room again the same put goes through. */
    if (!store_put_commit(put, counts, &f->a, NULL, &e))
        fail_msg("%s", e.text);
    store_put_free(put);
    assert_int_equal(counts[PUT_NEW], 200);
    assert_int_equal(all_runs(f).n, 201);
    check_whole(f);
}

/* ---- files ----------------------------------------------------------------------------------------------------------- */

static void run_sql(const char *path, const char *sql)
{
    struct err e = {0};
    struct db *db;
    assert_true(db_open(path, true, &db, &e));
    assert_true(db_script(db, sql, &e));
    db_close(db);
}

static void other_files_are_refused(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct store *store;
    snprintf(path, sizeof path, "%s/newer.db", f->folder);
    OK(store_open(path, STORE_WRITE, &store, &e));
    store_close(store);
    run_sql(path, "PRAGMA user_version = 9999");
    FAILS(ERR_NEWER, store_open(path, STORE_WRITE, &store, &e));
    FAILS(ERR_NEWER, store_open(path, STORE_READ, &store, &e));

    snprintf(path, sizeof path, "%s/foreign.db", f->folder);
    run_sql(path, "CREATE TABLE other (x)");
    FAILS(ERR_CONFLICT, store_open(path, STORE_WRITE, &store, &e));

    snprintf(path, sizeof path, "%s/text.db", f->folder);
    FILE *file = fopen(path, "w");
    fputs("this is a text and no database, and it is long enough to have a header of a hundred bytes, which it fills with words.", file);
    fclose(file);
    FAILS(ERR_IO, store_open(path, STORE_WRITE, &store, &e));

    snprintf(path, sizeof path, "%s/missing.db", f->folder);
    FAILS(ERR_NOT_FOUND, store_open(path, STORE_READ, &store, &e));
    assert_int_equal(access(path, F_OK), -1);
    FAILS(ERR_NOT_FOUND, store_open("/no/such/folder/t.db", STORE_WRITE, &store, &e));
    FAILS(ERR_USAGE, store_open("sqlite:", STORE_WRITE, &store, &e));
}

static void a_database_is_one_file_when_all_have_closed_it(void **state)
{
    struct fixture *f = *state;
    char path[128], copy[160], command[400];
    struct store *store;
    struct collection_row c;
    struct stat wal;
    snprintf(path, sizeof path, "sqlite:%s/whole.db", f->folder);
    OK(store_open(path, STORE_WRITE, &store, &e));
    OK(store_collection_add(store, &(struct collection_row){.name = S("kept")}, &f->a, &c, &e));
    snprintf(copy, sizeof copy, "%s-wal", store_path(store));
    assert_int_equal(stat(copy, &wal), 0);
    assert_true(wal.st_size > 0);
    assert_int_equal(access(store_spool_dir(store, NULL), W_OK), 0);
    store_close(store);
    snprintf(copy, sizeof copy, "%s/copy.db", f->folder);
    snprintf(command, sizeof command, "cp %s/whole.db %s", f->folder, copy);
    assert_int_equal(system(command), 0);
    OK(store_open(copy, STORE_READ, &store, &e));
    OK(store_collection(store, S("kept"), &f->a, &c, &e));
    store_close(store);

    OK(store_open(":memory:", STORE_WRITE, &store, &e));
    OK(store_collection_add(store, &(struct collection_row){.name = S("kept")}, &f->a, &c, &e));
    store_close(store);
}

/* In no transaction for which others wait long: a job may have judged every run. */
static void an_old_judge_job_goes_in_parts(void **state)
{
    struct fixture *f = *state;
    put_run(f, simple_run(f, S("a"), S("yes")), "/x/a", 0, false, NULL);
    OK(db_script(f->store->db, "INSERT INTO job (id, kind, state, created_at, ended_at) VALUES ('j', 'judge', 2, '2000-01-01T00:00:00Z', '2000-01-01T00:00:00Z');"
                               "INSERT INTO judge_item (job, stage, run) WITH s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 25000)"
                               " SELECT job.n, i, run.n FROM s, job, run", &e));
    int64_t left = 25000;
    for (bool more = true; more;) {
        struct slices uploads = {0};
        OK(store_tidy(f->store, &f->a, &uploads, &more, &e));
        int64_t now = number(f, "SELECT count(*) FROM judge_item");
        assert_true(left - now <= 10000);
        left = now;
    }
    assert_int_equal(number(f, "SELECT count(*) FROM job") + left, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_job_lives_and_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_job_is_tried_three_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_job_that_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_job_that_was_taken_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(clocks_jump, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_job_is_taken_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_processes_write_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_write_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_killed_writer_left_is_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_loses_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readers_do_not_wait_for_the_lock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_files_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_database_is_one_file_when_all_have_closed_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_old_judge_job_goes_in_parts, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
