# Telltale.  make run | test | test-llm | lint | bench | score | install | clean      BUILD=release|debug|asan|tsan
#
# Objects go to build/ (release) or build-NAME/; O=DIR puts them elsewhere. WEB= leaves the page out (no node needed).

BUILD ?= release
O     ?= build$(if $(filter-out release,$(BUILD)),-$(BUILD))
PREFIX ?= /usr/local
SUDO  := $(if $(filter-out 0,$(shell id -u)),sudo)
ifeq ($(origin CC),default)
CC    := $(if $(filter fuzz,$(BUILD)),clang,gcc)
endif
# make V=1 shows the commands
Q     := $(if $(V),,@)

FLAGS_release := -O2 -g -DNDEBUG
FLAGS_debug   := -O0 -g
FLAGS_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
FLAGS_tsan    := -O1 -g -fsanitize=thread
FLAGS_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
ifeq ($(FLAGS_$(BUILD)),)
$(error BUILD is one of release, debug, asan, tsan, fuzz)
endif

WARN   := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wwrite-strings
CFLAGS  = -std=gnu11 $(FLAGS_$(BUILD)) $(WARN) -Iserver -I. -fno-strict-aliasing -fstack-protector-strong -D_GNU_SOURCE
LDLIBS := -lmicrohttpd -lgnutls -lsqlite3 -lpcre2-8 -ljansson -larchive -lzstd -lz -lyaml -lsodium -lcurl -lpthread -lm
LDFLAGS = -Wl,-z,relro,-z,now $(filter -fsanitize=%,$(FLAGS_$(BUILD)))

