#include "cli/cli.h"

#define RULES_OPTIONS \
    {0, "rules", "PATH", "rules of your own: a file or folder; may repeat"}, \
    {0, "config", "FILE", "settings of detectors (default: $TELLTALE_CONFIG, else ./telltale.yaml)"}

static const struct option_row serve_options[] = {
    {0, "listen", "ADDR:PORT", "where to listen (default 127.0.0.1:8787; port 0 picks one)"},
    {0, "host", "NAME", "a name by which clients know this server (telltale.example.org; with a port: only there); may repeat"},
    {0, "tls-cert", "FILE", "https: the certificate (PEM; those that signed it may follow); SIGHUP reads both files again"},
    {0, "tls-key", "FILE", "https: its key (PEM)"},
    {0, "behind-proxy", "PEER", "believe X-Forwarded-For and -Proto of this reverse proxy: loopback, an address or a network; may repeat"},
    {0, "require-token", NULL, "ask for tokens on loopback too, as is always done elsewhere, behind a proxy and with --host"},
    {0, "insecure", NULL, "ask for none, wherever it listens: everybody who reaches it may do everything"},
    {0, "workers", "N", "threads for imports and scans, 16 at most (default: one a processor)"},
    {0, "max-upload", "MB", "largest upload that is taken (default 8192)"},
    {0, "keep", "TIME|SIZE", "delete runs older than 90d or 12h, or the oldest while the database uses more than 100GB; not those that somebody works with"},
    {0, "max-db", "SIZE", "take nothing more in while the database uses 100GB or more; reading goes on"},
    {0, "log", "FORM", "logs on stderr as text (default) or json, an object a line"},
    {0, "log-level", "LEVEL", "debug, info (default: a line a request and a job), warning, error"},
    {0, "private-webhooks", NULL, "webhooks may go to loopback and private addresses"},
    {0, "web-dir", "DIR", "serve the page from a folder instead of from inside the program"},
    RULES_OPTIONS,
    {0, "redact", NULL, "replace secrets (keys, tokens, passwords) by [redacted:KIND] before anything is stored"},
    {0, "sample", NULL, "load the sample collection first, if the database is empty"},
    {0},
};
static const struct option_row import_options[] = {
    {'c', "collection", "NAME", "the collection to import into; made if missing"},
    {0, "format", "NAME", "read every file as this format (telltale formats lists them)"},
    {0, "map", "FIELD=COL,...", "which column of a CSV or TSV table is what: content=text,role=speaker,run=chat_id"},
    {0, "jobs", "N", "threads, 16 at most (default: one a processor)"},
    RULES_OPTIONS,
    {0, "redact", NULL, "replace secrets (keys, tokens, passwords) by [redacted:KIND] before anything is stored"},
    {0, "max-db", "SIZE", "end when the database uses 100GB or more, as a server with --max-db does; what was stored until then stays"},
    {0, "dry-run", NULL, "read and detect, store nothing; shows which field of the source goes where"},
    {0, "to", "URL", "send the files to the Telltale server there; run again, it goes on where it was broken off"},
    {0, "cacert", "FILE", "trust the certificates in this file, not the system's, with --to https://..."},
    {0, "watch", NULL, "keep running: import what is new or has changed, until a signal ends it"},
    {0, "no-detect", NULL, "store without running detectors"},
    {0},
};
static const struct option_row scan_options[] = {
    {'c', "collection", "NAME", "the collection; may be left out when there is only one"},
    RULES_OPTIONS,
    {0, "redact", NULL, "replace secrets (keys, tokens, passwords) by [redacted:KIND] in what is read from PATHs"},
    {0, "only", "ID,...", "only these detectors"},
    {0, "fail-on", "LEVEL", "exit 1 when there is a finding of this severity or over: low, medium, high"},
    {0, "strict", NULL, "scan nothing, exit 2, when there are problems in rules or settings; --fail-on does so too"},
    {0, "baseline", "FILE", "findings that stand in FILE are known: they are marked and do not fail"},
    {0, "write-baseline", "FILE", "write all current findings to FILE, for --baseline"},
    {0, "changed-since", "RUN", "only findings of runs newer than RUN (an id or external id) or than a time; see above"},
    {0, "output", "FORM", "table, json, jsonl, csv; sarif, junit, github (workflow commands), html"},
    {0, "jobs", "N", "threads, 16 at most (default: one a processor)"},
    {0},
};
static const struct option_row collections_options[] = {
    {0, "limit", "N", "at most so many rows"},
    {0},
};
static const struct option_row list_options[] = {FILTER_OPTIONS, {0}};
static const struct option_row findings_options[] = {
    FILTER_OPTIONS,
    {0, "scope", "SCOPE", "run, task, collection"},
    {0, "run", "ID", "of one run"},
    {0, "output", "FORM", "table, json, jsonl, csv; sarif, junit, github (workflow commands), html"},
    {0},
};
static const struct option_row incomplete_options[] = {
    {'c', "collection", "NAME", "the collection (a name or an id); may be left out when there is only one"},
    {0, "run", "ID", "on one run"},
    {0, "limit", "N", "at most so many rows"},
    {0},
};
static const struct option_row compare_options[] = {
    {0, "by", "FIELD", "what tells the groups apart: a filter, such as model, agent, success, tag, behavior, meta.KEY, score.NAME, range.FIELD"},
    FILTER_OPTIONS,
    {0},
};
static const struct option_row search_options[] = {
    {'c', "collection", "NAME", "only in this collection"},
    {0, "regex", NULL, "PATTERN is a regular expression"},
    {0, "case", NULL, "tell upper from lower case"},
    {0, "role", "ROLE", "only messages of system, user, assistant or tool; several with commas, here and below (\\, is one of the value)"},
    {0, "tool", "NAME", "only calls and results of this tool"},
    {0, "model", "NAME", "only runs of this model"},
    {0, "task", "ID", "only runs of this task"},
    {0, "agent", "NAME", "only runs of this agent"},
    {0, "success", "VALUE", "only runs that passed (true), failed (false) or unknown"},
    {0, "exit-status", "VALUE", "only runs that ended so"},
    {0, "tag", "TAG", "only runs with this tag"},
    {0, "meta", "KEY=VALUE", "only runs whose metadata say so; may repeat"},
    {0, "score", "NAME=VALUE", "only runs with this score"},
    {0, "range", "FIELD=LOW..HIGH", "only runs in this range, as telltale runs has it"},
    {0, "facets", NULL, "how many hits there are by collection, role, tool, model, task and outcome, instead of the hits"},
    {0, "limit", "N", "at most so many hits (default: all)"},
    {0},
};
static const struct option_row sql_options[] = {
    {0, "limit", "N", "at most so many rows"},
    {0, "timeout", "S", "end the query after so many seconds (default 60; 0: never)"},
    {0},
};
static const struct option_row rules_options[] = {
    RULES_OPTIONS,
    {0, "behavior", "NAME", "new: what the rule sees, of the vocabulary"},
    {0, "like", "ID", "new: begin with this rule instead of the template"},
    {0, "to", "FILE", "new, own, docs: write here instead of to stdout"},
    {0, "note", "WORDS", "save: what this version is for"},
    {0, "author", "NAME", "save: who wrote it (default: $USER)"},
    {0},
};
static const struct option_row labels_options[] = {
    {'c', "collection", "NAME", "the collection; may be left out when there is only one"},
    {0, "set", "NAME", "the label set"},
    {0, "format", "FORM", "import: csv, jsonl, behaviors or who-and-when (default: by the file's name)"},
    {0, "who", "NAME", "import: who gave the labels, where a row does not say"},
    {0, "as", "FORM", "export: jsonl (default), native (the set's declaration in front) or csv"},
    {0, "against", "RATER", "score: only this one; may repeat"},
    {0, "field", "NAME", "score, agreement: a field of the answers, or a behaviour"},
    {0, "split", "NAME", "score, agreement: dev, test or all (default)"},
    {0},
};
static const struct option_row judge_options[] = {
    {'c', "collection", "NAME", "the collection (a name or an id); may be left out when there is only one"},
    {0, "model", "NAME", "try, run, draft: the model that is asked (telltale judge models lists them; default: the default one)"},
    {0, "samples", "N", "try, run: answers for each run, of which the majority counts (default 1)"},
    {0, "temperature", "T", "try, run: 0 to 2 (default: the provider's own)"},
    {0, "max-tokens", "N", "try, run: of an answer (default 1024)"},
    {0, "paired", "N", "try, run: paired questions, for epistemic confidence (default 0: not asked for)"},
    {0, "max-usd", "USD", "run, draft: a cap that is never passed (default 5 where prices are known)"},
    {0, "max-calls", "N", "run, draft: the same in calls (default 1000 where a price is not known)"},
    {0, "limit", "N", "try, run: at most so many runs (try: default 5)"},
    {0, "sample", NULL, "run: a random choice of --limit runs instead of the first"},
    {0, "seed", "N", "run: makes that choice repeatable"},
    {0, "findings", NULL, "run: the filters below name findings, and their runs are judged: rules choose, the judge confirms"},
    {0, "then", "NAME[:MODEL]", "run: what is flagged goes on to this rubric (and model); may repeat"},
    {0, "again", NULL, "run: judge also what was judged alike before"},
    {0, "estimate", NULL, "run: say what it would take, and stop"},
    {'y', "yes", NULL, "run: do not ask; without a terminal it takes this, --max-usd or --max-calls"},
    {0, "queue", NULL, "run: leave it to a server (telltale serve)"},
    {0, "fail-on-flagged", NULL, "run: exit 1 when a run was flagged"},
    {0, "from", "FILE", "new, edit: the text is in FILE (- for stdin); no editor is opened"},
    {0, "like", "NAME", "new: begin with a copy of this rubric"},
    {0, "note", "WORDS", "new, edit: what this version is for"},
    {0, "improve", "NAME", "draft: an edit of this rubric, from where it disagrees with people"},
    {0, "set", "NAME", "draft: the label set that says what people found"},
    {0, "to", "FILE", "new, draft: write the text here"},
    {0, "config", "FILE", "settings, with models and keys (default: $TELLTALE_CONFIG, else ./telltale.yaml)"},
    {0, "kind", "KIND", "which runs, from here on: with findings of this kind (several with commas, here and below; \\, is one of the value)"},
    {0, "behavior", "NAME", "with findings of this behaviour"},
    {0, "detector", "ID", "of this detector"},
    {0, "severity", "LEVEL", "of this severity: low, medium, high"},
    {0, "status", "STATUS", "that are open, confirmed, dismissed"},
    {0, "task", "ID", "of this task"},
    {0, "of-model", "NAME", "of agents that ran this model"},
    {0, "agent", "NAME", "of this agent"},
    {0, "success", "VALUE", "that passed (true), failed (false) or unknown"},
    {0, "tag", "TAG", "with this tag"},
    {0, "q", "WORDS", "with words in name, task, id, status, error or title"},
    {0, "meta", "KEY=VALUE", "with this field of the metadata; may repeat"},
    {0, "has-findings", "BOOL", "true: with findings"},
    {0},
};
static const struct option_row export_options[] = {
    {0, "to", "FILE", "write here instead of to stdout"},
    {0, "as", "FORM", "native (default), csv, or html: the story as one file to send to somebody"},
    RUN_OPTIONS,
    {0},
};
static const struct option_row delete_options[] = {
    RUN_OPTIONS,
    {'y', "yes", NULL, "do not ask"},
    {0},
};
static const struct option_row tag_options[] = {
    RUN_OPTIONS,
    {0, "remove", NULL, "take the tag off"},
    {0},
};
static const struct option_row review_options[] = {
    FILTER_OPTIONS,
    {0, "scope", "SCOPE", "run, task, collection"},
    {0, "run", "ID", "of one run"},
    {0, "note", "WORDS", "why"},
    {0, "reviewer", "NAME", "who says so (default: $USER)"},
    {0},
};
static const struct option_row exceptions_options[] = {
    {'c', "collection", "NAME", "the collection; may be left out when there is only one; list: only what holds in it"},
    {0, "everywhere", NULL, "add: in every collection"},
    {0, "note", "WORDS", "add: why"},
    {0, "reviewer", "NAME", "add: who says so (default: $USER)"},
    {0, "dry-run", NULL, "add: only count the findings that it would set aside"},
    {0},
};
static const struct option_row webhook_options[] = {
    {'c', "collection", "NAME", "add: only of this collection"},
    {0, "event", "NAME", "add: import.done, findings.new, judge.done or job.failed; may repeat (default: all of them)"},
    {0, "page", "URL", "add: where people open the page, which is what links begin with (default http://127.0.0.1:8787)"},
    {0},
};
static const struct option_row token_options[] = {
    {0, "scope", "SCOPE,...", "create: ingest (put runs in), read, review (reads too), admin (everything); default read"},
    {'c', "collection", "NAME", "create: for this collection alone; may repeat"},
    {0, "expires", "WHEN", "create: 90d, 12h, or a time such as 2027-01-31T00:00:00Z (default: never)"},
    {0, "rate", "N", "create: requests a second at most"},
    {0, "max-upload", "MB", "create: megabytes of one body at most"},
    {0},
};
static const struct option_row audit_options[] = {
    {0, "actor", "NAME", "only changes by this token, by local or by cli:USER"},
    {0, "limit", "N", "at most so many rows, the newest"},
    {0},
};
static const struct option_row mcp_options[] = {
    RULES_OPTIONS,
    {0, "read-only", NULL, "without the tools that change something"},
    {0, "page", "URL", "where people open the page, for the links in answers (default http://127.0.0.1:8787)"},
    {0},
};
static const struct option_row check_options[] = {
    {0, "repair", NULL, "make anew what can be derived from the rest, where it is wrong"},
    {0},
};
static const struct option_row docs_options[] = {
    {0, "find", "WORDS", "list the lines in which all these words stand"},
    {0},
};
static const struct option_row prune_options[] = {
    {'c', "collection", "NAME", "only in this collection"},
    {0, "keep", "TIME|SIZE", "for collections that have no time of their own: 90d, 12h; 500MB, 100GB: the oldest go while the database uses more"},
    {0, "dry-run", NULL, "only count"},
    {0},
};
static const struct option_row redact_options[] = {
    {'c', "collection", "NAME", "only in this collection"},
    {0, "config", "FILE", "settings with secrets of your own (default: $TELLTALE_CONFIG, or telltale.yaml)"},
    {0, "dry-run", NULL, "only count"},
    {0},
};
static const struct option_row no_options[] = {{0}};

