/* What a service manager is told of the program's state. */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

/* Sends a line of systemd's notify protocol (sd_notify(3)), such as "READY=1", to the socket that $NOTIFY_SOCKET names: a path, or an abstract
 * name behind an @. Without it, and where nobody listens there, nothing happens. */
void notify_manager(const char *state);

#endif
