/* The threads that answer requests: some to each lane, each with its own store. */
#ifndef HTTP_LANES_H
#define HTTP_LANES_H

#include "http/route.h"

struct lanes;

/* A request on its way through a lane. `done` is called once, on the lane's thread, when `answer` is ready. */
struct errand {
    struct request request;
    struct answer answer;
    void (*done)(struct errand *errand);
    uint64_t actor;      /* access_actor(): whose it is. Threads are shared out between actors */
    struct errand *next; /* the lanes' own, */
    int64_t parked_at;   /* as are this */
    uint64_t round;      /* and this */
};

/* Opens the stores and starts the threads. */
bool lanes_start(const char *db, struct lanes **out, struct err *e);
/* Hands an errand to the lane of its request, where actors take turns. Nothing was taken with ERR_BUSY: that lane's queue is full; ERR_TOO_MANY:
 * half of it is this actor's. */
bool lanes_submit(struct lanes *lanes, struct errand *errand, struct err *e);
/* Asks the handlers of parked errands again: of those that wait for this job (SLICE_NONE: none), of those whose time is up, and of
 * those that have not been asked for two seconds, since another server may have done the job. */
void lanes_wake(struct lanes *lanes, struct slice job);
/* From now on nothing is parked, and what is parked is asked for the last time. */
void lanes_drain(struct lanes *lanes);
/* Ends the threads, each when its queue is empty; lanes_submit then gives false. False: one did not end before the deadline
 * (clock_monotonic_us), and what it uses must stay. */
bool lanes_stop(struct lanes *lanes, int64_t deadline_us);
void lanes_free(struct lanes *lanes);

/* Reads the JSON body, runs the route's handler and makes of a failure the answer it deserves; also for LANE_INLINE. */
void errand_run(struct errand *errand);

#endif