const struct option_row global_options[] = {
    {0, "db", "URL", "the database: a path, or sqlite:PATH"},
    {0, "output", "FORM", "table, json, jsonl or csv"},
    {0, "json", NULL, "the same as --output json"},
    {'q', "quiet", NULL, "no progress and no notes on stderr; results go to stdout as always"},
    {'h', "help", NULL, "this text"},
    {0, "version", NULL, "the version"},
    {0},
};

/* What each of the alternatives that a command takes does; all of them stand here. */
static const struct {
    const char *command, *word, *about;
} ways[] = {
    {"collections", "add", "make an empty collection"},
    {"collections", "quota", "say how much a collection may have"},
    {"collections", "keep", "say how long a collection keeps its runs"},
    {"rules", "list", "all detectors, with what they look for"},
    {"rules", "show", "one detector as it is written"},
    {"rules", "lint", "look for mistakes in files of rules"},
    {"rules", "test", "run the tests that rules bring along: those of files, or of all that are shipped"},
    {"rules", "new", "a rule to begin with: a template, or a copy of another"},
    {"rules", "save", "keep rules in the database, for every later import and scan"},
    {"rules", "remove", "take rules away that were saved"},
    {"rules", "own", "all rules that were saved, as one pack"},
    {"rules", "docs", "the catalogue of all detectors"},
    {"rules", "schema", "JSON Schema of the rule language"},
    {"judge", "list", "the rubrics, or the versions of one"},
    {"judge", "show", "a rubric as YAML"},
    {"judge", "new", "write a rubric in an editor"},
    {"judge", "edit", "write the next version of a rubric in an editor"},
    {"judge", "check", "look for mistakes in the text of a rubric"},
    {"judge", "draft", "have a model write a rubric from a sentence"},
    {"judge", "try", "ask about a few runs, and store nothing"},
    {"judge", "run", "judge runs, with a cap on what that costs"},
    {"judge", "status", "how judging goes, or went"},
    {"judge", "cancel", "end judging that goes on"},
    {"judge", "models", "the connections to models"},
    {"judge", "test", "ask a model one small question"},
    {"labels", "sets", "the label sets, and how many labels each has"},
    {"labels", "import", "read labels from tables, lists and benchmarks"},
    {"labels", "export", "write all labels of a set"},
    {"labels", "score", "how well judges or rules agree with the people of a set"},
    {"labels", "agreement", "how far any two raters agree"},
    {"review", "open", "take back what was said of findings"},
    {"review", "confirmed", "say that findings are right"},
    {"review", "dismissed", "say that findings are wrong"},
    {"exceptions", "list", "the exceptions, and how many findings each sets aside"},
    {"exceptions", "add", "set findings of a detector aside, now and later"},
    {"exceptions", "delete", "take exceptions back: their findings are open again"},
    {"webhook", "list", "whom a server tells"},
    {"webhook", "add", "have a server tell an address what its jobs ended with"},
    {"webhook", "delete", "tell an address nothing any more"},
    {"webhook", "pause", "tell an address nothing until it is resumed"},
    {"webhook", "resume", "tell a paused address again"},
    {"webhook", "test", "have a running server send a test"},
    {"webhook", "deliveries", "what was sent to an address, and what it answered"},
    {"token", "create", "make a token, and print it this once"},
    {"token", "list", "the tokens, what each may, and when it was last used"},
    {"token", "revoke", "refuse a token from the next request on"},
    {"delete", "run", "delete one run"},
    {"delete", "runs", "delete all runs that the filters name"},
    {"delete", "collection", "delete a collection and all in it"},
    {"completion", "bash", "the script for bash"},
    {"completion", "zsh", "the script for zsh"},
    {"completion", "fish", "the script for fish"},
    {"completion", "words", "what the last word may become"},
};

