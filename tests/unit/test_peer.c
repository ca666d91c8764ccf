/* Who asks, directly and through proxies, and by which names this server is known. */
#include "http/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct err e;

enum { MOST = 4 };
struct asked {
    const char *peer;
    bool tls;
    const char *headers[MOST][2];
    const char *address;
    bool secure;
};

static void assert_client(const struct proxies *p, const struct asked *c)
{
    struct arena a = {0};
    struct sockaddr_storage peer = {0};
    struct sockaddr_in *four = (struct sockaddr_in *)&peer;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&peer;
    struct header headers[MOST];
    size_t n = 0;
    if (inet_pton(AF_INET, c->peer, &four->sin_addr) == 1)
        peer.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, c->peer, &six->sin6_addr) == 1)
        peer.ss_family = AF_INET6;
    for (; n < MOST && c->headers[n][0]; n++)
        headers[n] = (struct header){slice_str(c->headers[n][0]), slice_str(c->headers[n][1])};
    struct client client = peer_client(p, (struct sockaddr *)&peer, c->tls, headers, n, &a);
    if (!slice_is(client.address, c->address) || client.secure != c->secure)
        fail_msg("%s with %s: %.*s, %s", c->peer, n ? c->headers[0][1] : "nothing", SLICE_ARG(client.address), client.secure ? "secure" : "plain");
    arena_free(&a);
}

static void only_proxies_of_ours_are_believed(void **state)
{
    (void)state;
    static const struct asked cases[] = {
        {"192.0.2.7", false, {{NULL}}, "192.0.2.7", false},
        {"2001:db8::1", true, {{NULL}}, "2001:db8::1", true},
        {"::ffff:192.0.2.7", false, {{NULL}}, "192.0.2.7", false},
        /* a client's own claim */
        {"192.0.2.7", false, {{"X-Forwarded-For", "127.0.0.1"}, {"X-Forwarded-Proto", "https"}}, "192.0.2.7", false},
        {"192.0.2.7", true, {{"X-Forwarded-Proto", "http"}}, "192.0.2.7", true},
        /* a proxy's word */
        {"127.0.0.1", false, {{"X-Forwarded-For", "192.0.2.7"}, {"X-Forwarded-Proto", "https"}}, "192.0.2.7", true},
        {"::1", false, {{"x-forwarded-for", "2001:db8::1"}, {"x-forwarded-proto", "HTTPS"}}, "2001:db8::1", true},
        {"::ffff:127.0.0.1", false, {{"X-Forwarded-For", "192.0.2.7"}}, "192.0.2.7", false},
        {"10.1.2.3", false, {{"X-Forwarded-For", "192.0.2.7:5000"}}, "192.0.2.7", false},
        {"10.1.2.3", false, {{"X-Forwarded-For", "[2001:db8::1]:5000"}}, "2001:db8::1", false},
        {"127.0.0.1", false, {{NULL}}, "127.0.0.1", false},
        {"127.0.0.1", true, {{"X-Forwarded-Proto", "http"}}, "127.0.0.1", false},
        /* the proxy adds to what the client claimed: the last that is no proxy is true */
        {"127.0.0.1", false, {{"X-Forwarded-For", "1.1.1.1, 192.0.2.7"}}, "192.0.2.7", false},
        {"127.0.0.1", false, {{"X-Forwarded-For", "1.1.1.1, 192.0.2.7, 10.9.9.9"}}, "192.0.2.7", false},
        {"127.0.0.1", false, {{"X-Forwarded-For", "1.1.1.1"}, {"X-Forwarded-For", "192.0.2.7"}}, "192.0.2.7", false},
        {"127.0.0.1", false, {{"X-Forwarded-For", "192.0.2.7"}, {"X-Forwarded-For", "10.9.9.9"}}, "192.0.2.7", false},
        {"127.0.0.1", false, {{"X-Forwarded-Proto", "https, http"}}, "127.0.0.1", false},
        {"127.0.0.1", false, {{"X-Forwarded-Proto", "https"}, {"X-Forwarded-Proto", "http"}}, "127.0.0.1", false},
        /* what is no address ends the chain at the last one that is */
        {"127.0.0.1", false, {{"X-Forwarded-For", "192.0.2.7, unknown"}}, "127.0.0.1", false},
        {"127.0.0.1", false, {{"X-Forwarded-For", "192.0.2.7"}, {"X-Forwarded-For", "nobody"}}, "127.0.0.1", false},
        {"127.0.0.1", false, {{"X-Forwarded-For", "192.0.2.7, , 10.9.9.9"}}, "10.9.9.9", false},
        {"127.0.0.1", false, {{"X-Forwarded-For", ""}}, "127.0.0.1", false},
        {"127.0.0.1", false, {{"X-Forwarded-For", ",,,"}}, "127.0.0.1", false},
        /* beside the network, not in it */
        {"11.0.0.1", false, {{"X-Forwarded-For", "192.0.2.7"}}, "11.0.0.1", false},
        {"172.32.0.1", false, {{"X-Forwarded-For", "192.0.2.7"}}, "172.32.0.1", false},
        {"172.31.255.255", false, {{"X-Forwarded-For", "192.0.2.7"}}, "192.0.2.7", false},
    };
    static const struct slice ours[] = {SLICE_LIT("loopback"), SLICE_LIT("10.0.0.0/8"), SLICE_LIT("172.16.0.0/12")};
    struct arena a = {0};
    struct proxies p;
    assert_true(proxies_init(&p, &a, ours, sizeof ours / sizeof *ours, &e));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_client(&p, &cases[i]);
    assert_true(proxies_init(&p, &a, NULL, 0, &e));
    assert_client(&p, &(struct asked){"127.0.0.1", false, {{"X-Forwarded-For", "192.0.2.7"}}, "127.0.0.1", false});
    arena_free(&a);
}

