#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

int64_t clock_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_monotonic_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_coarse_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar, and back, counting years from 1 March so that the
 * leap day comes last: 365 y + y/4 - y/100 + y/400 days before year y, (153 m + 2) / 5 before month m. */
static int64_t days_of(int64_t year, int month, int day)
{
    if (month <= 2)
        year--;
    int64_t m = month > 2 ? month - 3 : month + 9;
    int64_t era = (year >= 0 ? year : year - 399) / 400, y = year - era * 400;
    return era * 146097 + 365 * y + y / 4 - y / 100 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static void date_of(int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, d = days - era * 146097;
    int64_t y = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    int64_t in_year = d - (365 * y + y / 4 - y / 100), m = (5 * in_year + 2) / 153;
    *day = (int)(in_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = y + era * 400 + (*month <= 2);
}

static char *put_digits(char *out, int value, int width)
{
    for (int i = width; i-- > 0; value /= 10)
        out[i] = (char)('0' + value % 10);
    return out + width;
}

/* Every message has its time: printf would take longer than all else that is done with it. */
static char *put_seconds(int64_t seconds, char *out)
{
    int64_t days = seconds / 86400, rest = seconds % 86400, year;
    if (rest < 0)
        days--, rest += 86400;
    int month, day;
    date_of(days, &year, &month, &day);
    const int parts[] = {month, day, (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60)};
    out = year >= 0 && year <= 9999 ? put_digits(out, (int)year, 4) : out + snprintf(out, 12, "%05d", (int)year);
    for (int i = 0; i < 5; i++) {
        *out = "--T::"[i];
        out = put_digits(out + 1, parts[i], 2);
    }
    return out;
}

void clock_text(int64_t us, char out[CLOCK_TEXT])
{
    int64_t seconds = us / 1000000, fraction = us % 1000000;
    if (fraction < 0)
        seconds--, fraction += 1000000;
    out = put_seconds(seconds, out);
    *out = '.';
    memcpy(put_digits(out + 1, (int)fraction, 6), "Z", 2);
}

static bool digits(struct slice s, size_t at, size_t n, int *out)
{
    if (at + n > s.len)
        return false;
    int value = 0;
    for (size_t i = at; i < at + n; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        value = value * 10 + (s.ptr[i] - '0');
    }
    *out = value;
    return true;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Seconds since 1970 in UTC, and where the digits of the fraction stand. */
static bool read_iso(struct slice s, int64_t *seconds, struct slice *fraction)
{
    int year, month, day, hour, minute, second = 0;
    if (!digits(s, 0, 4, &year) || s.len < 16 || s.ptr[4] != '-' || !digits(s, 5, 2, &month) || s.ptr[7] != '-' || !digits(s, 8, 2, &day))
        return false;
    if ((s.ptr[10] != 'T' && s.ptr[10] != 't' && s.ptr[10] != ' ') || !digits(s, 11, 2, &hour) || s.ptr[13] != ':' || !digits(s, 14, 2, &minute))
        return false;
    size_t at = 16;
    if (at < s.len && s.ptr[at] == ':') {
        if (!digits(s, 17, 2, &second))
            return false;
        at = 19;
    }
    *fraction = SLICE_NONE;
    if (at < s.len && (s.ptr[at] == '.' || s.ptr[at] == ',')) {
        size_t from = ++at;
        while (at < s.len && is_digit(s.ptr[at]))
            at++;
        if (at == from)
            return false;
        *fraction = slice_sub(s, from, at - from < 9 ? at - from : 9);
    }
    int64_t offset = 0;
    if (at < s.len && s.ptr[at] == ' ')
        at++;
    if (at < s.len && (s.ptr[at] == 'Z' || s.ptr[at] == 'z')) {
        at++;
    } else if (at < s.len && (s.ptr[at] == '+' || s.ptr[at] == '-')) {
        int sign = s.ptr[at] == '-' ? -1 : 1, oh, om = 0;
        if (!digits(s, at + 1, 2, &oh))
            return false;
        at += 3;
        if (at < s.len && s.ptr[at] == ':')
            at++;
        if (at < s.len) {
            if (!digits(s, at, 2, &om))
                return false;
            at += 2;
        }
        offset = sign * (oh * 3600 + om * 60);
    }
    if (at != s.len || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
        return false;
    *seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
    return true;
}

bool clock_normalize(struct arena *a, struct slice text, struct slice *out)
{
    int64_t seconds;
    struct slice fraction;
    if (!read_iso(slice_trim(text), &seconds, &fraction))
        return false;
    char *date = arena_alloc(a, CLOCK_TEXT), *end = put_seconds(seconds, date);
    if (fraction.len) {
        *end++ = '.';
        memcpy(end, fraction.ptr, fraction.len);
        end += fraction.len;
    }
    memcpy(end, "Z", 2);
    *out = slice_of(date, (size_t)(end + 1 - date));
    return true;
}

/* The digits of a second that say something: all but the zeros at the end. */
static struct slice without_zeros(struct arena *a, const char *text)
{
    size_t n = strlen(text) - 1; /* without the Z */
    while (n && text[n - 1] == '0')
        n--;
    n -= n && text[n - 1] == '.';
    return arena_printf(a, "%.*sZ", (int)n, text);
}

bool clock_from_number(struct arena *a, double number, struct slice *out)
{
    /* 1e11 s is the year 5138, and 1e11 ms the year 1973: between them the unit is told by size alone. */
    double size = fabs(number);
    double to_us = size < 1e11 ? 1e6 : size < 1e14 ? 1e3 : size < 1e17 ? 1 : 1e-3;
    if (!(size < 9e18) || !(fabs(number * to_us) < 2.5e17))
        return false;
    char text[CLOCK_TEXT];
    clock_text((int64_t)llround(number * to_us), text);
    *out = without_zeros(a, text);
    return true;
}

bool clock_from_integer(struct arena *a, int64_t number, struct slice *out)
{
    static const struct { int64_t below, a_second; int digits; } units[] = {
        {INT64_C(100000000000), 1, 0}, {INT64_C(100000000000000), 1000, 3}, {INT64_C(100000000000000000), 1000000, 6},
        {INT64_MAX, 1000000000, 9},
    };
    size_t u = 0;
    while (u < 3 && !(number > -units[u].below && number < units[u].below))
        u++;
    int64_t seconds = number / units[u].a_second, rest = number % units[u].a_second;
    if (rest < 0) {
        rest += units[u].a_second;
        seconds--;
    }
    if (!(seconds > -INT64_C(62135596800) && seconds < INT64_C(250000000000)))
        return false;
    char text[CLOCK_TEXT];
    clock_text(seconds * 1000000, text);
    *out = units[u].digits ? arena_printf(a, "%.19s.%0*lldZ", text, units[u].digits, (long long)rest) : arena_printf(a, "%.19sZ", text);
    return true;
}

bool clock_parse(struct slice text, int64_t *us)
{
    int64_t seconds;
    struct slice fraction;
    if (!read_iso(text, &seconds, &fraction))
        return false;
    int64_t micro = 0;
    for (size_t i = 0; i < 6; i++)
        micro = micro * 10 + (i < fraction.len ? fraction.ptr[i] - '0' : 0);
    *us = seconds * 1000000 + micro;
    return true;
}