bool cli_way(const struct command *c, struct slice *rest, struct way *out)
{
    while (rest->len) {
        struct slice text = slice_trim(slice_take(rest, '|'));
        if (slice_starts(text, "[")) /* the alternatives may be left out: "[add NAME | keep NAME TIME]" */
            text = slice_sub(text, 1, SIZE_MAX);
        if (!rest->len && c->arguments[0] == '[')
            text.len--;
        out->text = text;
        out->word = slice_take(&text, ' ');
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
            if (strcmp(ways[i].command, c->name) == 0 && slice_is(out->word, ways[i].word)) {
                out->about = ways[i].about;
                return true;
            }
    }
    return false;
}

const struct command commands[] = {
    {"serve", "", "run the server and its page",
     "Stops on Ctrl-C. Without --listen only this machine can reach it.\n\n"
     "Every option can stand in telltale.yaml too, by its name without the dashes; the command line wins:\n"
     "    serve: { listen: \"127.0.0.1:9000\", workers: 4 }", serve_options, 0, 0, cmd_serve},
    {"import", "PATH...", "read transcripts into a collection and run the detectors",
     "PATH is a file, a folder (with all below it), an archive (.zip .tar .gz .zst) or - for stdin. The format is recognised from\n"
     "the content. Without -c the collection bears the name of the one file or folder. Importing again changes nothing.",
     import_options, 1, -1, cmd_import},
    {"scan", "[PATH...]", "run the detectors again and print all findings",
     "Over a collection, or over files given as PATH with no database kept.\n\n"
     "A finding is the same as before when its rule's id, its run's or task's name and the words of its evidence are: a new version of the\n"
     "rule, another machine or lines that moved in a file make nothing new. --fail-on looks at findings that are open or confirmed and,\n"
     "with --baseline, new.\n\n"
     "--changed-since RUN leaves out the findings of older runs. Over a collection a run is newer when it was imported (or replaced) by a\n"
     "later import than RUN, or by the same one and started later; over files, when it started later. Without a time of its start a run of\n"
     "the same import counts as newer. Instead of RUN a time may stand: 2026-01-31 or 2026-01-31T06:00:00Z, that of the import, over files\n"
     "that of the start. A finding about a task counts when one of the runs in its evidence does.\n\n"
     "In CI: telltale scan logs/ --fail-on high --baseline telltale.baseline --output sarif > telltale.sarif",
     scan_options, 0, -1, cmd_scan},
    {"collections", "[add NAME | quota NAME AMOUNT | keep NAME TIME]", "list collections, make an empty one, or say how much one may have and keep",
     "AMOUNT is 5000runs, 10GB (of what its runs say and show, unpacked: the column bytes), both as 5000runs,10GB, or none. TIME is 90d, 12h, 5000runs\n"
     "(the newest), forever, or server (as the server says); telltale prune --help says what stays.",
     collections_options, 0, 3, cmd_collections},
    {"runs", "", "list runs", NULL, list_options, 0, 0, cmd_runs},
    {"tasks", "", "list tasks, the broken ones first", NULL, list_options, 0, 0, cmd_tasks},
    {"findings", "", "list findings with their evidence", NULL, findings_options, 0, 0, cmd_findings},
    {"incomplete", "", "list what detectors could not finish",
     "A detector that meets a limit of time or work on a run may have missed something there.", incomplete_options, 0, 0, cmd_incomplete},
    {"compare", "RUN RUN | --by FIELD A [B]", "compare two runs step by step, or two groups of runs over the tasks that both ran",
     "RUN is the id of a run. Steps are aligned by what the runs do; printed are those that differ (with --output json all), and the first at which\n"
     "the runs do something else is marked.\n\n"
     "A and B are values of the field that --by names, several with commas; without B the other group is all other runs. Tasks are the unit:\n"
     "runs are averaged within theirs. Differences are B less A, with 95 % intervals; P is adjusted for the number of rows (Benjamini and Hochberg).\n\n"
     "telltale compare -c bench --by model gpt-5-mini gpt-5", compare_options, 1, 2, cmd_compare},
    {"search", "PATTERN", "find words (all of them in one text; \"a phrase\" in quotes) or a regular expression in every message", NULL, search_options, 1, 1, cmd_search},
    {"sql", "QUERY", "read-only SQL over the documented views",
     "Views: collections, runs, scores, transcripts, messages, tool_calls, findings, evidence, labels, tasks, judgments.",
     sql_options, 1, 1, cmd_sql},
    {"rules", "list | show ID | lint FILE... | test [FILE...] | new ID | save FILE... | remove ID... | own | docs | schema",
     "the detectors: list them, read one, check and test your own",
     "A rule that was saved is kept in the database, in all its versions, and used by every later import and scan, of a server too; it takes the\n"
     "place of a shipped one of its id until it is removed. own prints all of them as one pack, which --rules reads.",
     rules_options, 1, -1, cmd_rules},
    {"judge", "list [NAME] | show NAME | new NAME | edit NAME | check FILE... | draft SENTENCE | try NAME [RUN...] | run NAME [RUN...] | status [JOB] | "
              "cancel JOB | models | test [MODEL]",
     "put a question about runs to a language model",
     "A rubric is such a question, with what counts and what does not; list names those that there are, show prints one as YAML, new and\n"
     "edit open $VISUAL or $EDITOR (or take --from FILE), and every edit is a version: NAME@3 is the third. check says what is wrong with a\n"
     "text, draft has a model write one from a sentence.\n\n"
     "A judge is a rubric, a model and settings. try asks about up to five runs and stores nothing; run judges the runs that are named or that\n"
     "the filters choose. It says first what that will take, asks, and shows what it costs while it works; Ctrl-C ends it, and the same command\n"
     "goes on where it was: nothing is asked or paid twice. A run that is flagged gets a finding of the detector judge:NAME@VERSION, with the\n"
     "quotes that were found in its transcript.\n\n"
     "Models: an OpenAI-compatible server or Anthropic's, of telltale.yaml,\n"
     "    models: { default: mini, mini: { url: https://api.openai.com/v1, model: gpt-5-mini, key: openai, price: { in: 0.25, out: 2 } } }\n"
     "    keys: { openai: { env: OPENAI_API_KEY, for: https://api.openai.com } }\n"
     "or of the environment: TELLTALE_MODEL_URL, TELLTALE_MODEL, TELLTALE_MODEL_KEY, and TELLTALE_MODEL_PRICE_IN and _OUT, without which money\n"
     "cannot be capped, only calls. models lists them, test asks one a small question.\n\n"
     "Exit status of run: 1 when judgments failed, a cap ended it early, or, with --fail-on-flagged, a run was flagged.",
     judge_options, 1, -1, cmd_judge},
    {"formats", "", "the formats it reads, and how it knows them", NULL, no_options, 0, 0, cmd_formats},
    {"labels", "sets | import FILE... | export | score | agreement REFERENCE MEASURED", "what people said of runs, and how well judges and rules agree with it",
     "A label is a value that a person gave to a run, in a label set. import reads tables (csv: a column run, and value or a column for each field),\n"
     "lists (jsonl: {\"run\", \"set\", \"value\", \"who\", \"split\"}), behaviours seen by reading (tab-separated: file, run, behavior, strength, quote,\n"
     "note) and Who&When's own files. It exits with 1 where rows were refused, each named by its line.\n\n"
     "score compares with what most people of a set say: judges of its rubric, or, of a set of behaviours, the rules, a row each.\n"
     "agreement compares any two: people:SET, person:SET/WHO, judge:RUBRIC@VERSION/KEY, detector:ID, behavior:NAME (what\n"
     "rules found of it), findings:NAME (judges too). Beside each figure\n"
     "stands its 95 % interval and what the best constant answer would get.",
     labels_options, 1, -1, cmd_labels},
    {"export", "", "write everything of a collection, or the runs that options name, as JSON Lines that import reads back",
     "The native form has with the runs what they were judged by and labelled in, the rules of one's own that found something in them, and the\n"
     "exceptions that set findings aside. Import takes all of it over; a rule whose id the database has, or had, stays as it is there.", export_options, 0, 0, cmd_export},
    {"tag", "TAG", "tag all runs that the filters name", NULL, tag_options, 1, 1, cmd_tag},
    {"review", "open [FINDING...] | confirmed [FINDING...] | dismissed [FINDING...]", "say of findings that they are right or wrong: those named, or all that the filters name", NULL,
     review_options, 1, -1, cmd_review},
    {"exceptions", "[list | add DETECTOR [FIELD=VALUE...] | delete ID...]", "what detectors are not to find",
     "An exception sets aside the findings of a detector that it holds of, those that there are and those of every later import and scan. They\n"
     "count as dismissed, findings --output json says by which exception, and they are open again when it is deleted. What somebody has\n"
     "confirmed or dismissed stays as it is.\n\n"
     "FIELD=VALUE: the field is that; FIELD~PATTERN: the regular expression is found in it. Fields: title, message, behavior, severity,\n"
     "capture.NAME, quote and part (of its evidence), task_id, model, agent. All must hold; with none, the whole detector is silent.",
     exceptions_options, 0, -1, cmd_exceptions},
    {"webhook", "[list | add URL | delete ID... | pause ID... | resume ID... | test ID | deliveries ID]", "tell another server when imports and judges are done",
     "A server (telltale serve) then POSTs to URL what its jobs ended with, signed as Standard Webhooks has it, and tries again for a day until that\n"
     "answers with 2xx. add prints the secret that signs, once.", webhook_options, 0, -1, cmd_webhook},
    {"token", "create NAME | list | revoke ID...", "tokens, by which a server knows who asks",
     "A server that listens where other machines reach it asks for a token (serve --require-token: on this machine too). create prints it, once:\n"
     "of tokens only a hash is kept, under the key DATABASE.key. Clients send it as \"Authorization: Bearer TOKEN\", telltale import --to takes it\n"
     "from $TELLTALE_TOKEN, and the page asks for it. A token that is revoked is refused from the next request on.", token_options, 1, -1, cmd_token},
    {"audit", "", "who changed what, newest first", NULL, audit_options, 0, 0, cmd_audit},
    {"mcp", "", "answer a coding agent: the Model Context Protocol on stdin and stdout",
     "For an agent's settings, as {\"mcpServers\": {\"telltale\": {\"command\": \"telltale\", \"args\": [\"mcp\"]}}}; the same tools as POST /mcp of a\n"
     "server has. It lists findings, reads messages, searches, asks SQL, labels and reviews.", mcp_options, 0, 0, cmd_mcp},
    {"prune", "", "delete runs that are past their time",
     "A collection's own time is set by telltale collections keep NAME: 90d, 12h, 5000runs (the newest) or forever; telltale serve --keep\n"
     "is that of the others, and looks every hour. A run's time counts from its import. Runs stay that have a label, a note, a tag that was\n"
     "given here, or evidence of a confirmed finding.", prune_options, 0, 0, cmd_prune},
    {"vacuum", "", "give the room that deleted runs left back to the disk",
     "In small steps, beside a running server. A database of an older program is written anew as a whole, once, which takes its size again on\n"
     "the disk for a while.", no_options, 0, 0, cmd_vacuum},
    {"redact", "", "replace the secrets in what is stored already by [redacted:KIND]",
     "What --redact of an import does before anything is stored, done to what is: runs, findings, judgments, labels, notes, traces and events they are\n"
     "built of, jobs and names of files; of replies of models, saved queries and the log of changes, too, with -c as well. Ids, reviews, labels and tags\n"
     "stay, and evidence stands where its words now are. Uploads that failed are deleted. Then the database is written anew as a whole, so that no old\n"
     "byte is left in it: that takes its size again on the disk for a while, and others cannot write meanwhile. Cut short, do it again. Backups and\n"
     "exports made before hold what they held.", redact_options, 0, 0, cmd_redact},
    {"delete", "run ID | runs | collection ID", "delete a run, all runs that the filters name, or a collection", NULL, delete_options, 1, 2, cmd_delete},
    {"check", "", "look whether everything that is stored is whole and fits together",
     "Each page and index of the file, rows that belong to others, each text and the messages that say it, the quotes of findings and judgments word\n"
     "for word at their place, the search index, the numbers that lists show, images by their SHA-256, uploads that wait. It works beside a running\n"
     "server and changes nothing. Exit status 1: something is wrong, and each problem is a line.\n\n"
     "--repair makes the search index, the numbers and what else is derived anew, and deletes rows that belong to nothing. Texts, messages and quotes\n"
     "cannot be derived: restore a backup (telltale backup).", check_options, 0, 0, cmd_check},
    {"backup", "FILE", "copy the database as it is at this moment, while a server runs",
     "FILE is a database like the one it was made of, with the uploads that were accepted and not read yet in FILE.spool and the key of the access\n"
     "tokens in FILE.key: keep the three together. FILE appears when it is whole and on the disk. It takes the place of an earlier backup of that name;\n"
     "anything else that stands there is left alone, and the backup refused.\n\n"
     "To restore: stop the server, move its database away with the files beside it (-wal, -shm, .spool, .key), move the backup's into their place, and\n"
     "start it again. telltale --db FILE check looks whether a backup is whole.", no_options, 1, 1, cmd_backup},
    {"docs", "[PAGE]", "read the documentation: the list of its pages, or one of them", NULL, docs_options, 0, 1, cmd_docs},
    {"man", "", "print the manual page",
     "It is made from what --help is made of. Read it with: telltale man | man -l -", no_options, 0, 0, cmd_man},
    {"completion", "bash | zsh | fish | words [WORD...]", "print what makes a shell complete telltale's words",
     "For this shell: source <(telltale completion bash). To stay, it is put where the first lines of what is printed say. words prints what the\n"
     "last WORD may become, a line each, with what it means behind a tab; it is what the shells ask.", no_options, 1, -1, cmd_completion},
    {0},
};
