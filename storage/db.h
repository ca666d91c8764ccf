/* Private to storage/: one connection to the database, at the level of statements. sqlite.c alone knows SQLite; query.c,
 * bound.c and ration.c too, which fence in what users write, and backup.c.
 *
 *     struct stmt *q = db_prepare(db, "SELECT id, name FROM collection WHERE name = $1", e);
 *     bind_text(q, name);
 *     enum step step;
 *     while ((step = stmt_step(q, e)) == STEP_ROW) {
 *         row->id = take_text(q, a);
 *         row->name = take_text(q, a);
 *     }
 *     return step == STEP_DONE;
 *
 * Values are bound and taken in order, so that a column added in the middle of a statement moves no number. Parameters are written
 * $1 … $n in the order of their first appearance. A connection belongs to one thread. */
#ifndef STORAGE_DB_H
#define STORAGE_DB_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct db;
struct stmt;

/* "TELL": what `file` and other programs know the database by. Set by the first migration. */
enum { DB_APPLICATION_ID = 0x54454c4c };

/* ":memory:" is a database of this connection alone. With `write` the file is made where it is missing. */
bool db_open(const char *path, bool write, struct db **out, struct err *e);
void db_close(struct db *db);
/* For store_has_log and store_leave (store.h). */
bool db_has_log(const char *path);
void db_leave(const char *path);
const char *db_path(const struct db *db);
struct sqlite3 *db_raw(struct db *db); /* for query.c, which lets users write SQL, and backup.c */
/* Was it for want of room, on the disk or in a quota, that SQLite just ended with `rc` on this thread? */
bool db_had_no_room(struct sqlite3 *raw, int rc);
/* Statements of read transactions fail with ERR_LIMIT soon after *stop is set; NULL: none does. */
void db_break_off(struct db *db, const atomic_bool *stop);

/* ---- transactions ---------------------------------------------------------------------------------------------------- */

/* A read transaction: everything until db_end sees one state of the database. Nests, also in a write transaction. */
bool db_read(struct db *db, struct err *e);
/* A write transaction, which holds the lock file: waits for it up to 60 s, then ERR_BUSY. Does not nest. */
bool db_write(struct db *db, struct err *e);
/* Ends the innermost transaction: a write transaction is committed when `ok`, else undone (as it is when the commit fails). A
 * commit is on disk when this returns. Gives back whether all went well: `return db_end(db, work(db, e), e);` */
bool db_end(struct db *db, bool ok, struct err *e);
/* From now on called in each write transaction that has changed a row, before it is committed; false undoes it. And `ended` at the end of each. */
void db_before_commit(struct db *db, bool (*call)(void *ctx, struct err *e), void (*ended)(void *ctx, bool committed), void *ctx);

/* ---- statements ------------------------------------------------------------------------------------------------------ */

/* Compiled once per connection and kept by its text. The statement is the caller's until it has stepped to its end, or
 * stmt_reset. Where it does not compile, `e` is set and the result is NULL, which takes bindings and then steps to STEP_ERROR:
 * there is nothing to look at before that. */
struct stmt *db_prepare(struct db *db, const char *sql, struct err *e);

enum step { STEP_ERROR, STEP_ROW, STEP_DONE };
/* STEP_DONE and STEP_ERROR give the statement back. */
enum step stmt_step(struct stmt *q, struct err *e);
/* The first row's first column, an integer; the statement is given back. STEP_DONE: there is no row, and *out is as it was. */
enum step stmt_int(struct stmt *q, int64_t *out, struct err *e);
/* Steps to the end, past any rows. */
bool stmt_run(struct stmt *q, struct err *e);
/* Gives back a statement that has rows left. */
void stmt_reset(struct stmt *q);

/* What is bound must live until the statement is given back. */
void bind_int(struct stmt *q, int64_t n);
void bind_count(struct stmt *q, int64_t n);           /* COUNT_UNKNOWN (-1) is NULL */
void bind_real(struct stmt *q, double x);             /* NAN is NULL */
void bind_text(struct stmt *q, struct slice s);       /* absent is NULL */
void bind_blob(struct stmt *q, struct slice s);
void bind_null(struct stmt *q);

/* The next column of the row. */
int64_t take_int(struct stmt *q);                     /* NULL is 0 */
int64_t take_count(struct stmt *q);                   /* NULL is -1 */
double take_real(struct stmt *q);                     /* NULL is NAN */
struct slice take_text(struct stmt *q, struct arena *a); /* a copy; NULL is absent. Blobs too */
struct slice take_bytes(struct stmt *q);              /* not copied: gone at the next step */

enum value_type { VALUE_NULL, VALUE_INT, VALUE_REAL, VALUE_TEXT, VALUE_BLOB };
enum value_type stmt_next_type(struct stmt *q);       /* of the column that the next take_… gives */

int64_t db_last_id(struct db *db);                    /* of the last INSERT */
int64_t db_changes(struct db *db);                    /* rows that the last INSERT, UPDATE or DELETE touched */

/* Several statements without parameters, as a migration has. */
bool db_script(struct db *db, const char *sql, struct err *e);

/* A SQL function of one integer that gives a text: NULL for NULL. */
typedef bool (*db_text_function)(void *ctx, int64_t n, struct slice *out, struct err *e);
bool db_add_function(struct db *db, const char *name, db_text_function function, void *ctx, struct err *e);

/* Gives free pages at the end of the file back, at most that many, in one transaction of its own under the lock. A file whose pages cannot move yet
 * is written anew as a whole. */
bool db_vacuum(struct db *db, int64_t pages, struct err *e);

/* Writes the whole file anew, in one transaction of its own under the lock, and empties the WAL: no byte of what was deleted is left in either. Takes
 * the room of the file once more. ERR_BUSY: a reader kept the WAL for a minute. */
bool db_rewrite(struct db *db, struct err *e);

/* Brings the database to this program's version (migrate.c). ERR_NEWER: it is ahead of it. Without `write` nothing is changed. */
bool db_migrate(struct db *db, bool write, struct err *e);
/* Used by migrate.c alone: turns a new file into what we keep: WAL, 16 KB pages. Under the lock, outside a transaction. */
bool db_lock(struct db *db, struct err *e);
void db_unlock(struct db *db);
bool db_format(struct db *db, struct err *e);

#endif
