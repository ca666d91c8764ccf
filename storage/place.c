#include "storage/place.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct place {
    struct place *next;
    char *path;
    dev_t device;
    ino_t inode;
    int connections;
};
static struct place *places;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

bool place_holds(const struct place *place, struct err *e)
{
    struct stat st;
    return !place || (stat(place->path, &st) == 0 && st.st_ino == place->inode && st.st_dev == place->device) ||
           err_set(e, ERR_BUSY, "the database file was moved, deleted or replaced while it is in use: put it back, or stop what has it open");
}

bool place_take(const char *path, struct place **out, struct err *e)
{
    pthread_mutex_lock(&lock);
    struct place *p = places;
    while (p && strcmp(p->path, path) != 0)
        p = p->next;
    if (p)
        p->connections++;
    pthread_mutex_unlock(&lock);
    *out = p;
    return place_holds(p, e);
}

struct place *place_new(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return NULL;
    struct place *p = calloc(1, sizeof *p);
    char *copy = strdup(path);
    if (!p || !copy)
        abort(); /* out of memory */
    *p = (struct place){.path = copy, .device = st.st_dev, .inode = st.st_ino, .connections = 1};
    pthread_mutex_lock(&lock);
    p->next = places;
    places = p;
    pthread_mutex_unlock(&lock);
    return p;
}

void place_leave(struct place *place)
{
    if (!place)
        return;
    pthread_mutex_lock(&lock);
    if (--place->connections == 0) {
        struct place **at = &places;
        while (*at != place)
            at = &(*at)->next;
        *at = place->next;
        free(place->path);
        free(place);
    }
    pthread_mutex_unlock(&lock);
}