static void a_proxy_is_an_address_or_a_network(void **state)
{
    (void)state;
    static const char *const good[] = {"loopback", "10.0.0.3", "0.0.0.0/0", "10.0.0.0/32", "::1", "fd00::/8", "::/128"};
    static const char *const bad[] = {"", "/", "/8", "proxy.example.org", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "::/129",
                                      "::/9999999999", "10.0.0", "Loopback "};
    struct arena a = {0};
    struct proxies p;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct slice text = slice_str(good[i]);
        if (!proxies_init(&p, &a, &text, 1, &e))
            fail_msg("%s: %s", good[i], e.text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct slice text = slice_str(bad[i]);
        if (proxies_init(&p, &a, &text, 1, &e) || e.code != ERR_USAGE)
            fail_msg("%s is taken", bad[i]);
    }
    arena_free(&a);
}

static int knock(const struct gate *gate, bool secure, const char *method, const char *host, const char *origin)
{
    const struct header headers[] = {{slice_str("Host"), slice_str(host)}, {slice_str("Origin"), slice_str(origin)}};
    struct framing framing;
    return gate_check(gate, secure, slice_str(method), slice_str("HTTP/1.1"), headers, origin ? 2 : 1, &framing, &e);
}

static void names_are_ours_when_they_were_given(void **state)
{
    (void)state;
    static const struct slice names[] = {SLICE_LIT("telltale.example.org"), SLICE_LIT("other.example.org:8443"), SLICE_LIT("[2001:db8::1]")};
    static const struct {
        int status;
        const char *host;
    } cases[] = {{0, "telltale.example.org"}, {0, "Telltale.Example.org:443"}, {421, "telltale.example.org:"}, {0, "other.example.org:8443"},
                 {421, "other.example.org"}, {421, "other.example.org:443"}, {421, "telltale.example.org.evil.example"},
                 {421, "evil.telltale.example.org"}, {421, "telltale.example.org:443:443"}, {421, "telltale.example.org:x"},
                 {0, "[2001:db8::1]:8787"}, {0, "[2001:db8::1]"}, {421, "[2001:db8::2]"}, {421, "telltale.example.or"}, {421, ":443"}};
    struct arena a = {0};
    struct gate gate;
    gate_init(&gate, &a, slice_str("127.0.0.1"), false, 443, true);
    gate.names = names;
    gate.nnames = sizeof names / sizeof *names;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (knock(&gate, true, "GET", cases[i].host, NULL) != cases[i].status)
            fail_msg("%s: not %d", cases[i].host, cases[i].status);
    assert_int_equal(knock(&gate, true, "GET", "127.0.0.1", NULL), 0); /* 443 may be left out of https, 80 may not */
    gate_init(&gate, &a, slice_str("127.0.0.1"), false, 80, true);
    assert_int_equal(knock(&gate, true, "GET", "127.0.0.1", NULL), 421);
    arena_free(&a);
}

static void a_page_that_came_by_http_writes_nothing_by_https(void **state)
{
    (void)state;
    struct arena a = {0};
    struct gate gate;
    gate_init(&gate, &a, slice_str("127.0.0.1"), false, 8787, true);
    assert_int_equal(knock(&gate, true, "POST", "127.0.0.1:8787", "https://127.0.0.1:8787"), 0);
    assert_int_equal(knock(&gate, true, "POST", "127.0.0.1:8787", "http://127.0.0.1:8787"), 403);
    assert_int_equal(knock(&gate, true, "GET", "127.0.0.1:8787", "http://127.0.0.1:8787"), 0);
    assert_int_equal(knock(&gate, false, "POST", "127.0.0.1:8787", "https://127.0.0.1:8787"), 0); /* a proxy that does not say what it does */
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_proxies_of_ours_are_believed),
        cmocka_unit_test(a_proxy_is_an_address_or_a_network),
        cmocka_unit_test(names_are_ours_when_they_were_given),
        cmocka_unit_test(a_page_that_came_by_http_writes_nothing_by_https),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
