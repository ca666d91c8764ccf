#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#ifndef TELLTALE_VERSION
#define TELLTALE_VERSION "0.1.0"
#define TELLTALE_RELEASED "November 23, 2026"
#endif

#endif