SRC   := $(sort $(wildcard server/*/*.c storage/*.c))
OBJ   := $(SRC:%.c=$O/%.o)
LIB   := $O/libtelltale.a
UNIT  := $(patsubst tests/unit/%.c,$O/unit/%,$(sort $(wildcard tests/unit/test_*.c)))

# What the program carries inside (deploy/embed.sh says under which names).
WEB      ?= web/dist/index.html
WEB_SRC  := $(wildcard web/src/* web/src/*/* web/*.json web/*.mjs web/*.html)
EMBEDDED := $(sort $(wildcard migrations/sqlite/*.sql server/detect/rules/*.yaml server/detect/schema/* server/judge/rubrics/*.yaml server/judge/schema/* server/view/*.css server/sample/data/* web/docs/*.md deploy/completion.*))
UNITS    := $(sort $(wildcard deploy/systemd/*))

.PHONY: all run test test-llm lint bench bench-web score fuzz soak sanitize install deb test-deb test-image test-deploy clean packages packages-test web
all: $O/telltale

run: all
	@$O/telltale serve --sample

# ---- packages: installed once; the stamp is made anew when the list changes ----------------------------------------
STAMPS := build/stamps
packages: $(STAMPS)/packages
packages-test: $(STAMPS)/packages-test
$(STAMPS)/%: deploy/%.txt
	@mkdir -p $(@D)
	@missing=$$(sed 's/#.*//' $< | xargs -n1 | while read p; do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	 case "$$missing" in *nodejs*|*npm*) command -v node >/dev/null && command -v npm >/dev/null && missing=$$(echo "$$missing" | grep -vx -e nodejs -e npm);; esac; \
	 if [ -n "$$missing" ]; then echo "installing:" $$missing; $(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; fi
	@touch $@

# ---- the page -------------------------------------------------------------------------------------------------------
web: web/dist/index.html
web/node_modules/.stamp: web/package.json web/package-lock.json | $(STAMPS)/packages
	$(Q)cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@
web/dist/index.html: $(WEB_SRC) web/node_modules/.stamp
	$(Q)cd web && node build.mjs

# ---- the program ----------------------------------------------------------------------------------------------------
$O/%.o: %.c | $(STAMPS)/packages
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CC   $<')
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c $< -o $@
$O/embedded.o: deploy/embed.sh $(WEB) $(EMBEDDED)
	@mkdir -p $(@D)
	$(Q)sh deploy/embed.sh $(EMBEDDED) $(if $(WEB),$$(find web/dist -type f | sort)) > $O/embedded.S
	$(Q)$(CC) -c $O/embedded.S -o $@
$(LIB): $(filter-out $O/server/cli/main.o,$(OBJ)) $O/embedded.o
	@rm -f $@
	$(Q)ar rcs $@ $^
$O/telltale: $O/server/cli/main.o $(LIB)
	$(if $(V),,@echo '  LINK $@')
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@

$O/unit/%: tests/unit/%.c $(LIB) | $(STAMPS)/packages-test
	@mkdir -p $(@D)
	$(if $(V),,@echo '  TEST $@')
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -MMD -MP $< $(LIB) $(LDLIBS) -lcmocka -o $@

-include $(OBJ:.o=.d) $(UNIT:=.d)

# ---- checks ---------------------------------------------------------------------------------------------------------
test: all $(UNIT) | $(STAMPS)/packages-test
	@O=$O sh tests/run.sh

lint: | $(STAMPS)/packages-test web/node_modules/.stamp
	@sh tests/lint.sh

# Judges against a real inference server, which is built once (eight minutes). MODEL= a .gguf file.
MODEL ?= ../shared/models/tiny-judge.gguf
test-llm: all $O/llm/lures | $(STAMPS)/packages-llm $(STAMPS)/packages-test
	@sh tests/llm/build_server.sh build/llama
	@python3 tests/llm/real.py $O/telltale build/llama/llama-server $(MODEL) $O/llm/lures
$O/llm/%: tests/llm/%.c tests/unit/injection.h $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $< $(LIB) $(LDLIBS) -o $@

# SECONDS_EACH=60 TARGETS="codex any" make fuzz
fuzz:
	@$(MAKE) --no-print-directory BUILD=fuzz WEB= build-fuzz/fuzz/fuzz build-fuzz/fuzz/wire
	@O=build-fuzz sh tests/fuzz/run.sh
build-fuzz/fuzz/%: tests/fuzz/%.c $(LIB) | $(STAMPS)/packages-fuzz
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -fsanitize=fuzzer $< $(LIB) $(LDLIBS) -o $@

# SECONDS of every kind of load at one time, with kills; also with BUILD=asan or tsan.
SECONDS ?= 1800
soak: all | $(STAMPS)/packages-test
	@python3 tests/soak/run.py $O/telltale $(SECONDS)

# What the program does, and SECONDS of the soak, with the sanitizers looking on: addresses, leaks and undefined behaviour, then threads. An hour
# or two; make fuzz has the first of them too.
sanitize:
	@for build in asan tsan; do \
	    PARTS='http|cli|care|test_' $(MAKE) --no-print-directory BUILD=$$build test && $(MAKE) --no-print-directory BUILD=$$build soak || exit 1; \
	done

bench: all $O/bench/parse $O/bench/rules | $(STAMPS)/packages-test
	@python3 tests/bench/run.py $O/telltale $(BENCH)
$O/bench/%: tests/bench/%.c $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $< $(LIB) $(LDLIBS) -o $@

# The page's budgets in a real browser; WORDS="open scroll" for some of them.
bench-web: all | $(STAMPS)/packages-test
	@node tests/bench/web.mjs $O/telltale $(WORDS)

# How good the detectors are on labelled runs; LABELS=a.tsv,b.tsv names others than $TELLTALE_LABELS.
score: all
	@python3 tests/bench/score.py $O/telltale $(LABELS)

# The program has everything inside; beside it stand its manual page, its completions and the units of deploy/README.md. A package's own
# places for the last two are given by deploy/deb.sh.
UNITDIR ?= $(PREFIX)/lib/systemd/system
ZSHDIR  ?= $(PREFIX)/share/zsh/site-functions
install: all
	install -D -m 755 $O/telltale $(DESTDIR)$(PREFIX)/bin/telltale
	@mkdir -p $O/installed
	@$O/telltale man > $O/installed/man
	@for shell in bash zsh fish; do $O/telltale completion $$shell > $O/installed/$$shell; done
	@for unit in $(notdir $(UNITS)); do sed 's|/usr/bin/telltale|$(PREFIX)/bin/telltale|' deploy/systemd/$$unit > $O/installed/$$unit; done
	install -D -m 644 $O/installed/man $(DESTDIR)$(PREFIX)/share/man/man1/telltale.1
	install -D -m 644 $O/installed/bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/telltale
	install -D -m 644 $O/installed/zsh $(DESTDIR)$(ZSHDIR)/_telltale
	install -D -m 644 $O/installed/fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/telltale.fish
	install -d $(DESTDIR)$(UNITDIR)
	install -m 644 $(UNITS:deploy/systemd/%=$O/installed/%) $(DESTDIR)$(UNITDIR)

# A Debian package of it, build/telltale_VERSION_ARCH.deb.
deb: all | $(STAMPS)/packages-deb
	@sh deploy/deb.sh $O

# The package looked at by lintian, then installed, upgraded, removed and purged in a root of its own.
test-deb: all | $(STAMPS)/packages-deb
	@sh tests/deploy/deb.sh $O

# The image built and run without root, on a root that cannot be written.
test-image: all | $(STAMPS)/packages-deb
	@sh tests/deploy/image.sh $O

# The examples of deploy/ before the real nginx and Caddy.
test-deploy: all | $(STAMPS)/packages-deb $(STAMPS)/packages-test
	@python3 tests/deploy/proxies.py $O/telltale

clean:
	rm -rf build build-* web/dist web/node_modules
